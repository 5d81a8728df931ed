"""The objects of a trained run."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from s3d_splat.instances.build import build_instances, mask_classes
from s3d_splat.instances.evidence import MaskedView
from s3d_splat.instances.options import InstanceOptions
from s3d_splat.io.observations import load_observation
from s3d_splat.io.results import write_instances
from s3d_splat.io.run_folder import RunFolder
from s3d_splat.pipeline.edit import refuse_edited
from s3d_splat.pipeline.runs import decode, open_trained
from s3d_splat.raster.base import Rasterizer
from s3d_splat.scaffold.field import AnchorField
from s3d_splat.types import Frame, InstanceSet, Scene

log = logging.getLogger("s3d_splat")


def find_instances(
    run: RunFolder, scene: Scene, field: AnchorField, rasterizer: Rasterizer, options: InstanceOptions
) -> InstanceSet:
    """The objects of a trained field, from the train frames' masks, into the run folder."""
    start = time.monotonic()
    masked = [frame for frame in scene.frames if frame.split == "train" and frame.instance_path is not None]
    if not masked:
        log.warning("no train frame has instance masks: there are no instances to find")
    found = build_instances(
        field.positions,
        field.feature.detach(),
        lambda camera: decode(field, camera),
        rasterizer,
        (_masked_view(frame) for frame in masked),
        mask_classes(scene.instances, scene.classes),
        options,
    )
    write_instances(run.instances, found)
    things = int(found.is_thing.sum())
    log.info("%d things, %d stuff, in %.1f s", things, len(found.is_thing) - things, time.monotonic() - start)
    return found


def aggregate(run_folder: Path, options: InstanceOptions) -> InstanceSet:
    """Find the instances of a trained run again, with other options; S3DError for a run that was edited."""
    refuse_edited(run_folder, "aggregated")
    run = open_trained(run_folder)
    return find_instances(run.folder, run.scene, run.field, run.rasterizer, options)


def _masked_view(frame: Frame) -> MaskedView:
    observed = load_observation(frame)
    assert observed.instances is not None
    return MaskedView(frame.camera, observed.instances, observed.semantics, observed.mask)
