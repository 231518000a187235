"""The identity of a stage's code: a hash that changes when the code does something else, and only then.

Comments, docstrings and layout do not count, so that a better explanation never recomputes a cohort.  The text is
normalised from tokens and not from `ast.dump`, whose form differs between Python versions.
"""

from __future__ import annotations

import ast
import hashlib
import io
import token
import tokenize
from collections.abc import Iterable
from functools import cache
from pathlib import Path

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

_LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, token.ENDMARKER}
_FSTRING_START = getattr(token, "FSTRING_START", -1)
_FSTRING_END = getattr(token, "FSTRING_END", -1)


@cache
def code_hash(stage: str, *further_modules: str) -> str:
    """Hash, 16 hex digits, over the script `scripts/<stage>.py` and every module of ours that it imports.

    Imports inside functions count; the modules of `NOT_MEASURING` do not.  `further_modules` are those that the script
    imports by a name which is known only when it runs.
    """
    modules = imported_modules(SCRIPTS / f"{stage}.py", further_modules)
    sha = hashlib.sha256()
    for name, path in sorted(modules.items()):
        code = normalised_code(path.read_text(encoding="utf-8"))
        sha.update(name.encode() + b"\0" + code.encode() + b"\0")
        for template in _templates_of(path, code):
            sha.update(template.name.encode() + b"\0" + template.read_bytes() + b"\0")
    return sha.hexdigest()[:16]


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
        for name in sorted(_imports_of(to_read.pop().read_text(encoding="utf-8"))):
            path = _module_path(name)
            if path is not None and name not in found and not _is_left_out(name):
                found[name] = path
                to_read.append(path)
    return found


@cache  # several stages import the same module
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


@cache
def _imports_of(source: str) -> frozenset[str]:
    """Names of all modules of ours that a file with this source may import, its parent packages included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    ours = {name for name in names if name.split(".")[0] == "spongiosa"}
    return frozenset(".".join(name.split(".")[:depth]) for name in ours for depth in range(1, name.count(".") + 2))


def _module_path(name: str) -> Path | None:
    base = SCRIPTS.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _templates_of(module: Path, code: str) -> list[Path]:
    """The templates beside a module whose code names their folder: they decide its output as its code does."""
    return sorted((module.parent / "templates").glob("*")) if '"templates"' in code else []


def _is_left_out(name: str) -> bool:
    return any(name == left_out or name.startswith(f"{left_out}.") for left_out in NOT_MEASURING)
