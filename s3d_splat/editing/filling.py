"""What an object hid, made up from the surfaces round it: copies of their own Gaussians, shifted along the surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.editing.patches import Patch, grown, patches
from s3d_splat.editing.rows import SceneRows, chosen_rows, without_children
from s3d_splat.editing.sight import Sight
from s3d_splat.editing.surfaces import Surface
from s3d_splat.editing.texels import Grid, Texels, texels_of, with_colours
from s3d_splat.editing.values import Surroundings
from s3d_splat.scaffold.field import AnchorField
from s3d_splat.types import Gaussians

_TEXELS = 24  # along the shorter side of an object, about
_LEAST_SIDE = 0.5  # of an object's middle side: what is seen of a surface that it stands or hangs on is longer
_MARGIN = 50  # thicknesses round an object within which a surface is looked at, at least
_BLEED = 0.7  # of the thickness: colours of a surface that are nearer to something else are not copied
_LIFT = 0.25  # of the thickness by which what is filled lies before the surface, so that smears lie behind it


def fillings(
    rows: SceneRows,
    field: AnchorField,
    gaussians: Gaussians,
    surfaces: Sequence[Surface],
    box: Float[Tensor, "2 3"],
    sights: Sequence[Sight],
    thickness: float,
    around: Surroundings,
) -> list[SceneRows]:
    """Anchors that close the holes of surfaces, those in front first; `rows` and `gaussians` are of the same field."""
    size = _texel(box, thickness)
    margin = max(_MARGIN * thickness, 1.5 * float((box[1] - box[0]).max()))
    looked = [(surface, texels_of(surface, gaussians, box, size, margin, thickness, sights)) for surface in surfaces]
    least = _LEAST_SIDE * float((box[1] - box[0]).sort().values[1])
    present = [(surface, texels) for surface, texels in looked if texels is not None and _longest(texels) >= least]
    needed = _first_met([texels for _, texels in present], sights, 3 * thickness) if present else []
    result = []
    for (surface, texels), asked in zip(present, needed, strict=True):
        if not asked.any():
            continue
        coloured = with_colours(texels, field, surface.members, around)
        for patch in patches(coloured.colour, coloured.known, asked, round(_BLEED * thickness / size)):
            result.append(_copied(rows, gaussians, surface, texels.grid, patch, thickness))
    return result


def _texel(box: Float[Tensor, "2 3"], thickness: float) -> float:
    sides = (box[1] - box[0]).sort().values
    return float((sides[1] / _TEXELS).clamp(thickness / 3, thickness))


def _first_met(surfaces: Sequence[Texels], sights: Sequence[Sight], slack: float) -> list[Bool[Tensor, "h w"]]:
    """Of each surface's hole the part that views look into once the object is gone: a ray ends at the first surface.

    Where another one follows within `slack` metres, as the wall behind the back of a shelf, the surface that is known nearer
    by in its own plane wins, by the mean over all rays that have such a choice.
    """
    met = [torch.zeros(texels.hole.numel(), dtype=torch.bool, device=texels.hole.device) for texels in surfaces]
    gaps = [_gap(texels, slack / 3) for texels in surfaces]
    crossings, choice = [], torch.zeros(2, len(surfaces)).to(surfaces[0].grid.corner)
    for sight in sights:
        eye = sight.camera.T_world_camera[:3, 3]
        rays = sight.point[sight.gone] - eye
        hits = [_hit(texels, gap, eye, rays, slack) for texels, gap in zip(surfaces, gaps, strict=True)]
        distance, texel, gap = (torch.stack(column) for column in zip(*hits, strict=True))
        rivals = distance.isfinite() & (distance <= distance.amin(0) + slack)
        chooses = rivals & (rivals.sum(0) > 1)
        choice += torch.stack(((gap * chooses).sum(1), chooses.sum(1)))
        crossings.append((rivals, texel))
    mean_gap = choice[0] / choice[1].clamp(min=1)
    for rivals, texel in crossings:
        owner = torch.where(rivals, mean_gap[:, None], float("inf")).argmin(0)
        for number in range(len(surfaces)):
            met[number][texel[number, (owner == number) & rivals[number]]] = True
    return [grown(seen.view(texels.hole.shape), 3) & texels.hole for seen, texels in zip(met, surfaces, strict=True)]


def _longest(texels: Texels) -> float:
    """The longer side of the part of a surface that is known, metres."""
    rows, columns = texels.known.any(1).nonzero(), texels.known.any(0).nonzero()
    return texels.grid.size * max(
        (int(places.max() - places.min()) + 1 for places in (rows, columns) if len(places)), default=0
    )


def _hit(
    texels: Texels, gap: Float[Tensor, " t"], eye: Float[Tensor, "3"], rays: Float[Tensor, "p 3"], slack: float
) -> tuple[Float[Tensor, " p"], Int[Tensor, " p"], Float[Tensor, " p"]]:
    """Where rays from an eye to what is removed meet a surface or its hole, not before their end: the distance (infinite
    where they do not), the texel and its gap.
    """
    length = rays.norm(dim=1)
    slope = rays @ texels.grid.axes[2] / length
    distance = -texels.grid.depth_of(eye[None]) / slope
    index, inside = texels.grid.texel_of(eye + (distance / length)[:, None] * rays)
    solid = (texels.hole | texels.known).reshape(-1)[index]
    hits = inside & solid & (slope > 0) & (distance > length - slack)
    return torch.where(hits, distance, float("inf")), index, gap[index]


def _gap(texels: Texels, speck: float) -> Float[Tensor, " t"]:
    """How far each texel is from the nearest one that is known, metres; what is known in specks alone does not count."""
    from scipy.ndimage import distance_transform_edt

    known = ~grown(~texels.known, round(speck / texels.grid.size))
    if not known.any():
        return torch.full((known.numel(),), 1e6).to(texels.grid.corner)
    distance = distance_transform_edt(~known.cpu().numpy())
    return texels.grid.size * torch.from_numpy(distance).to(texels.grid.corner).reshape(-1)


def _copied(
    rows: SceneRows, gaussians: Gaussians, surface: Surface, grid: Grid, patch: Patch, thickness: float
) -> SceneRows:
    """Copies of the anchors whose children make up the source of a patch, moved to where they are needed."""
    children = rows.child_instance.shape[1]
    row, column = patch.shift
    along = grid.size * torch.tensor([-column, -row]).to(grid.corner)
    offset = along @ grid.axes[:2] - _LIFT * thickness * grid.axes[2]
    target, inside = grid.texel_of(gaussians.means[surface.members] + along @ grid.axes[:2])
    member = surface.members[inside & patch.filled.reshape(-1)[target]]
    live = torch.zeros(rows.child_instance.numel(), dtype=torch.bool, device=member.device)
    live[member] = True
    index = live.view(-1, children).any(1).nonzero()[:, 0]
    copies = without_children(chosen_rows(rows, index), ~live.view(-1, children)[index])
    bend = torch.zeros(len(live), 3).to(grid.corner)
    bend[member] = patch.colour.reshape(-1, 3)[grid.texel_of(gaussians.means[member] + along @ grid.axes[:2])[0]]
    of_anchor = bend.view(-1, children, 3)[index].sum(1) / live.view(-1, children)[index].sum(1, keepdim=True)
    colour = copies.placement.colour.clone()
    colour[..., 3] += of_anchor
    return replace(
        copies,
        anchors=replace(copies.anchors, positions=copies.anchors.positions + offset),
        placement=replace(copies.placement, colour=colour),
    )
