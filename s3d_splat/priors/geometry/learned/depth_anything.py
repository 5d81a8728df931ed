"""The network of Depth Anything 3, from the package depth-anything-3, with weights from a folder of tensors.

Only the package's model is imported, not what its own commands need besides (evo, open3d, xformers, moviepy, ...).

Source: H. Lin et al., "Depth Anything 3: Recovering the visual space from any views", 2025.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.priors.geometry.learned.prediction import Network, Prediction
from s3d_splat.priors.geometry.options import DepthAnything3Options
from s3d_splat.priors.weights import best_device, find_weights, require

PATCH = 14  # pixels: sides of prepared images are multiples of it
_FLAG = "--depth-anything3"
_INSTALL = "pip install --no-deps depth-anything-3 && pip install 's3d-splat[depth-anything]'"
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet's colours
_SPREAD = np.array([0.229, 0.224, 0.225], np.float32)
_LEFT_OUT = ("gs_head", "gs_adapter")  # heads for splats, which the larger models have


def prepared(image: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "3 h w"]:
    """Colours 0..1 as the network takes them."""
    return ((image - _MEAN) / _SPREAD).transpose(2, 0, 1)


def find_network(options: DepthAnything3Options, accepted: Sequence[str]) -> tuple[Path, str]:
    """The folder of weights, and the package's name for the network that they belong to.

    Raises:
        S3DError: the package is missing, the weights are not to be had or their licence was not accepted, or the network
            gives no cameras.
    """
    with warnings.catch_warnings():  # about a name that omegaconf gives up
        warnings.simplefilter("ignore")
        require("depth_anything_3.model.da3", ("DepthAnything3Net",), "--geometry depth_anything3", _INSTALL)
    from depth_anything_3.registry import MODEL_REGISTRY
    from depth_anything_3.utils.logger import logger

    logger.level = 0  # errors: it writes to standard output, where results belong
    folder = find_weights(options.model, options.weights, _FLAG, accepted)
    name = _preset(folder, options.model)
    if name not in MODEL_REGISTRY or name.startswith(("da3mono", "da3metric")):
        able = [known for known in sorted(MODEL_REGISTRY) if not known.startswith(("da3mono", "da3metric"))]
        raise S3DError(
            f"{folder} holds weights of {name or 'an unknown network'}",
            why=f"cameras and depth together come from: {', '.join(able)}",
            fix=f"name the weights as the hub does, {_FLAG}.model depth-anything/DA3-BASE, or take others",
        )
    return folder, name


def load_network(folder: Path, name: str) -> Network:
    """The network with its weights, on the GPU if there is one.

    Raises:
        S3DError: the weights are damaged, or those of another network.
    """
    from depth_anything_3.cfg import create_object, load_config
    from depth_anything_3.registry import MODEL_REGISTRY

    config = load_config(MODEL_REGISTRY[name])
    for part in (config, config.get("anyview", {})):
        for head in _LEFT_OUT:
            part.pop(head, None)
    network = create_object(config)
    try:
        missing = network.load_state_dict(_tensors(folder), strict=False).missing_keys
    except Exception as error:  # shapes that differ, or a file that safetensors cannot read
        raise _wrong(folder, name, str(error)) from error
    if missing:
        raise _wrong(folder, name, f"no weights for {missing[0]}")
    return DepthAnything(network.to(best_device()).eval())


class DepthAnything:
    """Runs the network on all images of a cluster at once; on a GPU in half precision, as its authors do."""

    def __init__(self, network: torch.nn.Module) -> None:
        self._network = network

    @torch.inference_mode()
    def __call__(self, images: Float32[np.ndarray, "n 3 h w"]) -> Prediction:
        """See `Network`.

        Raises:
            S3DError: so many images do not fit into the memory of the GPU.
        """
        device = next(self._network.parameters()).device
        half = torch.bfloat16 if device.type == "cpu" or torch.cuda.is_bf16_supported() else torch.float16
        with torch.autocast(device.type, dtype=half) if device.type == "cuda" else nullcontext():
            try:
                said = self._network(torch.from_numpy(images)[None].to(device), export_feat_layers=[])
            except torch.cuda.OutOfMemoryError as error:
                raise S3DError(
                    f"{len(images)} images at once do not fit into the memory of the GPU",
                    why="Depth Anything 3 sees all images of a cluster together",
                    fix=f"smaller clusters (--alignment.clusters.size {max(2, len(images) // 2)}), a smaller"
                    f" {_FLAG}.image-size, or a smaller model",
                ) from error
        return _prediction(
            {name: said[name][0].float().cpu() for name in ("depth", "depth_conf", "extrinsics", "intrinsics")}
        )


def _prediction(said: Mapping[str, Tensor]) -> Prediction:
    poses = np.tile(np.eye(4), (len(said["depth"]), 1, 1))
    poses[:, :3] = said["extrinsics"].double().numpy()[:, :3]
    left, _, right = np.linalg.svd(poses[:, :3, :3])
    poses[:, :3, :3] = left @ right  # the nearest rotation: single precision is not one
    sure = said["depth_conf"].numpy()  # from 1 up, without end
    return Prediction(
        depth=said["depth"].numpy(),
        confidence=(1 - 1 / np.maximum(sure, 1)).astype(np.float32),
        T_camera_cluster=poses,
        intrinsics=said["intrinsics"].double().numpy(),
    )


def _preset(folder: Path, model: str) -> str:
    """The package's name for the network: by the folder's config.json, else by the hub's name of the weights."""
    try:
        stated = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_name")
    except (OSError, ValueError, AttributeError):
        stated = None
    name = stated if isinstance(stated, str) else model.rpartition("/")[2].lower()
    return name.removesuffix("-1.1")


def _tensors(folder: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    tensors: dict[str, Any] = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors |= load_file(path)
    return {name.removeprefix("model."): value for name, value in tensors.items()}


def _wrong(folder: Path, name: str, reason: str) -> S3DError:
    line = next((line.strip() for line in reason.splitlines() if line.strip()), "")
    return S3DError(
        f"{folder} cannot be read as weights of {name}: {line[:300]}",
        why=f"{_FLAG}.model and {_FLAG}.weights must name weights of Depth Anything 3, with all their files",
        fix="download them again, or take others",
    )
