"""What all files of splats hold: the Gaussians that can be seen, with baked looks, and the instance of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.export.bake import BakedGaussians, bake, drawn, with_one_colour
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.objects import NamedObject, named_objects, owners
from s3d_splat.export.options import ExportOptions
from s3d_splat.io.observations import load_observation
from s3d_splat.io.scene import frames_of
from s3d_splat.metrics.image import ImageQuality
from s3d_splat.panoptic.palette import instance_colours
from s3d_splat.types import Camera, Frame


@dataclass(frozen=True)
class Splats:
    """Baked Gaussians of the chosen objects, and what baking cost."""

    baked: BakedGaussians
    instance: Int[Tensor, " n"]  # 0 = none
    objects: tuple[NamedObject, ...]
    figures: dict[str, Any]  # for the user; under `notes` sentences

    def of(self, id: int) -> BakedGaussians:
        """The Gaussians of one object."""
        return self.baked.chosen(self.instance == id)


def splats_of(trained: TrainedScene, options: ExportOptions, advance: Advance) -> Splats:
    """Bake a scene and measure the loss of PSNR on its test views.

    Raises:
        S3DError: the scene has no train frame, an id is unknown, or nothing can be seen.
    """
    cameras = train_cameras(trained, options.views)
    with_photo = options.colours == "photo"
    if with_photo or trained.view_dependent_opacity:
        whole = bake(trained, cameras, options.sh_degree if with_photo else 0, advance)
    else:
        whole = with_one_colour(first := trained.decode(cameras[0]), first.colours)
    figures = _loss(trained, whole) if with_photo else {}
    if not with_photo:
        colours = instance_colours(owners(trained)).to(whole.means) / 255
        whole = with_one_colour(whole.seen_from(cameras[0]), colours)
    shown = drawn(whole)
    objects = named_objects(trained, whole.means, shown, options.ids)
    kept = shown & _belongs(owners(trained), options.ids)
    if not bool(kept.any()):
        raise S3DError("the run has no Gaussian that can be seen", why="there is nothing to export", fix="train it longer")
    figures |= {"gaussians": int(kept.sum()), "left_out": int((~shown).sum()), "notes": _notes(trained, int((~shown).sum()))}
    return Splats(whole.chosen(kept), owners(trained)[kept], objects, figures)


def train_cameras(trained: TrainedScene, views: int) -> list[Camera]:
    """At most so many cameras of the train frames, evenly chosen.

    Raises:
        S3DError: there is no train frame.
    """
    frames = frames_of(trained.scene, "train")
    if not frames:
        raise S3DError(f"{trained.scene.root} has no train frame", why="looks come from its views", fix="mark some as train")
    count = min(views, len(frames))
    return [frames[i * len(frames) // count].camera for i in range(count)]


def _belongs(owner: Int[Tensor, " n"], ids: Sequence[int]) -> Bool[Tensor, " n"]:
    if not ids:
        return torch.ones_like(owner, dtype=torch.bool)
    return torch.isin(owner, torch.tensor(ids, dtype=owner.dtype, device=owner.device))


@torch.no_grad()
def _loss(trained: TrainedScene, baked: BakedGaussians) -> dict[str, Any]:
    """PSNR (dB) of the run's own colours and of the baked ones on the test views (train views where there are none)."""
    split, frames = "test", frames_of(trained.scene, "test")
    if not frames:
        split, frames = "train", frames_of(trained.scene, "train")[::8]
    own, after = ImageQuality(), ImageQuality()
    for frame in frames:
        _add(own, trained, trained.decode(frame.camera), frame)
        _add(after, trained, baked.seen_from(frame.camera), frame)
    psnr, psnr_baked = own.compute()["psnr"], after.compute()["psnr"]
    loss = None if psnr is None or psnr_baked is None else psnr - psnr_baked
    return {"psnr": psnr, "psnr_baked": psnr_baked, "psnr_loss": loss, "psnr_views": split}


def _add(quality: ImageQuality, trained: TrainedScene, gaussians: Any, frame: Frame) -> None:
    observed = load_observation(frame)
    image = trained.rasterizer.render(gaussians, frame.camera).colour.cpu().clamp(0, 1)
    quality.update(image, observed.image.float() / 255, observed.mask)


def _notes(trained: TrainedScene, left_out: int) -> list[str]:
    notes = []
    if left_out:
        notes.append(f"{left_out} Gaussians that no view can show (opacity under 1/255) are left out")
    if trained.view_dependent_opacity:
        notes.append("opacity depends on the view in this run: the files hold its mean over the train views")
    return notes
