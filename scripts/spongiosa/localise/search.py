"""The search for the column: canal, straightened copy, evidence and chain, in the pose in which they fit best."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spongiosa.anatomy.frame import FloatArray
from spongiosa.localise import gates
from spongiosa.localise.canal import CanalTrack, track_canal
from spongiosa.localise.evidence import ColumnEvidence, gather_evidence
from spongiosa.localise.numbering import Numbering
from spongiosa.localise.pose import rotation_about, spine_line, straightening_turn, turned
from spongiosa.localise.refined_numbering import refined_numbering
from spongiosa.localise.skull import skull_slices
from spongiosa.localise.straighten import ColumnCurve, StraightColumn, column_curve, straightened
from spongiosa.localise.working_grid import about_canal, working_copy
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume

#: Median score of a track that is no spine.
NO_CANAL_SCORE = 0.5
#: Cost of the chain per vertebra up to which nothing else is tried; over synthetic and real scans the right chain costs
#: 1.1 to 2.7, and one in a scan that is back to front or upside down 2.6 to 9.4.
GOOD_COST = 2.2
#: The same where both anchors are seen and agree: another pose adds none.  With an anchor and up to this cost no scan
#: was the wrong way round.
AGREED_COST = 2.6
#: No right chain was seen to cost less than this per vertebra: the other way round is not tried where it would have to.
LEAST_COST = 0.85
#: Another pose is better when its chain costs this share less; another way round must be better by more.
BETTER_POSE, BETTER_WAY_ROUND = 0.85, 0.75
#: A steep sacrum leaves the slices in which the canal is tracked: tilts about the left-right axis to try, degrees.
TILTS_DEG = (-20.0, 20.0)
#: A patient is laid straight by no more than this many turns, each seen better than the last.
MOST_TURNS = 2


@dataclass(frozen=True)
class FoundColumn:
    """A column in a scan whose grid is turned by `turn` about the scanner's origin (`scan` is the turned one).

    `straight` is the straightened copy that the evidence is from.
    """

    scan: Volume
    turn: FloatArray
    track: CanalTrack
    curve: ColumnCurve
    straight: StraightColumn
    evidence: ColumnEvidence
    numbering: Numbering | None
    anchors: gates.Anchors

    @property
    def cost(self) -> float:
        """Cost of the chain per vertebra; infinite without a chain."""
        return _cost_per_vertebra(self.numbering)

    @property
    def is_sure(self) -> bool:
        """Whether an anchor is seen and the chain fits; where both are seen and agree, it may fit a little worse."""
        agree = self.anchors.has_sacrum and self.anchors.lowest_rib_offset == 0
        return self.anchors.count > 0 and self.cost <= (AGREED_COST if agree else GOOD_COST)


def find_column(scan: Volume) -> FoundColumn:
    """The column of a scan in the pose in which it fits best.

    A patient who leans or is turned is laid straight; where the chain fits badly or no anchor is seen, tilted poses
    are tried, and whether the scan is back to front or upside down.
    Raises `Excluded`: HEAD_SCAN, NO_SPINE, IMPLAUSIBLE_ORIENTATION.
    """
    working = working_copy(scan)
    below = _below_skull(working)
    first = found = _column(scan, np.eye(3), below, has_skull=below is not working)
    if found is not None and (found.is_sure or gates.is_thorax_to_the_end(found.evidence)):
        return found
    for tilt in TILTS_DEG if first is not None else ():
        tried = None if first is None else _tilted(first, tilt, has_skull=below is not working)
        if tried is not None and found is not None and _fits_better(tried, found):
            found = tried
    if found is not None and found.anchors.count > 0 and found.cost <= AGREED_COST:
        return found
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


def _cost_per_vertebra(numbering: Numbering | None) -> float:
    if numbering is None:
        return float("inf")
    return numbering.cost / max(len(numbering.segments), 1)


def _tilted(first: FoundColumn, tilt_deg: float, has_skull: bool) -> FoundColumn | None:
    """The column in the pose in which it was found first, tilted about the left-right axis."""
    rotation = rotation_about(0, tilt_deg)
    scan = turned(first.scan, rotation)
    return _column(scan, rotation @ first.turn, _copy_below_skull(scan, has_skull), has_skull)


def _copy_below_skull(scan: Volume, has_skull: bool) -> Volume:
    """The working copy of a turned scan; a skull that was not in view before is not looked for again."""
    return _below_skull(working_copy(scan)) if has_skull else working_copy(scan)


def _tracked(working: Volume, middle_mm: FloatArray | None = None) -> CanalTrack | None:
    """The canal, or None where there is none."""
    track = track_canal(about_canal(working, middle_mm), middle_mm)
    return None if track is None or float(np.median(track.scores)) < NO_CANAL_SCORE else track


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


def _column(scan: Volume, turn: FloatArray, below: Volume, has_skull: bool) -> FoundColumn | None:
    """The column in a scan turned by `turn`, laid straight first where the patient leans; None without a canal."""
    track = _tracked(below)
    if track is None:
        return None
    line, followed = spine_line(track)
    straight = straightening_turn(below, followed, line)
    if straight is None and followed is track:
        return _evaluated(scan, turn, below, track)
    for _ in range(MOST_TURNS if straight is not None else 1):
        other = scan if straight is None else turned(scan, straight)
        below_other = below if straight is None else _copy_below_skull(other, has_skull)
        if straight is not None:
            followed = CanalTrack(followed.points_mm @ straight.T, followed.scores)
        line, _ = spine_line(followed)
        again = _tracked(below_other, line.at_z(_heights_mm(below_other)))
        if again is None:
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
    return FoundColumn(scan, turn, track, curve, column, *_read(column, _slice_mm(scan)))


def _slice_mm(scan: Volume) -> float:
    return float(np.abs(scan.geometry.steps_mm[2]).max())


def _read(column: StraightColumn, slice_mm: float) -> tuple[ColumnEvidence, Numbering | None, gates.Anchors]:
    """Evidence, chain and anchors of a straightened column."""
    evidence = gather_evidence(column, slice_mm)
    numbering = refined_numbering(evidence)
    anchors = gates.Anchors(False, None) if numbering is None else gates.find_anchors(numbering, evidence)
    return evidence, numbering, anchors


def _check_way_round(scan: Volume, working: Volume, found: FoundColumn | None) -> None:
    """Raises `Excluded(IMPLAUSIBLE_ORIENTATION)` when the column fits much better with the scan the other way round.

    A canal upside down is the same canal: its straightened copy is read from the other end.  Back to front there may be
    another one, which is tracked anew.
    """
    limit = BETTER_WAY_ROUND * min(found.cost if found is not None else np.inf, 2.0 * GOOD_COST)
    least_anchors = 0 if found is None else found.anchors.count
    if limit < LEAST_COST:
        return
    others = []
    flipped = Volume(np.ascontiguousarray(np.flip(working.voxels, 1)), working.geometry)
    track = _tracked(flipped)
    if track is not None:
        back_to_front = _evaluated(scan, np.eye(3), flipped, track)
        others.append(("front and back", back_to_front.cost, back_to_front.anchors))
    if found is not None:
        upside_down = replace(found.straight, hu=np.ascontiguousarray(found.straight.hu[::-1]))
        _, numbering, anchors = _read(upside_down, _slice_mm(found.scan))
        others.append(("head and feet", _cost_per_vertebra(numbering), anchors))
    for names, cost, anchors in others:
        if cost < limit and anchors.count >= least_anchors:
            raise Excluded(
                Reason.IMPLAUSIBLE_ORIENTATION,
                f"The spine fits the scan only with {names} exchanged; is the orientation in the header right?",
            )
