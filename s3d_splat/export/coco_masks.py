"""Masks of chosen objects as COCO has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int


def coco_masks(views: Iterable[tuple[str, Int[np.ndarray, "h w"]]], ids: Sequence[int]) -> dict[str, Any]:
    """COCO's dict of views, each a file name and ids of pixels: an annotation for each object of `ids` that a view shows.

    A category is an instance id; masks are compressed RLE; `bbox` is x, y, width, height.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, shown) in enumerate(views, start=1):
        images.append({"id": number, "file_name": name, "width": shown.shape[1], "height": shown.shape[0]})
        for id in ids:
            if (shown == id).any():
                about = {"id": len(annotations) + 1, "image_id": number, "category_id": int(id), "iscrowd": 0}
                annotations.append(about | _mask(shown == id))
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": int(id), "name": f"instance {id}"} for id in ids],
    }


def _mask(mask: np.ndarray) -> dict[str, Any]:
    from pycocotools import mask as coco

    encoded = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {
        "segmentation": {"size": list(encoded["size"]), "counts": encoded["counts"].decode("ascii")},
        "area": int(mask.sum()),
        "bbox": coco.toBbox(encoded).tolist(),
    }
