"""The frame of a vertebra as the generator knows it, for tests that place regions without a localiser."""

from __future__ import annotations

import numpy as np

from spongiosa.anatomy.frame import Plane, SpineDescription, Vertebra, VertebralFrame, unit_vector
from spongiosa.synthetic.scanner import RenderedScan


def true_l3(scan: RenderedScan) -> SpineDescription:
    """The frame of L3 from the generator."""
    truth = scan.truth.geometry["L3"]
    (top, up), (bottom, down) = truth.superior_endplate, truth.inferior_endplate
    superior = unit_vector(up - down)
    behind = truth.axes[:, 1]
    posterior = unit_vector(behind - (behind @ superior) * superior)
    frame = VertebralFrame(
        (top + bottom) / 2, np.cross(posterior, superior), posterior, superior, Plane(top, up), Plane(bottom, -down)
    )
    return SpineDescription("truth", 1.0, (Vertebra(truth.label, "L3", frame, 1.0),))
