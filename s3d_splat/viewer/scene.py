"""The scene as all browsers see it: trained, edited or grouped anew; a value that is replaced, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.panoptic.features import FeatureBasis, feature_basis
from s3d_splat.pipeline.runs import TrainedRun
from s3d_splat.raster.base import Rasterizer
from s3d_splat.scaffold.field import AnchorField
from s3d_splat.types import InstanceSet

_INNER = (0.02, 0.98)  # quantiles of the anchors: floaters make no scene larger


@dataclass(frozen=True)
class ShownScene:
    """A field with its objects and what pictures of it need."""

    field: AnchorField
    instances: InstanceSet  # without any where the run has none yet
    rasterizer: Rasterizer
    class_names: Mapping[int, str]
    basis: FeatureBasis | None  # None: features of too few channels to be shown as colours
    box: Float[Tensor, "2 3"]  # lowest and highest corner of nearly all anchors, metres

    @property
    def has_objects(self) -> bool:
        """Whether the objects of the run have been found."""
        return self.instances.instance_id.numel() > 0

    @property
    def extent(self) -> float:
        """Length of the box's diagonal, metres."""
        return float((self.box[1] - self.box[0]).norm())


def shown_scene(run: TrainedRun, field: AnchorField, instances: InstanceSet) -> ShownScene:
    """A scene to look at."""
    positions, features = field.positions.detach(), field.feature.detach().flatten(0, -2)
    sample = positions[:: len(positions) // 100_000 + 1].float()
    box = torch.stack([torch.quantile(sample, share, dim=0) for share in _INNER])
    return ShownScene(
        field=field,
        instances=instances,
        rasterizer=run.rasterizer,
        class_names={entry.id: entry.name for entry in run.scene.classes},
        basis=feature_basis(features) if len(features) > 1 and features.shape[1] >= 3 else None,
        box=box.cpu(),
    )


def no_instances(field: AnchorField) -> InstanceSet:
    """The instance set of a field whose objects nobody has looked for."""
    anchors, children = field.offsets.shape[:2]
    none: Int[Tensor, "0"] = torch.zeros(0, dtype=torch.int32)
    return InstanceSet(
        anchor_instance=torch.zeros(anchors, dtype=torch.int32),
        child_instance=torch.zeros(anchors, children, dtype=torch.int32),
        instance_id=none,
        class_id=none,
        is_thing=none,
        score=torch.zeros(0),
        size=none,
        aabb=torch.zeros(0, 2, 3),
    )
