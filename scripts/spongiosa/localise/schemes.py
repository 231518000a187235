"""Schemes of foreign label maps: which integer means which level."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spongiosa.anatomy.levels import Level
from spongiosa.outcome import Excluded, Reason

#: TotalSegmentator v2, task `total`: S1 = 26, L5 = 27 up to T1 = 43 (its class map in the package's documentation).
_TOTALSEGMENTATOR: dict[int, Level] = {
    26: Level.S1,
    **{27 + step: Level(Level.L5 - step) for step in range(5)},
    **{32 + step: Level(Level.T12 - step) for step in range(12)},
}

#: VerSe challenge; SPINEPS writes the same integers in its vertebra map (discs and endplates from 100 upwards).
_VERSE: dict[int, Level] = {int(level): level for level in Level}


@dataclass(frozen=True)
class LabelScheme:
    """The integers of a vertebra map, and those that mean "body" in the unnumbered maps of the same tool."""

    name: str
    levels: Mapping[int, Level]
    unnumbered_body_labels: frozenset[int] = field(default_factory=frozenset)


#: TotalSegmentator's task `vertebrae_body` (1 = body, 2 = disc); SPINEPS' subregions 49 (corpus) and 50 (its border).
_VERTEBRAE_BODY_TASK = frozenset({1})
_SPINEPS_CORPUS = frozenset({49, 50})

SCHEMES: dict[str, LabelScheme] = {
    "verse": LabelScheme("verse", _VERSE, _VERTEBRAE_BODY_TASK),
    "totalsegmentator": LabelScheme("totalsegmentator", _TOTALSEGMENTATOR, _VERTEBRAE_BODY_TASK),
    "spineps": LabelScheme("spineps", _VERSE, _SPINEPS_CORPUS),
}


def scheme_named(name: str) -> LabelScheme:
    """A built-in scheme, or the one in a YAML file `{integer: level}`.

    Raises `Excluded(LABELS_UNREADABLE)` for an unknown name and for a file that is not such a table.
    """
    if name in SCHEMES:
        return SCHEMES[name]
    if Path(name).suffix.lower() in {".yaml", ".yml"}:
        return _scheme_from_yaml(Path(name))
    raise Excluded(
        Reason.LABELS_UNREADABLE,
        f"The label scheme is not known; allowed are {', '.join(SCHEMES)}, or a YAML file of integers and levels.",
    )


def scheme_by_order(labels_by_height: Iterable[int]) -> LabelScheme:
    """The scheme of a map whose scheme nobody named, from its integers ordered from caudal to cranial.

    VerSe counts up caudally and TotalSegmentator cranially, so that the order along the body tells them apart even
    where their integers overlap.  Raises `Excluded(LABELS_IMPLAUSIBLE)` when neither fits.
    """
    ordered = list(labels_by_height)
    for scheme, direction in ((SCHEMES["verse"], -1), (SCHEMES["totalsegmentator"], 1)):
        known = [label for label in ordered if label in scheme.levels]
        steps = [direction * (upper - lower) for lower, upper in itertools.pairwise(known)]
        if len(known) >= 2 and all(step > 0 for step in steps):
            return scheme
    raise Excluded(
        Reason.LABELS_IMPLAUSIBLE,
        "The integers of the label map fit neither VerSe nor TotalSegmentator; name its scheme in `label_scheme`.",
    )


def _scheme_from_yaml(path: Path) -> LabelScheme:
    import yaml

    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
        levels = {int(number): Level[str(level).upper()] for number, level in dict(table).items()}
    except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError) as error:
        raise Excluded(
            Reason.LABELS_UNREADABLE,
            "The file of the label scheme is not a YAML table of integers and levels such as `20: L1`.",
        ) from error
    return LabelScheme("custom", levels, _VERTEBRAE_BODY_TASK)
