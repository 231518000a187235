"""Where the rims of an endplate lie in front and behind, from the image's endplates and the walls of the body."""

from __future__ import annotations

import numpy as np

from spongiosa.regions.body import Endplate, VertebralBody
from spongiosa.regions.endplate_surface import rim_drop_mm
from spongiosa.regions.rim_walls import RIM_INSET_MM, RimWall, find_wall
from spongiosa.volume import FloatArray, Volume

#: Step in which the rim is sought inwards from the wall.  [mm]
SEARCH_STEP_MM = 0.1


def rim_points_mm(
    body: VertebralBody,
    endplates: tuple[Endplate, Endplate],
    left_mm: FloatArray,
    towards: float,
    search: tuple[float, float],
    scan: Volume | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Heights of the superior and the inferior rim on sagittal lines at `left_mm`, each shape (n,).  [mm]

    `endplates` are the superior and the inferior one; `towards` is -1 for the anterior rims and +1 for the posterior
    ones; `search` is how far inwards from the wall a rim is sought [mm], and how much the way towards the wall counts
    against the height (see `heights`); `scan` is the image of the body, where there is one.

    The wall is what label map and image show between the rims, a parabola in height (bodies have a waist); slices say
    little of where it ends, but much of where it stands.  Where it meets an endplate the edge is rounded
    (`rim_drop_mm`).
    """
    superior, inferior = endplates
    wall = find_wall(body, endplates, left_mm, towards, scan)
    top = _rim(superior, wall, left_mm, 1.0, towards, search)
    return top, _rim(inferior, wall, left_mm, -1.0, towards, search)


def _rim(
    endplate: Endplate, wall: RimWall, left: FloatArray, outward: float, towards: float, search: tuple[float, float]
) -> FloatArray:
    reach, edge_weight = search
    edge = wall(left, endplate(left, np.zeros_like(left)))
    for _ in range(3):
        edge = wall(left, endplate(left, edge - towards * RIM_INSET_MM))
    inwards = np.arange(0.0, reach, SEARCH_STEP_MM)
    posterior = edge[:, None] - towards * inwards
    across = np.broadcast_to(left[:, None], posterior.shape)
    height = outward * endplate(across, posterior) - rim_drop_mm(inwards)
    furthest = np.argmax(height + edge_weight * towards * posterior, axis=1)
    return np.asarray(outward * np.take_along_axis(height, furthest[:, None], axis=1)[:, 0])
