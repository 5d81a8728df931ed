"""LPIPS (R. Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018).

Measured with torchmetrics on the ImageNet weights of torchvision, where they lie in torch's own cache. They are never
downloaded here, and a file of that name with other content is never opened: weights are pickles.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

Net = Literal["alex", "vgg", "squeeze"]
_WEIGHTS = {"alex": "AlexNet_Weights", "vgg": "VGG16_Weights", "squeeze": "SqueezeNet1_1_Weights"}
_MINIMUM_SIDE = 32  # pixels; below it the deepest features of the networks have no extent


class PerceptualDistance:
    """LPIPS of two images. Make one with `load_perceptual`."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    @torch.no_grad()
    def distance(
        self, prediction: Float[Tensor, "h w 3"], truth: Float[Tensor, "h w 3"], mask: Bool[Tensor, "h w"] | None = None
    ) -> float | None:
        """LPIPS of images with values in 0..1 (0: the same), None for sides under 32 pixels.

        Args:
            mask: the pixels whose mean of the distance map is taken, after the prediction outside has been replaced by the
                truth; None: the distance of the whole images. Without any pixel the result is None.
        """
        if min(truth.shape[:2]) < _MINIMUM_SIDE or (mask is not None and not mask.any()):
            return None
        composed = prediction if mask is None else torch.where(mask[..., None], prediction, truth)
        pair = [image.clamp(0, 1).permute(2, 0, 1)[None] for image in (composed, truth)]
        setattr(self.net, "spatial", mask is not None)  # noqa: B010 - a plain attribute of torchmetrics' module
        value = self.net.to(truth.device)(*pair, normalize=True)
        return float(value if mask is None else value[0, 0][mask].mean())


def weights_file(net: Net) -> Path:
    """Where torch keeps the weights of a network once something has fetched them."""
    import torchvision

    url = getattr(torchvision.models, _WEIGHTS[net]).DEFAULT.url
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name


def load_perceptual(net: Net = "alex") -> PerceptualDistance | str:
    """LPIPS with one of the three networks of its authors, or in words why it cannot be measured."""
    path = weights_file(net)
    if not path.is_file():
        return f"LPIPS needs the weights {path}, which are not there and are not downloaded"
    if not is_genuine(path):
        return f"LPIPS needs the weights {path}, whose content is not what their name promises"
    from torchmetrics.image import LearnedPerceptualImagePatchSimilarity

    return PerceptualDistance(LearnedPerceptualImagePatchSimilarity(net_type=net, normalize=True).net)


def is_genuine(path: Path) -> bool:
    """Whether the SHA-256 of a file begins as its name says: `alexnet-owt-7be5be79.pth`."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return digest.startswith(path.stem.rpartition("-")[2])
