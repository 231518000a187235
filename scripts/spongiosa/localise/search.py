"""The search for the column: canal, straightened copy, evidence and chain, in the pose in which they fit best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spongiosa.anatomy.frame import FloatArray
from spongiosa.localise import gates
from spongiosa.localise.canal import CanalTrack, track_canal
from spongiosa.localise.evidence import ColumnEvidence, gather_evidence
from spongiosa.localise.numbering import Numbering, number_column
from spongiosa.localise.pose import rotation_about, spine_line, straightening_turn, turned
from spongiosa.localise.skull import skull_slices
from spongiosa.localise.straighten import ColumnCurve, column_curve, straightened
from spongiosa.localise.working_grid import working_copy
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume

#: Median score of a track that is no spine.
NO_CANAL_SCORE = 0.5
#: Cost of the chain per vertebra up to which nothing else is tried; over synthetic and real scans the right chain costs
#: 1.1 to 2.7, and one in a scan that is back to front or upside down 2.6 to 9.4.
GOOD_COST = 2.2
#: Another pose is better when its chain costs this share less; another way round must be better by more.
BETTER_POSE, BETTER_WAY_ROUND = 0.85, 0.75
#: A steep sacrum leaves the slices in which the canal is tracked: tilts about the left-right axis to try, degrees.
TILTS_DEG = (-20.0, 20.0)
#: A patient is laid straight by no more than this many turns, each seen better than the last.
MOST_TURNS = 2


@dataclass(frozen=True)
class FoundColumn:
    """A column in a scan whose grid is turned by `turn` about the scanner's origin (`scan` is the turned one)."""

    scan: Volume
    turn: FloatArray
    track: CanalTrack
    curve: ColumnCurve
    evidence: ColumnEvidence
    numbering: Numbering | None
    anchors: gates.Anchors

    @property
    def cost(self) -> float:
        """Cost of the chain per vertebra; infinite without a chain."""
        if self.numbering is None:
            return float("inf")
        return self.numbering.cost / max(len(self.numbering.segments), 1)

    @property
    def is_sure(self) -> bool:
        """Whether an anchor is seen and the chain fits."""
        return self.anchors.count > 0 and self.cost <= GOOD_COST


def find_column(scan: Volume) -> FoundColumn:
    """The column of a scan in the pose in which it fits best.

    A patient who leans or is turned is laid straight; where the chain fits badly or no anchor is seen, tilted poses
    are tried, and whether the scan is back to front or upside down.
    Raises `Excluded`: HEAD_SCAN, NO_SPINE, IMPLAUSIBLE_ORIENTATION.
    """
    working = working_copy(scan)
    below = _below_skull(working)
    found = _column(scan, np.eye(3), below)
    if found is not None and (found.is_sure or gates.is_thorax_to_the_end(found.evidence)):
        return found
    for tilt in TILTS_DEG if found is not None else ():
        rotation = rotation_about(0, tilt)
        other = turned(scan, rotation)
        tried = _column(other, rotation, _below_skull(working_copy(other)))
        if tried is not None and found is not None and _fits_better(tried, found):
            found = tried
    _check_way_round(scan, below, found)
    if found is None:
        raise Excluded(Reason.NO_SPINE, "No vertebral canal was found in the scan.")
    return found


def _fits_better(tried: FoundColumn, found: FoundColumn) -> bool:
    """Whether another pose shows more: an anchor more at about the same cost, or a chain that fits much better."""
    anchors = tried.anchors.count - found.anchors.count
    if anchors > 0:
        return tried.cost < max(found.cost, GOOD_COST)
    return anchors == 0 and tried.cost < BETTER_POSE * found.cost


def _below_skull(working: Volume) -> Volume:
    """The part of the working copy below a skull.  Raises `Excluded(HEAD_SCAN)` when nothing of use is left."""
    skull = skull_slices(working)
    spacing = working.geometry.spacing_mm[2]
    if skull.sum() * spacing <= 20.0:
        return working
    lowest = int(np.flatnonzero(skull)[0])
    below = working.cropped(np.array([0, 0, 0]), np.array([lowest, *working.voxels.shape[1:]]))
    track = track_canal(below) if below.voxels.shape[0] * spacing >= 20.0 else None
    if track is None or track.length_mm < 250.0:
        raise Excluded(Reason.HEAD_SCAN, "The scan shows the head, and no lumbar spine below it.")
    return below


def _column(scan: Volume, turn: FloatArray, below: Volume) -> FoundColumn | None:
    """The column in a scan turned by `turn`, laid straight first where the patient leans; None without a canal."""
    track = track_canal(below)
    if track is None or float(np.median(track.scores)) < NO_CANAL_SCORE:
        return None
    line, followed = spine_line(track)
    straight = straightening_turn(below, followed, line)
    if straight is None and followed is track:
        return _evaluated(scan, turn, below, track)
    for _ in range(MOST_TURNS if straight is not None else 1):
        other = scan if straight is None else turned(scan, straight)
        below_other = below if straight is None else _below_skull(working_copy(other))
        if straight is not None:
            followed = CanalTrack(followed.points_mm @ straight.T, followed.scores)
        line, _ = spine_line(followed)
        again = track_canal(below_other, line.at_z(_heights_mm(below_other)))
        if again is None or float(np.median(again.scores)) < NO_CANAL_SCORE:
            break
        scan, below, track = other, below_other, again
        turn = turn if straight is None else straight @ turn
        line, followed = spine_line(track)
        straight = straightening_turn(below, followed, line)
        if straight is None:
            break
    return _evaluated(scan, turn, below, track)


def _heights_mm(working: Volume) -> FloatArray:
    """LPS z of every slice of a working copy."""
    return np.asarray(
        working.geometry.origin_mm[2] + np.arange(len(working.voxels)) * working.geometry.spacing_mm[2],
        dtype=np.float64,
    )


def _evaluated(scan: Volume, turn: FloatArray, working: Volume, track: CanalTrack) -> FoundColumn:
    curve = column_curve(track)
    column = straightened(working, curve, (-50.0, 60.0), 80.0)
    evidence = gather_evidence(column, float(np.abs(scan.geometry.steps_mm[2]).max()))
    numbering = number_column(evidence)
    anchors = gates.Anchors(False, None) if numbering is None else gates.find_anchors(numbering, evidence)
    return FoundColumn(scan, turn, track, curve, evidence, numbering, anchors)


def _check_way_round(scan: Volume, working: Volume, found: FoundColumn | None) -> None:
    """Raises `Excluded(IMPLAUSIBLE_ORIENTATION)` when the column fits much better with the scan the other way round."""
    limit = BETTER_WAY_ROUND * min(found.cost if found is not None else np.inf, 2.0 * GOOD_COST)
    for axis, names in ((1, "front and back"), (0, "head and feet")):
        flipped = Volume(np.ascontiguousarray(np.flip(working.voxels, axis)), working.geometry)
        track = track_canal(flipped)
        if track is None or float(np.median(track.scores)) < NO_CANAL_SCORE:
            continue
        other = _evaluated(scan, np.eye(3), flipped, track)
        if other.cost < limit and other.anchors.count >= (0 if found is None else found.anchors.count):
            raise Excluded(
                Reason.IMPLAUSIBLE_ORIENTATION,
                f"The spine fits the scan only with {names} exchanged; is the orientation in the header right?",
            )
