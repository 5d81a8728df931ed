"""Masks of chosen objects as COCO has them."""

import numpy as np
from pycocotools import mask as coco

from s3d_splat.export.coco_masks import CocoMasks


def test_an_annotation_for_each_object_that_a_view_shows() -> None:
    first = np.array([[3, 3, 0], [0, 3, 7]])
    second = np.array([[7, 7, 7], [0, 0, 0]])
    masks = CocoMasks([3, 7])
    masks.add("a.png", first)
    masks.add("b.png", second)
    found = masks.as_dict()
    assert found["images"] == [
        {"id": 1, "file_name": "a.png", "width": 3, "height": 2},
        {"id": 2, "file_name": "b.png", "width": 3, "height": 2},
    ]
    assert found["categories"] == [{"id": 3, "name": "instance 3"}, {"id": 7, "name": "instance 7"}]
    shown = [
        (entry["id"], entry["image_id"], entry["category_id"], entry["area"], entry["bbox"])
        for entry in found["annotations"]
    ]
    assert shown == [(1, 1, 3, 3, [0, 0, 2, 2]), (2, 1, 7, 1, [2, 1, 1, 1]), (3, 2, 7, 3, [0, 0, 3, 1])]
    for entry, expected in zip(found["annotations"], (first == 3, first == 7, second == 7), strict=True):
        assert (coco.decode(entry["segmentation"]) == expected).all()


def test_nothing_shown() -> None:
    masks = CocoMasks([1])
    masks.add("a.png", np.zeros((2, 2), dtype=int))
    assert masks.as_dict()["annotations"] == []
