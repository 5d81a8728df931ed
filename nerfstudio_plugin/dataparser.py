"""Our scene folder as nerfstudio's data: the world's coordinates, the split and the lenses are the scene's own."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import torch
from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataparserOutputs
from nerfstudio.data.scene_box import SceneBox

from nerfstudio_plugin.cameras import stored_cameras
from nerfstudio_plugin.dataparser_config import SceneDataParserConfig
from s3d_splat.errors import S3DError
from s3d_splat.io.scene import frames_of, load_scene
from s3d_splat.types import Scene


class SceneDataParser(DataParser):
    """Hands out the frames of a scene. Their `Frame` values travel as metadata to our data set, which undistorts as training
    does; other methods get the stored images and cameras."""

    config: SceneDataParserConfig

    @cached_property
    def scene(self) -> Scene:
        """The scene folder, read and checked once.

        Raises:
            S3DError: no scene was given, or it is damaged.
        """
        if self.config.data == Path():
            raise S3DError("no scene was given", why="this method trains a scene folder", fix="add --data SCENE")
        return load_scene(self.config.data)

    def _generate_dataparser_outputs(self, split: str = "train", **_: object) -> DataparserOutputs:
        """`split` is nerfstudio's: train, val or test; a scene's test frames serve as val too."""
        frames = frames_of(self.scene, "train" if split == "train" else "test")
        points = self.scene.proxy.points
        masks = [frame.mask_path for frame in frames if frame.mask_path is not None]
        return DataparserOutputs(
            image_filenames=[frame.image_path for frame in frames],
            cameras=stored_cameras(frames),
            mask_filenames=masks if masks and len(masks) == len(frames) else None,
            scene_box=SceneBox(aabb=torch.stack([points.amin(0), points.amax(0)]).float()),
            metadata={"frames": frames},
        )
