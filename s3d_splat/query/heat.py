"""An answer as a picture: how much every pixel of a view is what was asked for."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.query.search import Answer


def relevancy_image(instances: Int[Tensor, "h w"], answer: Answer) -> Float[Tensor, "h w"]:
    """Per pixel the score of the object there, 0..1; 0 where the view shows none (id 0), or one that is no hit."""
    shown, place = instances.long().unique(return_inverse=True)
    scores = {hit.id: hit.score for hit in answer.hits}
    return torch.tensor([scores.get(id, 0.0) for id in shown.tolist()], device=instances.device)[place]
