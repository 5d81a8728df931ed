"""What the state of a field must be, checked before anything is built from it: it comes from a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from s3d_splat.scaffold.options import ScaffoldOptions

_SHAPES: dict[str, tuple[str | int, ...]] = {
    "positions": ("anchors", 3),
    "embedding": ("anchors", "embedding"),
    "log_extent": ("anchors", 3),
    "offsets": ("anchors", "children", 3),
    "opacity_logits": ("anchors", "children"),
    "log_scales": ("anchors", "children", 3),
    "quaternions": ("anchors", "children", 4),
    "colour_logits": ("anchors", "children", 3),
    "feature": ("anchors", "any"),
    "appearance": ("images", "appearance"),
}
_PLACEMENT: dict[str, tuple[str | int, ...]] = {
    "placement_rotation": ("anchors", 4),
    "placement_scale": ("anchors",),
    "placement_opacity": ("anchors", "children"),
    "placement_shrink": ("anchors", "children"),
    "placement_colour": ("anchors", 3, 4),
}
_FAR = 1e6  # no trained number comes near it: metres, logarithms, weights


def check_state(state: Any, options: ScaffoldOptions) -> None:
    """Check that a value is the `state_dict` of a field with these options, trained or edited.

    Raises:
        ValueError: a tensor is missing or too many, of another shape or kind, shares its numbers among rows, or holds one
            that is not finite or out of all measure.
    """
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError("it holds no table of tensors")
    shapes = _SHAPES | _head_shapes(options) | (_PLACEMENT if set(state) & set(_PLACEMENT) else {})
    strange = sorted(map(str, set(shapes) ^ set(state)))
    if strange:
        raise ValueError(f"{strange[0]} is {'missing' if strange[0] in shapes else 'no part of a field'}")
    sizes = {"children": options.children, "embedding": options.embedding, "appearance": options.appearance}
    positions = state["positions"]
    if positions.ndim == 2:
        sizes["anchors"] = len(positions)
    for name, shape in shapes.items():
        _check_tensor(name, state[name], shape, sizes)


def _check_tensor(name: str, value: Tensor, shape: tuple[str | int, ...], sizes: Mapping[str, int]) -> None:
    wanted = [sizes.get(size) if isinstance(size, str) else size for size in shape]
    have = list(value.shape)
    if name == "feature" and value.ndim == 3:  # each child has its own
        wanted = [wanted[0], sizes["children"], None]
    if len(have) != len(wanted) or any(want not in (None, size) for want, size in zip(wanted, have, strict=True)):
        readable = " x ".join("any" if size is None else str(size) for size in wanted)
        raise ValueError(f"{name} is {' x '.join(map(str, have)) or 'one number'} instead of {readable}")
    if value.dtype != torch.float32 or value.layout != torch.strided:
        raise ValueError(f"{name} is {value.dtype}, {value.layout} instead of plain float32")
    if value.untyped_storage().nbytes() < value.numel() * value.element_size():
        raise ValueError(f"{name} claims {value.numel()} numbers and holds fewer")
    if not bool((value.abs() <= _FAR).all()):
        raise ValueError(f"{name} holds a number that is not finite, or beyond {_FAR:g}")


def _head_shapes(options: ScaffoldOptions) -> dict[str, tuple[str | int, ...]]:
    """Weights and biases of the three networks, see `scaffold.heads`."""
    seen, hidden = options.embedding + 3 * options.view_dependent_opacity, options.hidden
    colour_inputs = options.embedding + 3 + options.appearance
    networks = {"opacity": (seen, 1), "shape": (options.embedding, 7), "colour": (colour_inputs, 3)}
    shapes: dict[str, tuple[str | int, ...]] = {}
    for name, (inputs, outputs) in networks.items():
        for layer, (rows, columns) in {"0": (hidden, inputs), "2": (options.children * outputs, hidden)}.items():
            shapes[f"heads.{name}.{layer}.weight"] = (rows, columns)
            shapes[f"heads.{name}.{layer}.bias"] = (rows,)
    return shapes
