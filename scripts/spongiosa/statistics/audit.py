"""Do figures that belong together agree?  Checks for a study's own results and for printed ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spongiosa.statistics.comparison import mann_whitney
from spongiosa.statistics.cutoff import youden
from spongiosa.statistics.roc import Direction, auc, oriented
from spongiosa.statistics.samples import StatisticsError, Values, marker_and_event


@dataclass(frozen=True)
class RocAudit:
    """Identities that a ROC analysis must keep.

    `points_the_other_way`: the AUC in the direction given is below 0.5, as when event and non-event, or low and high,
    were exchanged.  `auc_bound` is the largest AUC that the Youden index allows; `z_auc_difference` is the distance
    between the AUC and the one that Mann-Whitney's U gives (0 up to rounding).
    """

    auc: float
    opposite_auc: float
    points_the_other_way: bool
    youden: float
    auc_bound: float
    is_within_bound: bool
    z_auc_difference: float
    n: int
    events: int
    reason: str = ""


def audit_roc(marker: Values, event: Values, *, direction: Direction) -> RocAudit:
    """Run the checks over the complete pairs; the Youden index is 0 with a `reason` where no cut-off beats chance.

    Raises `StatisticsError` when one class is absent or all values are tied.
    """
    values, events = marker_and_event(marker, event)
    area = auc(values, events, direction=direction)
    score = oriented(values, direction)
    ranks = mann_whitney(score[events], score[~events])
    index, reason = 0.0, ""
    try:
        index = youden(values, events, direction=direction).youden
    except StatisticsError as error:
        reason = str(error)
    bound = largest_auc(index)
    return RocAudit(
        auc=area,
        opposite_auc=1 - area,
        points_the_other_way=area < 0.5,
        youden=index,
        auc_bound=bound,
        is_within_bound=area <= bound + 1e-12,
        z_auc_difference=abs(area - ranks.probability_a_greater),
        n=int(events.size),
        events=int(events.sum()),
        reason=reason,
    )


def largest_auc(youden_index: float) -> float:
    """Largest AUC of a curve whose greatest Youden index is J: 1 - (1 - J)^2 / 2.

    The curve lies below the line sensitivity = J + false positive rate; the area below that line is the bound.
    """
    if not 0 <= youden_index <= 1:
        raise StatisticsError(f"A greatest Youden index lies between 0 and 1, but is {youden_index}.")
    return 1 - (1 - youden_index) ** 2 / 2


def auc_from_z(z: float, events: int, non_events: int) -> float:
    """AUC of a printed Mann-Whitney Z (without ties): 0.5 + |Z| sqrt((n1 + n0 + 1) / (12 n1 n0))."""
    if min(events, non_events) < 1:
        raise StatisticsError("Both classes need at least one patient.")
    return 0.5 + abs(z) * math.sqrt((events + non_events + 1) / (12 * events * non_events))


def counts_of_share(printed: float, total: int, *, decimals: int) -> tuple[int, ...]:
    """Whole counts of `total` that print as the share `printed` (0 to 1) at that many decimals; empty: impossible."""
    if total < 1:
        raise StatisticsError("A share needs at least one patient.")
    half_unit = 0.5 * 10**-decimals
    # Half a unit on either side: programs round halves up, down or to even.
    return tuple(count for count in range(total + 1) if abs(count / total - printed) <= half_unit + 1e-12)
