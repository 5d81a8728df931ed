"""What editing made of anchors since they were trained: turned, scaled, removed, shrunk or recoloured."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.geometry.rotations import rotation_matrices
from s3d_splat.types import Gaussians


@dataclass(frozen=True)
class Placement:
    """One row an anchor (k children). Positions are not here: an anchor that moves has another position in its table."""

    rotation: Float[Tensor, "a 4"]  # unit quaternion wxyz of R_world_trained
    scale: Float[Tensor, " a"]  # how many times larger than trained
    opacity: Float[Tensor, "a k"]  # factor; 0 = removed
    shrink: Float[Tensor, "a k"]  # factor on the child's three scales; its centre stays
    colour: Float[Tensor, "a 3 4"]  # affine map of the decoded RGB, which is clamped to 0..1 afterwards


def untouched(anchors: int, children: int, like: Tensor) -> Placement:
    """The placement that changes nothing, bit for bit; device and dtype of `like`."""
    ones = like.new_ones(anchors, children)
    identity = torch.eye(3, 4, dtype=like.dtype, device=like.device)
    return Placement(
        rotation=like.new_tensor([1.0, 0.0, 0.0, 0.0]).repeat(anchors, 1),
        scale=like.new_ones(anchors),
        opacity=ones,
        shrink=ones.clone(),
        colour=identity.repeat(anchors, 1, 1),
    )


def placement_rows(placement: Placement, index: Int[Tensor, " v"]) -> Placement:
    """The rows of some anchors."""
    return Placement(**{column.name: getattr(placement, column.name)[index] for column in fields(Placement)})


def quaternion_product(a: Float[Tensor, "*n 4"], b: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Hamilton's product of quaternions wxyz: the rotation `b`, then the rotation `a`."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        dim=-1,
    )


def trained_directions(placement: Placement, directions: Float[Tensor, "a 3"]) -> Float[Tensor, "a 3"]:
    """Directions in the world as an anchor saw them before it was turned."""
    return torch.einsum("aji,aj->ai", rotation_matrices(placement.rotation), directions)


def placed(
    gaussians: Gaussians, positions: Float[Tensor, "a 3"], local: Float[Tensor, "a k 3"], placement: Placement
) -> Gaussians:
    """Decoded Gaussians where editing put them.

    `positions` are those of the anchors now, `local` the children's offsets from them as trained (metres). Colours must have
    been decoded for `trained_directions`.
    """
    turn, children = rotation_matrices(placement.rotation), local.shape[1]
    means = positions[:, None] + placement.scale[:, None, None] * torch.einsum("aij,akj->aki", turn, local)
    by_child = placement.rotation.repeat_interleave(children, dim=0)
    colours = gaussians.colours.reshape(-1, children, 3)
    mapped = torch.einsum("aij,akj->aki", placement.colour[..., :3], colours) + placement.colour[:, None, :, 3]
    return replace(
        gaussians,
        means=means.reshape(-1, 3),
        log_scales=gaussians.log_scales + (placement.scale[:, None] * placement.shrink).log().reshape(-1, 1),
        quaternions=quaternion_product(by_child, gaussians.quaternions),
        opacities=gaussians.opacities * placement.opacity.reshape(-1),
        colours=mapped.clamp(0.0, 1.0).reshape(-1, 3),
    )
