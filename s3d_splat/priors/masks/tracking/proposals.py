"""Masks of everything in one image, without being told what is there: a grid of points is asked what lies under each.

Source: A. Kirillov et al., "Segment anything", ICCV 2023, section on automatic masks (predicted IoU, stability).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from s3d_splat.priors.masks.options import ProposalOptions

_STABILITY_STEP = 1.0  # of the logit: a mask that changes much within it has no clear border
_SAME = 0.7  # IoU of two masks that show one thing


@dataclass(frozen=True)
class Proposals:
    """Masks of one image, on the model's own small grid."""

    logits: Float[Tensor, "n h w"]  # inside where positive
    score: Float[Tensor, " n"]  # IoU with the truth, as the model guesses it


def propose(model: Any, pixels: Float[Tensor, "1 3 s s"], options: ProposalOptions) -> Proposals:
    """What a SAM for single images sees under a grid of points, less what is unsure, blurred or tiny; duplicates are in.

    Args:
        model: `Sam2Model` or `Sam3TrackerModel` of transformers.
        pixels: prepared by the processor of the model; points are asked in pixels of this square.
    """
    embeddings = model.get_image_embeddings(pixels)
    kept = [_ask(model, embeddings, block, options) for block in _grid(options.points, pixels).split(options.batch)]
    return Proposals(torch.cat([part.logits for part in kept]), torch.cat([part.score for part in kept]))


def choose(
    proposals: Proposals, taken: Bool[Tensor, "h w"], room: int, options: ProposalOptions
) -> tuple[Float[Tensor, "m h w"], Float[Tensor, " m"]]:
    """The masks that become objects, and their scores: each thing once, and nothing that is mostly taken.

    Large ones come first, so that a part within a whole is left to the whole; with `options.parts` small ones do, and a
    whole remains where its parts leave half of it.

    Args:
        taken: what is covered already.
        room: how many may be chosen.
    """
    masks = proposals.logits > 0
    kept = suppressed(masks, proposals.score)
    area = masks[kept].sum(dim=(1, 2))
    order = kept[torch.argsort(area, descending=not options.parts, stable=True)]
    covered = taken.clone()
    chosen: list[int] = []
    for index in order.tolist():
        if len(chosen) == room:
            break
        mask = masks[index]
        fresh = mask & ~covered
        if int(fresh.sum()) >= max(1.0, options.uncovered * int(mask.sum()), options.smallest * mask.numel()):
            chosen.append(index)
            covered |= mask
    return proposals.logits[chosen], proposals.score[chosen]


def suppressed(masks: Bool[Tensor, "n h w"], score: Float[Tensor, " n"]) -> Int[Tensor, " m"]:
    """The numbers of the masks that remain, best first, when each removes those of lower score that show the same."""
    flat = masks.flatten(1).float()
    area = flat.sum(dim=1)
    remaining: list[int] = []
    for index in torch.argsort(score, descending=True, stable=True).tolist():
        common = flat[remaining] @ flat[index]
        if not bool((common > _SAME * (area[remaining] + area[index] - common)).any()):
            remaining.append(index)
    return torch.tensor(remaining, dtype=torch.int64, device=masks.device)


def _grid(points: int, pixels: Float[Tensor, "1 3 s s"]) -> Float[Tensor, "n 2"]:
    """The centres of `points` x `points` squares that fill the image, x before y."""
    centres = (torch.arange(points, device=pixels.device) + 0.5) / points * pixels.shape[-1]
    return torch.cartesian_prod(centres, centres).flip(1)


@torch.inference_mode()
def _ask(model: Any, embeddings: list[Tensor], points: Float[Tensor, "n 2"], options: ProposalOptions) -> Proposals:
    answer = model(
        input_points=points[None, :, None],
        input_labels=torch.ones(1, len(points), 1, dtype=torch.int64, device=points.device),
        image_embeddings=embeddings,
        multimask_output=True,
    )
    logits, score = answer.pred_masks.flatten(0, 2).float(), answer.iou_scores.flatten().float()
    inner, outer = ((logits > step).sum(dim=(1, 2)) for step in (_STABILITY_STEP, -_STABILITY_STEP))
    area = (logits > 0).sum(dim=(1, 2))
    is_sound = (
        (score >= options.quality) & (inner >= options.stability * outer) & (area >= options.smallest * logits[0].numel())
    )
    return Proposals(logits[is_sound], score[is_sound])
