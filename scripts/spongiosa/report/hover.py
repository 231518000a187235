"""Words that appear when the pointer rests on a point or a bar of a figure, as titles inside the SVG.

They need no script, work in every browser and in the SVG files themselves, and screen readers can read them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from weakref import WeakKeyDictionary

from matplotlib.artist import Artist
from matplotlib.figure import Figure

_TITLES: WeakKeyDictionary[Figure, dict[str, tuple[str, ...]]] = WeakKeyDictionary()
_DEFINITIONS = re.compile(r"<defs>.*?</defs>", re.DOTALL)
_MARK = re.compile(r"<(use|path)\b([^>]*?)/>", re.DOTALL)


def describe(figure: Figure, artist: Artist, titles: Sequence[str]) -> None:
    """Give the marks of `artist` (points of a scatter, or one bar) their titles, in the order drawn."""
    known = _TITLES.setdefault(figure, {})
    name = f"described_{len(known) + 1}"
    artist.set_gid(name)
    known[name] = tuple(titles)


def with_titles(svg: str, figure: Figure) -> str:
    """The SVG with a title in every described mark.

    A group whose marks do not match its titles one to one (matplotlib leaves out points beyond the axes, and embeds
    large scatters as an image) is left as it is: no title is better than a wrong one.
    """
    for name, titles in _TITLES.get(figure, {}).items():
        start = svg.find(f'<g id="{name}">')
        if start < 0:
            continue
        end = _end_of_group(svg, start)
        svg = svg[:start] + _titled(svg[start:end], titles) + svg[end:]
    return svg


def _end_of_group(svg: str, start: int) -> int:
    depth = 0
    for tag in re.finditer(r"<g\b[^>]*?(/?)>|</g>", svg[start:]):
        if tag.group(1) == "/":
            continue
        depth += -1 if tag.group() == "</g>" else 1
        if depth == 0:
            return start + tag.end()
    raise ValueError("a group of the SVG is not closed")


def _titled(group: str, titles: Sequence[str]) -> str:
    definitions = [(found.start(), found.end()) for found in _DEFINITIONS.finditer(group)]
    marks = [
        found for found in _MARK.finditer(group) if not any(start <= found.start() < end for start, end in definitions)
    ]
    if len(marks) != len(titles):
        return group
    parts, position = [], 0
    for mark, title in zip(marks, titles, strict=True):
        words = f"<title>{escape(title)}</title>"
        parts += [group[position : mark.start()], f"<{mark.group(1)}{mark.group(2)}>{words}</{mark.group(1)}>"]
        position = mark.end()
    return "".join([*parts, group[position:]])
