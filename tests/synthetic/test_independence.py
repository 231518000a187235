from __future__ import annotations

import ast
from pathlib import Path

import spongiosa.synthetic

PACKAGE = Path(spongiosa.synthetic.__file__).parent


def imported_modules(path: Path) -> set[str]:
    """Names of all modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_the_instrument_shares_no_code_with_what_it_tests():
    """Whatever the generator imports of ours lies in its own package."""
    for path in sorted(PACKAGE.glob("*.py")):
        ours = {name for name in imported_modules(path) if name.startswith("spongiosa")}
        tested = {
            name for name in ours if name.startswith(("spongiosa.localise", "spongiosa.regions", "spongiosa.volume"))
        }
        assert not tested, f"{path.name} imports {tested}"
