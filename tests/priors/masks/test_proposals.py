"""Which of many overlapping masks become objects."""

from dataclasses import replace

import torch
from torch import Tensor

from s3d_splat.priors.masks.options import ProposalOptions
from s3d_splat.priors.masks.tracking.proposals import Proposals, choose, suppressed

OPTIONS = ProposalOptions(smallest=0.0)
FREE = torch.zeros(10, 10, dtype=torch.bool)


def rows(*spans: tuple[int, int]) -> Tensor:
    """Masks of full rows from first to last, without the last."""
    masks = torch.zeros(len(spans), 10, 10, dtype=torch.bool)
    for mask, (first, last) in zip(masks, spans, strict=True):
        mask[first:last] = True
    return masks


def proposals(masks: Tensor, *score: float) -> Proposals:
    return Proposals(masks.float() - 0.5, torch.tensor(score))


def chosen(made: Proposals, taken: Tensor = FREE, room: int = 10, options: ProposalOptions = OPTIONS) -> list[int]:
    """First rows of the masks that were chosen."""
    logits, score = choose(made, taken, room, options)
    assert len(logits) == len(score)
    return [int((logit > 0).any(dim=1).nonzero()[0]) for logit in logits]


def test_of_masks_that_show_the_same_the_best_remains():
    masks = rows((0, 8), (0, 9), (4, 8), (5, 9))  # IoU 8/9, 4/8, 3/9; of the last two 3/5
    assert suppressed(masks, torch.tensor([0.8, 0.9, 0.7, 0.6])).tolist() == [1, 2, 3]
    assert suppressed(masks, torch.tensor([0.9, 0.8, 0.7, 0.6])).tolist() == [0, 2, 3]
    assert suppressed(masks[:0], torch.zeros(0)).tolist() == []


def test_a_part_is_left_to_the_whole_unless_parts_are_wanted():
    made = proposals(rows((0, 6), (1, 3), (3, 5)), 0.9, 0.9, 0.9)
    assert chosen(made) == [0]
    assert chosen(made, options=replace(OPTIONS, parts=True)) == [1, 3]  # they leave a third of the whole
    assert chosen(proposals(rows((0, 8), (1, 3)), 0.9, 0.9), options=replace(OPTIONS, parts=True)) == [1, 0]


def test_what_is_taken_is_no_new_object():
    made = proposals(rows((0, 4), (4, 8)), 0.9, 0.9)
    assert chosen(made, taken=rows((0, 3))[0]) == [4]
    assert chosen(made, taken=rows((0, 2))[0]) == [0, 4]
    assert chosen(made, taken=rows((0, 10))[0]) == []


def test_no_more_than_there_is_room_for_and_nothing_tiny():
    made = proposals(rows((0, 4), (4, 7), (7, 8)), 0.9, 0.9, 0.9)
    assert chosen(made, room=2) == [0, 4]
    assert chosen(made, room=0) == []
    assert chosen(made, options=replace(OPTIONS, smallest=0.11)) == [0, 4]
