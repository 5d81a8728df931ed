"""The trained scene as nerfstudio's model: it renders, for viewer, evaluation and videos; it learns in the session."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.data.scene_box import OrientedBox
from nerfstudio.models.base_model import Model
from torch import Tensor, nn

from nerfstudio_plugin.cameras import from_nerfstudio
from nerfstudio_plugin.config import SplatModelConfig
from s3d_splat.errors import S3DError
from s3d_splat.metrics.image import ImageQuality
from s3d_splat.panoptic.features import feature_basis, feature_picture
from s3d_splat.panoptic.palette import instance_picture, panoptic_picture
from s3d_splat.panoptic.render import render_panoptic
from s3d_splat.query.heat import relevancy_image
from s3d_splat.query.search import Answer
from s3d_splat.raster.registry import make_rasterizer
from s3d_splat.scaffold.field import AnchorField, field_from_state
from s3d_splat.training.losses import image_loss
from s3d_splat.types import Camera, Gaussians, InstanceSet

Outputs = dict[str, Tensor]
Batch = dict[str, Any]


class SplatModel(Model):
    """Field, rasterizer and, once they were found, instances. While training, the field is the session's own."""

    config: SplatModelConfig
    field: AnchorField | None
    instances: InstanceSet | None
    answer: Answer | None  # to the question that was asked last

    def populate_modules(self) -> None:
        """A model without a field; the session or a checkpoint brings it."""
        super().populate_modules()
        self.rasterizer = make_rasterizer(self.config.raster)
        self.field = None
        self.instances = None
        self.answer = None

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Take over a trained field, with as many anchors as it has."""
        field = {key.removeprefix("field."): value for key, value in state_dict.items() if key.startswith("field.")}
        self.field = field_from_state(field, self.config.scaffold).to(self.rasterizer.device)
        return super().load_state_dict(state_dict, strict, assign)

    def get_param_groups(self) -> dict[str, list[nn.Parameter]]:
        """None: the session has its own optimiser."""
        return {}

    def forward(self, ray_bundle: Any) -> dict[str, Tensor | list[Any]]:
        """Everything that is rendered from a camera."""
        return self.get_outputs(ray_bundle)

    def get_outputs(self, ray_bundle: Any) -> dict[str, Tensor | list[Any]]:
        """As `get_outputs_for_camera`; the name and the argument's are nerfstudio's."""
        return dict(self.get_outputs_for_camera(ray_bundle))

    @torch.no_grad()
    def get_outputs_for_camera(self, camera: Cameras, obb_box: OrientedBox | None = None) -> Outputs:
        """Images from one camera, each [h, w, 1 or 3], in 0..1 but for depth (metres along z) and ids.

        `rgb`, `depth`, `accumulation`, `features` (their three main directions as colours) and `relevancy` (of each pixel's
        object to the question that was asked last; 0 without one) are always there; `panoptic`, `instances` and the ids
        behind them, `instance_ids` and `class_ids`, once the instances were found.

        Args:
            camera: one pinhole camera.
            obb_box: what lies outside is left out.

        Raises:
            S3DError: nothing was trained or loaded yet, or the camera has a lens that cannot be rendered.
        """
        view = from_nerfstudio(camera.to(self.rasterizer.device))
        gaussians = self._gaussians(view, obb_box)
        output = self.rasterizer.render(gaussians, view)
        outputs = {
            "rgb": output.colour.clamp(0, 1),
            "depth": output.depth[..., None],
            "accumulation": output.alpha[..., None],
            "relevancy": torch.zeros_like(output.depth)[..., None],
        }
        if self.instances is not None:
            child = self.instances.child_instance.reshape(-1).to(self.rasterizer.device)
            panoptic = render_panoptic(gaussians, child, self.instances, self.rasterizer, view)
            outputs |= {
                "panoptic": panoptic_picture(panoptic, output.colour),
                "instances": instance_picture(panoptic.instances),
                "instance_ids": panoptic.instances[..., None].float(),
                "class_ids": panoptic.semantics[..., None].float(),
            }
            if self.answer is not None:
                outputs["relevancy"] = relevancy_image(panoptic.instances, self.answer)[..., None]
        if self.field is not None and output.features is not None and output.features.shape[2] >= 3:
            outputs["features"] = feature_picture(output.features, feature_basis(self.field.feature.flatten(0, -2)))
        return {name: image.to(self.device) for name, image in outputs.items()}

    def get_rgba_image(self, outputs: Outputs, output_name: str = "rgb") -> Float[Tensor, "h w 4"]:
        """Colour with its opacity as a fourth channel."""
        alpha = outputs["accumulation"]
        return torch.cat([outputs[output_name] / alpha.clamp(min=1e-10), alpha], dim=-1).clamp(0, 1)

    def get_loss_dict(self, outputs: Outputs, batch: Batch, metrics_dict: Any = None) -> dict[str, Tensor]:
        """The image loss that training has, on one evaluation image."""
        truth = batch["image"][..., :3].to(outputs["rgb"])
        return {"image": image_loss(outputs["rgb"], truth, self.config.training.weights.dssim, _mask(batch, outputs))}

    def get_image_metrics_and_images(self, outputs: Outputs, batch: Batch) -> tuple[dict[str, float], Outputs]:
        """PSNR and SSIM of the pixels that count, and pictures: beside the photograph, and what the model sees in it."""
        truth = batch["image"][..., :3].to(outputs["rgb"])
        images = {"img": torch.cat([truth, outputs["rgb"]], dim=1)}
        images |= {name: outputs[name] for name in ("panoptic", "instances", "features") if name in outputs}
        quality = ImageQuality().update(outputs["rgb"], truth, _mask(batch, outputs))
        return {name: value for name, value in quality.items() if value is not None}, images

    def _gaussians(self, camera: Camera, box: OrientedBox | None) -> Gaussians:
        if self.field is None:
            raise S3DError(
                "the model is empty",
                why="nothing was trained or loaded yet",
                fix="load a checkpoint of scale3d-splat, or start the training",
            )
        gaussians = self.field.decode(camera)
        if box is None:
            return gaussians
        inside = box.within(gaussians.means)
        return dataclasses.replace(gaussians, opacities=gaussians.opacities * inside)


def _mask(batch: Batch, outputs: Outputs) -> Bool[Tensor, "h w"] | None:
    """The pixels of a batch that count; None if all do."""
    return batch["mask"][..., 0].to(outputs["rgb"].device) if "mask" in batch else None
