"""A CLIP that is made in no time, its weights random: open_clip's own code, few and narrow layers."""

from functools import cache

import numpy as np
import torch
from jaxtyping import UInt8

TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@cache
def pictures() -> tuple[UInt8[np.ndarray, "_ _ 3"], ...]:
    """Smooth ones, square and not, smaller and larger than what a model looks at."""
    generator = torch.Generator().manual_seed(3)
    made = []
    for height, width in ((70, 70), (224, 224), (300, 300), (31, 31), (120, 90), (1, 1), (64, 301)):
        coarse = torch.rand(1, 3, 6, 6, generator=generator)
        smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")[0]
        made.append((255 * smooth).round().byte().permute(1, 2, 0).contiguous().numpy())
    return tuple(made)
