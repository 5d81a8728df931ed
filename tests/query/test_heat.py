"""An answer as a picture."""

import torch

from s3d_splat.query.heat import relevancy_image
from s3d_splat.query.search import Answer, Hit


def answer(**scores: float) -> Answer:
    """Of hits `i7=0.5`: the object 7 with the score 0.5."""
    hits = tuple(Hit(int(name[1:]), score, 0.3, score, {}) for name, score in scores.items())
    return Answer("something", hits, "")


def test_every_pixel_has_the_score_of_its_object():
    instances = torch.tensor([[0, 7, 7], [90000, 3, 0]], dtype=torch.int32)
    image = relevancy_image(instances, answer(i7=0.75, i90000=0.5, i4=1.0))
    assert torch.equal(image, torch.tensor([[0.0, 0.75, 0.75], [0.5, 0.0, 0.0]]))


def test_without_a_hit_it_is_zero():
    assert torch.equal(relevancy_image(torch.tensor([[1, 2]]), answer()), torch.zeros(1, 2))


def test_an_empty_view_has_an_empty_image():
    assert relevancy_image(torch.zeros(0, 4, dtype=torch.int32), answer(i1=1.0)).shape == (0, 4)
