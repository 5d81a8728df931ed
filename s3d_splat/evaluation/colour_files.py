"""Rendered images in folders against photographs, whole or inside masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.label_images import read_size
from s3d_splat.evaluation.scenes import ScenePair, scene_folders
from s3d_splat.io.images import check_image_file, read_colours
from s3d_splat.metrics.image import ImageQuality
from s3d_splat.metrics.perceptual import Net, PerceptualDistance, load_perceptual

_SUFFIXES = (".png", ".jpg", ".jpeg")
_MINIMUM_SIDE = 11  # pixels: the window of SSIM


def evaluate_images_files(pred: Path, truth: Path, masks: Path | None = None, net: Net = "alex") -> dict[str, Any]:
    """8-bit images against those of the same name (without extension) in another folder.

    Args:
        pred: folder of images, or a folder of such folders, one a scene.
        truth: the same.
        masks: folder of PNGs, laid out as the truth; only pixels that are not 0 count. None: all pixels count.
        net: the network of LPIPS.

    Returns:
        `psnr ssim lpips` over all images, `lpips_reason` where LPIPS cannot be measured, the number of `images`, the names
        of the `scenes`, a row for each in `per_scene`, and `per_image`.

    Raises:
        S3DError: an image is missing, unreadable, smaller than 11 x 11 pixels or of another size than the truth's.
    """
    perceptual = load_perceptual(net)
    measure = perceptual if isinstance(perceptual, PerceptualDistance) else None
    total = ImageQuality(measure)
    scenes: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    for scene in scene_folders(pred, truth, lambda folder: bool(_images(folder))):
        alone = ImageQuality(measure)
        mask_folder = None if masks is None else masks if scene.truth == truth else masks / scene.name
        rows = [_compared(alone, scene, name, path, mask_folder) for name, path in _true_images(scene).items()]
        total.merge(alone)
        scenes.append({"scene": scene.name, **alone.compute(), "images": len(rows)})
        images += rows
    result = {**total.compute(), "images": len(images), "scenes": [row["scene"] for row in scenes]}
    missing = {"lpips": None, "lpips_reason": perceptual} if measure is None else {}
    return {**missing, **result, "per_scene": scenes, "per_image": images}


def _compared(alone: ImageQuality, scene: ScenePair, name: str, path: Path, masks: Path | None) -> dict[str, Any]:
    size = read_size(path)
    if min(size) < _MINIMUM_SIDE:
        raise S3DError(f"{path} is {size[0]}x{size[1]}", why="SSIM has a window of 11 x 11 pixels", fix="use larger images")
    rendered = _colours(_images(scene.prediction)[name], size)
    mask = None if masks is None else _mask(masks / f"{name}.png", size)
    return {"scene": scene.name, "name": name, **alone.update(rendered, _colours(path, size), mask)}


def _true_images(scene: ScenePair) -> dict[str, Path]:
    true, predicted = _images(scene.truth), _images(scene.prediction)
    if not true:
        raise S3DError(f"{scene.truth} holds no image", why="there is nothing to compare with", fix="name the right folder")
    missing = [name for name in true if name not in predicted]
    if missing:
        raise S3DError(
            f"{scene.prediction} lacks {missing[0]}.png ({len(missing)} images are missing)",
            why="every image of the truth is compared",
            fix="render the missing images, or take them out of the truth",
        )
    return true


def _images(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in _SUFFIXES}


def _colours(path: Path, size: tuple[int, int]) -> Float[Tensor, "h w 3"]:
    check_image_file(path, "image", *size, where=path.name)
    return torch.from_numpy(read_colours(path, where=path.name)).float() / 255


def _mask(path: Path, size: tuple[int, int]) -> Bool[Tensor, "h w"]:
    if not path.is_file():
        raise S3DError(
            f"{path} does not exist", why="with --masks every image has one", fix="write it, or leave --masks out"
        )
    own = read_size(path)
    if own != size:
        raise S3DError(
            f"{path} is {own[0]}x{own[1]}, its image {size[0]}x{size[1]}", why="a mask covers its image", fix="resize it"
        )
    try:
        with Image.open(path) as image:
            pixels = np.array(image)
    except (OSError, Image.DecompressionBombError) as error:
        raise S3DError(f"{path} cannot be read", why=str(error), fix="write the file again") from error
    if pixels.ndim != 2:
        raise S3DError(f"{path} has colours", why="a mask has one number a pixel, 0 outside", fix="write it in grey")
    return torch.from_numpy(pixels != 0)
