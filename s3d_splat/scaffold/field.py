"""The learnable scene: anchors, and the heads that turn each of them into k Gaussians."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from s3d_splat.scaffold.heads import Heads
from s3d_splat.scaffold.options import ScaffoldOptions
from s3d_splat.scaffold.placement import Placement, placed, placement_rows, trained_directions
from s3d_splat.scaffold.rows import take_rows
from s3d_splat.types import Camera, Gaussians


@dataclass(frozen=True)
class AnchorTable:
    """One row an anchor (A rows, k children): everything that growth and pruning resize together."""

    positions: Float[Tensor, "a 3"]  # metres, never trained
    embedding: Float[Tensor, "a e"]
    log_extent: Float[Tensor, "a 3"]  # log of the metres that an offset of 1 means
    offsets: Float[Tensor, "a k 3"]
    opacity_logits: Float[Tensor, "a k"]  # from here to the colours: each child's own base
    log_scales: Float[Tensor, "a k 3"]  # metres
    quaternions: Float[Tensor, "a k 4"]
    colour_logits: Float[Tensor, "a k 3"]
    feature: Float[Tensor, "a *s f"]  # [a, f], shared by the children, or each child's own, [a, k, f]; used L2-normalised


TRAINED_COLUMNS = (
    "embedding",
    "log_extent",
    "offsets",
    "opacity_logits",
    "log_scales",
    "quaternions",
    "colour_logits",
    "feature",
)


class AnchorField(nn.Module):
    """Semantic-Scaffold Gaussians (InstanceGaussian, section 3.1, after Scaffold-GS).

    A child is decoded as its own base plus what the heads make of the anchor's embedding. The heads' last layers start at
    zero, so that an untrained field is exactly its proxy points drawn as splats.
    """

    positions: Tensor
    embedding: nn.Parameter
    log_extent: nn.Parameter
    offsets: nn.Parameter
    opacity_logits: nn.Parameter
    log_scales: nn.Parameter
    quaternions: nn.Parameter
    colour_logits: nn.Parameter
    feature: nn.Parameter
    placement_rotation: Tensor | None

    def __init__(self, anchors: AnchorTable, options: ScaffoldOptions, images: int, generator: torch.Generator) -> None:
        """`images` is the number of training images: the rows of the appearance codes, where those are switched on."""
        super().__init__()
        self.options = options
        self.heads = Heads(options, generator)
        self.appearance = nn.Parameter(torch.zeros(images, options.appearance))
        self.replace_anchors(anchors)
        self._hold_placement(None)

    @property
    def anchor_count(self) -> int:
        return self.positions.shape[0]

    @property
    def anchors(self) -> AnchorTable:
        """The columns as they are now (the parameters themselves, not copies)."""
        return AnchorTable(self.positions, *(getattr(self, name) for name in TRAINED_COLUMNS))

    @property
    def placement(self) -> Placement | None:
        """What editing made of the anchors since they were trained; None: nothing."""
        if self.placement_rotation is None:
            return None
        return Placement(*(getattr(self, f"placement_{column.name}") for column in fields(Placement)))

    def edited(self, anchors: AnchorTable, placement: Placement) -> AnchorField:
        """A field with the same heads and codes and other anchors; it shares all tensors with what it is made of."""
        other = AnchorField.__new__(AnchorField)
        nn.Module.__init__(other)
        other.options, other.heads, other.appearance = self.options, self.heads, self.appearance
        other._hold_anchors(anchors)
        other._hold_placement(placement)
        return other

    def replace_anchors(self, anchors: AnchorTable) -> None:
        """Install other anchors; an optimiser that holds the old parameters must be told (see `scaffold.growth.resize`)."""
        columns = ("positions", *TRAINED_COLUMNS)
        self._hold_anchors(AnchorTable(**{name: getattr(anchors, name).detach().clone() for name in columns}))

    def load_resized(self, state: dict[str, Tensor]) -> None:
        """Take over a `state_dict` whose number of anchors differs from the present one."""
        self.replace_anchors(AnchorTable(**{name: state[name] for name in ("positions", *TRAINED_COLUMNS)}))
        self.load_state_dict(state)

    def decode(
        self, camera: Camera, visible: Int[Tensor, " v"] | None = None, image: int | None = None, with_features: bool = True
    ) -> Gaussians:
        """The Gaussians of the anchors `visible` (all of them if None), anchor-major: row i * k + j is child j of anchor i.

        `image` is the row of the appearance code; None takes the mean code, as test views and exports do.
        """
        table = self.anchors if visible is None else _rows(self.anchors, visible)
        children = table.offsets.shape[1]
        local = table.offsets * table.log_extent.exp()[:, None]
        placement, directions = self.placement, self._view_directions(table.positions, camera)
        if placement is not None:
            placement = placement if visible is None else placement_rows(placement, visible)
            directions = trained_directions(placement, directions)
        looks = self.heads(table.embedding, directions, self._appearance_code(image))
        features = None
        if with_features:
            normalised = functional.normalize(table.feature, dim=-1)
            by_child = normalised if normalised.ndim == 3 else normalised[:, None].expand(-1, children, -1)
            features = by_child.flatten(0, 1)
        gaussians = Gaussians(
            means=(table.positions[:, None] + local).reshape(-1, 3),
            log_scales=(table.log_scales + looks.log_scales).reshape(-1, 3),
            quaternions=(table.quaternions + looks.quaternions).reshape(-1, 4),
            opacities=torch.sigmoid(table.opacity_logits + looks.opacity).reshape(-1),
            colours=torch.sigmoid(table.colour_logits + looks.colour).reshape(-1, 3),
            features=features,
        )
        return gaussians if placement is None else placed(gaussians, table.positions, local, placement)

    def _hold_anchors(self, anchors: AnchorTable) -> None:
        self.register_buffer("positions", anchors.positions)
        for name in TRAINED_COLUMNS:
            setattr(self, name, nn.Parameter(getattr(anchors, name)))

    def _hold_placement(self, placement: Placement | None) -> None:
        for column in fields(Placement):
            self.register_buffer(f"placement_{column.name}", None if placement is None else getattr(placement, column.name))

    def _view_directions(self, positions: Float[Tensor, "a 3"], camera: Camera) -> Float[Tensor, "a 3"]:
        centre = camera.T_world_camera[:3, 3].to(positions)
        return functional.normalize(positions - centre, dim=-1)

    def _appearance_code(self, image: int | None) -> Float[Tensor, " c"]:
        return self.appearance.mean(0) if image is None else self.appearance[image]


def field_from_state(state: dict[str, Tensor], options: ScaffoldOptions) -> AnchorField:
    """The field that a `state_dict` was taken from."""
    anchors = AnchorTable(**{name: state[name] for name in ("positions", *TRAINED_COLUMNS)})
    field = AnchorField(anchors, options, state["appearance"].shape[0], torch.Generator())
    names = {column.name: f"placement_{column.name}" for column in fields(Placement)}
    if set(names.values()) <= set(state):
        field = field.edited(anchors, Placement(**{column: state[name] for column, name in names.items()}))
    field.load_state_dict(state)
    return field


def _rows(table: AnchorTable, index: Int[Tensor, " v"]) -> AnchorTable:
    return AnchorTable(*take_rows(tuple(getattr(table, name) for name in ("positions", *TRAINED_COLUMNS)), index))
