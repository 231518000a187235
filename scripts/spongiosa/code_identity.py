"""The identity of a stage's code: a hash that changes when the code does something else, and only then.

Comments, docstrings and layout do not count, so that a better explanation never recomputes a cohort.  The text is
normalised from tokens and not from `ast.dump`, whose form differs between Python versions.

To normalise all files takes more than a second, which every job of a cluster would pay anew; so what is known of a file
of a certain size and time can be written down (`remember`) and taken over (`recall`).
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import token
import tokenize
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from spongiosa.provenance import write_text

#: The folder that holds the package `spongiosa` and the stage scripts.
SCRIPTS = Path(__file__).resolve().parent.parent

#: Modules whose code decides how a stage is run, recorded or configured, not what it computes.
NOT_MEASURING = (
    "spongiosa.config",
    "spongiosa.outcome",
    "spongiosa.provenance",
    "spongiosa.code_identity",
    "spongiosa.cohort.runner",
    "spongiosa.cohort.store",
    "spongiosa.cohort.scan",
    "spongiosa.cohort.logs",
)

#: Path of a file -> what was found in it when it had this time and size.
_FACTS: dict[str, FileFacts] = {}

_LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, token.ENDMARKER}
_FSTRING_START = getattr(token, "FSTRING_START", -1)
_FSTRING_END = getattr(token, "FSTRING_END", -1)


@dataclass(frozen=True)
class FileFacts:
    """What the identity of a stage needs to know of a file of ours."""

    modified_ns: int
    bytes: int
    code_hash: str
    imports: list[str]
    has_templates: bool


@cache
def code_hash(stage: str, *further_modules: str) -> str:
    """Hash, 16 hex digits, over the script `scripts/<stage>.py` and every module of ours that it imports.

    Imports inside functions count; the modules of `NOT_MEASURING` do not.  `further_modules` are those that the script
    imports by a name which is known only when it runs.
    """
    modules = imported_modules(SCRIPTS / f"{stage}.py", further_modules)
    sha = hashlib.sha256()
    for name, path in sorted(modules.items()):
        facts = _facts_of(path)
        sha.update(f"{name}\0{facts.code_hash}\0".encode())
        for template in sorted((path.parent / "templates").glob("*")) if facts.has_templates else []:
            sha.update(template.name.encode() + b"\0" + template.read_bytes() + b"\0")
    return sha.hexdigest()[:16]


def recall(path: Path) -> None:
    """Take over what an earlier process found in the files, as far as they are as they were."""
    with suppress(FileNotFoundError, ValueError, TypeError):
        recorded = json.loads(path.read_text(encoding="utf-8"))
        _FACTS.update({file: FileFacts(**facts) for file, facts in recorded.items()})


def remember(path: Path) -> None:
    """Write down what was found in the files."""
    write_text(path, json.dumps({file: asdict(facts) for file, facts in sorted(_FACTS.items())}))


def _facts_of(path: Path) -> FileFacts:
    status = path.stat()
    known = _FACTS.get(str(path))
    if known is not None and (known.modified_ns, known.bytes) == (status.st_mtime_ns, status.st_size):
        return known
    source = path.read_text(encoding="utf-8")
    code = normalised_code(source)
    facts = FileFacts(
        modified_ns=status.st_mtime_ns,
        bytes=status.st_size,
        code_hash=hashlib.sha256(code.encode()).hexdigest(),
        imports=sorted(_imports_of(source)),
        has_templates='"templates"' in code,  # a module that names this folder is decided by its files too
    )
    _FACTS[str(path)] = facts
    return facts


def imported_modules(script: Path, further_modules: Iterable[str] = ()) -> dict[str, Path]:
    """The script itself (as `__main__`) and, by name, all modules of ours that it imports directly or indirectly.

    Raises `ModuleNotFoundError` when one of `further_modules` does not exist.
    """
    found = {"__main__": script}
    for name in further_modules:
        path = _module_path(name)
        if path is None:
            raise ModuleNotFoundError(f"no module {name} below {SCRIPTS}")
        found[name] = path
    to_read = list(found.values())
    while to_read:
        for name in _facts_of(to_read.pop()).imports:
            path = _module_path(name)
            if path is not None and name not in found and not _is_left_out(name):
                found[name] = path
                to_read.append(path)
    return found


def normalised_code(source: str) -> str:
    """The code of a module without comments, docstrings and layout."""
    docstrings = _docstring_lines(source)
    lines = source.splitlines(keepends=True)
    words: list[str] = []
    fstring_start: tuple[int, int] | None = None
    fstring_depth = 0
    for item in tokenize.generate_tokens(io.StringIO(source).readline):
        if item.type == _FSTRING_START:
            fstring_start = item.start if fstring_depth == 0 else fstring_start
            fstring_depth += 1
        elif item.type == _FSTRING_END:
            fstring_depth -= 1
            if fstring_depth == 0 and fstring_start is not None:
                words.append(_text_between(lines, fstring_start, item.end))
        elif fstring_depth or item.type in _LAYOUT or (item.type == token.STRING and item.start in docstrings):
            continue
        elif item.type in (token.NEWLINE, token.INDENT, token.DEDENT):
            words.append(token.tok_name[item.type])
        else:
            words.append(item.string)
    return "\n".join(_without_empty_statements(words))


def _without_empty_statements(words: list[str]) -> list[str]:
    """Drop the line ends that removed docstrings leave, and commas before a closing bracket that only lay out."""
    kept: list[str] = []
    for word in words:
        if word == "NEWLINE" and (not kept or kept[-1] in ("NEWLINE", "INDENT", "DEDENT")):
            continue
        if word in ("]", "}") and kept and kept[-1] == ",":
            kept.pop()
        kept.append(word)
    return kept


def _text_between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    first, last = lines[start[0] - 1][start[1] :], lines[end[0] - 1][: end[1]]
    return "".join([first, *lines[start[0] : end[0] - 1], last])


def _docstring_lines(source: str) -> set[tuple[int, int]]:
    """Where docstrings start, as (line, column) of their string token."""
    starts = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                starts.add((first.lineno, first.col_offset))
    return starts


def _imports_of(source: str) -> set[str]:
    """Names of all modules of ours that a file with this source may import, its parent packages included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    ours = {name for name in names if name.split(".")[0] == "spongiosa"}
    return {".".join(name.split(".")[:depth]) for name in ours for depth in range(1, name.count(".") + 2)}


def _module_path(name: str) -> Path | None:
    base = SCRIPTS.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _is_left_out(name: str) -> bool:
    return any(name == left_out or name.startswith(f"{left_out}.") for left_out in NOT_MEASURING)
