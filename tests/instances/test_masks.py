"""Canonical numbers of masks."""

import torch

from s3d_splat.instances.masks import canonical_masks


def test_masks_are_numbered_as_a_raster_scan_meets_them() -> None:
    masks, ids = canonical_masks(torch.tensor([[0, 9, 9], [4, 4, 9], [0, 7, 4]], dtype=torch.int32))
    assert masks.tolist() == [[0, 1, 1], [2, 2, 1], [0, 3, 2]]
    assert masks.dtype == torch.int32
    assert ids.tolist() == [9, 4, 7]


def test_other_ids_give_the_same_masks() -> None:
    labels = torch.randint(0, 20, (30, 40), generator=torch.Generator().manual_seed(0), dtype=torch.int32)
    renamed = torch.randperm(60_000, generator=torch.Generator().manual_seed(1))[:20].int() + 1
    renamed[0] = 0
    masks, ids = canonical_masks(labels)
    other_masks, other_ids = canonical_masks(renamed[labels.long()])
    assert torch.equal(masks, other_masks)
    assert torch.equal(renamed[ids].long(), other_ids)


def test_an_image_without_masks_has_none() -> None:
    masks, ids = canonical_masks(torch.zeros(2, 2, dtype=torch.int32))
    assert masks.tolist() == [[0, 0], [0, 0]]
    assert len(ids) == 0
