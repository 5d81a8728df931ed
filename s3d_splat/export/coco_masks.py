"""Masks of chosen objects as COCO has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int


class CocoMasks:
    """COCO's dict of views, which are added one by one: an annotation for each chosen object that a view shows.

    A category is an instance id; masks are compressed RLE; `bbox` is x, y, width, height.
    """

    def __init__(self, ids: Sequence[int]) -> None:
        """Args: ids: of the chosen objects."""
        self.ids = tuple(int(id) for id in ids)
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def add(self, name: str, shown: Int[np.ndarray, "h w"]) -> None:
        """A view by its file name, with the id of each pixel."""
        number = len(self._images) + 1
        self._images.append({"id": number, "file_name": name, "width": shown.shape[1], "height": shown.shape[0]})
        for id in self.ids:
            if (shown == id).any():
                about = {"id": len(self._annotations) + 1, "image_id": number, "category_id": id, "iscrowd": 0}
                self._annotations.append(about | _mask(shown == id))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        categories = [{"id": id, "name": f"instance {id}"} for id in self.ids]
        return {"images": self._images, "annotations": self._annotations, "categories": categories}


def _mask(mask: np.ndarray) -> dict[str, Any]:
    from pycocotools import mask as coco

    encoded = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {
        "segmentation": {"size": list(encoded["size"]), "counts": encoded["counts"].decode("ascii")},
        "area": int(mask.sum()),
        "bbox": coco.toBbox(encoded).tolist(),
    }
