"""Images for nerfstudio's viewer and evaluation, read as training reads them. Training itself asks nothing of this."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Shaped, UInt8
from nerfstudio.data.datamanagers.full_images_datamanager import FullImageDatamanager
from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs
from nerfstudio.data.datasets.base_dataset import InputDataset
from PIL import Image

from nerfstudio_plugin.cameras import to_nerfstudio
from nerfstudio_plugin.config import SceneDataManagerConfig
from nerfstudio_plugin.dataparser import SceneDataParser
from nerfstudio_plugin.dataparser_config import SceneDataParserConfig
from s3d_splat.errors import S3DError
from s3d_splat.io.observations import load_mask, load_observation
from s3d_splat.types import Frame, Scene


class SceneDataset(InputDataset):
    """The images of some frames, undistorted as training sees them."""

    def __init__(self, dataparser_outputs: DataparserOutputs, scale_factor: float = 1.0) -> None:
        self.frames: tuple[Frame, ...] = dataparser_outputs.metadata["frames"]
        cameras = to_nerfstudio([frame.camera for frame in self.frames])
        super().__init__(dataclasses.replace(dataparser_outputs, cameras=cameras), scale_factor)

    def get_numpy_image(self, image_idx: int) -> UInt8[np.ndarray, "h w 3"]:
        """The colours of one frame, at the data set's scale."""
        return self._scaled(load_observation(self.frames[image_idx]).image.numpy(), Image.Resampling.BILINEAR)

    def get_metadata(self, data: dict[str, Any]) -> dict[str, Bool[torch.Tensor, "h w 1"]]:
        """The mask of one frame (`mask`, False = ignore), at the data set's scale; nothing for frames without."""
        mask = load_mask(self.frames[data["image_idx"]])
        if mask is None:
            return {}
        scaled = self._scaled(mask.numpy().astype(np.uint8), Image.Resampling.NEAREST)
        return {"mask": torch.from_numpy(scaled > 0)[..., None]}

    def _scaled(self, pixels: Shaped[np.ndarray, "h w *c"], sampling: Image.Resampling) -> Shaped[np.ndarray, "H W *c"]:
        if self.scale_factor == 1.0:
            return pixels
        height, width = (int(size * self.scale_factor) for size in pixels.shape[:2])
        return np.asarray(Image.fromarray(pixels).resize((width, height), sampling))


class SceneDataManager(FullImageDatamanager[SceneDataset]):
    """nerfstudio's manager of whole images, without what would read every train image a second time."""

    dataparser: SceneDataParser

    def __init__(self, config: SceneDataManagerConfig, **kwargs: Any) -> None:
        if not isinstance(config.dataparser, SceneDataParserConfig):
            raise S3DError(
                "another data parser was chosen",
                why="this method trains scene folders, whose masks and classes only s3d-splat-scene reads",
                fix="leave the data parser away, and make a scene folder of other data with s3d-splat prepare",
            )
        super().__init__(config, **kwargs)

    @property
    def scene(self) -> Scene:
        """The scene folder that the images come from."""
        return self.dataparser.scene

    def get_train_rays_per_batch(self) -> int:
        """Pixels of a train image, for nerfstudio's figure of speed."""
        cameras = self.train_dataset.cameras
        return int(cameras.width[0]) * int(cameras.height[0])

    def get_eval_rays_per_batch(self) -> int:
        """Pixels of a test image."""
        cameras = self.eval_dataset.cameras
        return int(cameras.width[0]) * int(cameras.height[0])

    def _load_images(self, split: Literal["train", "eval"], cache_images_device: Literal["cpu", "gpu"]) -> list[Any]:
        # "gpu" means the model's device; "cpu" pins memory, which needs CUDA.
        return super()._load_images(split, cache_images_device if torch.cuda.is_available() else "gpu")
