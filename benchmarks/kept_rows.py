"""What a long benchmark has measured so far, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any


def code_in_use(*scripts: Path) -> str:
    """Hash, 16 hex digits, of the files of all modules of ours that are loaded, and of `scripts`."""
    loaded = [module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] == "spongiosa"]
    sha = hashlib.sha256()
    for path in sorted({Path(file) for file in loaded if file} | set(scripts)):
        sha.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()[:16]


class KeptRows:
    """Results by name in a file of JSON lines; those that other code has made count for nothing."""

    def __init__(self, path: Path, code: str) -> None:
        self._path, self._code = path, code
        self._results: dict[str, Any] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for line in lines:
            try:
                kept = json.loads(line)
            except json.JSONDecodeError:  # the line at which a run was killed
                continue
            if kept["code"] == code:
                self._results[kept["name"]] = kept["result"]

    def of_all(
        self,
        tasks: Iterable[tuple[str, Any]],
        measure: Callable[[Any], Any],
        pool: Executor,
    ) -> Iterator[Any]:
        """The result of each named task in their order, measured where it is not there yet."""
        tasks = list(tasks)
        missing = [(name, task) for name, task in tasks if name not in self._results]
        measured = pool.map(measure, [task for _, task in missing])
        for name, _ in tasks:
            if name not in self._results:
                self._keep(name, next(measured))
            yield self._results[name]

    def _keep(self, name: str, result: Any) -> None:
        line = json.dumps({"code": self._code, "name": name, "result": result}, default=_plain)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._results[name] = json.loads(line)["result"]


def _plain(value: Any) -> Any:
    """A number of numpy as one of Python.  Raises `AttributeError` for what is none."""
    return value.item()
