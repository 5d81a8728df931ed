"""Everything in a video as objects: proposals in key frames, followed forwards, and backwards to the key frame before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from s3d_splat.priors.masks.felzenszwalb import SEGMENT
from s3d_splat.priors.masks.options import ProposalOptions, TrackOptions
from s3d_splat.priors.masks.tracking.chunks import LAST_ID, Found
from s3d_splat.priors.masks.tracking.models import SegmentAnything
from s3d_splat.priors.masks.tracking.proposals import choose, propose
from s3d_splat.priors.masks.tracking.tracker import Tracker, masks_of, painted, prepared


@dataclass
class _Waiting:
    """A frame since the last key frame; objects of the next one may still be found in it."""

    image: UInt8[Tensor, "h w 3"]
    labels: Int[Tensor, "h w"]


class AutomaticFollower:
    """Follows what the proposals show; nothing is known of what it is."""

    def __init__(self, models: SegmentAnything, proposals: ProposalOptions, options: TrackOptions) -> None:
        self._models, self._proposals, self._options = models, proposals, options
        self.found: dict[int, Found] = {}

    def follow(
        self, images: Iterable[UInt8[Tensor, "h w 3"]], seed: Int[Tensor, "h w"] | None, next_id: int
    ) -> Iterator[Int[Tensor, "h w"]]:
        """See `Follower`."""
        tracker = Tracker(self._models.video, self._models.processor)
        waiting: list[_Waiting] = []
        for step, image in enumerate(images):
            pixels = self._prepared(image)
            tracker.see(pixels)
            if step == 0 and seed is not None:
                ids = [number for number in seed.unique().tolist() if number]
                tracker.add(ids, masks_of(seed, ids).to(pixels.device))
            is_key = step % self._options.every == 0
            if is_key:
                next_id = self._discover(tracker, pixels, waiting, next_id)
                yield from (frame.labels for frame in waiting)
                waiting = []
            labels = painted(tracker.logits, tracker.ids, *image.shape[:2])
            if is_key:
                yield labels
            else:
                waiting.append(_Waiting(image, labels))
        yield from (frame.labels for frame in waiting)

    def _discover(self, tracker: Tracker, pixels: Tensor, waiting: list[_Waiting], next_id: int) -> int:
        """Add what no object covers to the tracker, and find it in the frames that wait; the next free id."""
        room = min(self._options.objects - len(tracker.ids), LAST_ID + 1 - next_id)
        if room <= 0:
            return next_id
        proposals = propose(self._models.image, pixels, self._proposals)
        logits, score = choose(proposals, (tracker.logits > 0).any(dim=0), room, self._proposals)
        if not len(logits):
            return next_id
        ids = list(range(next_id, next_id + len(logits)))
        self.found |= {number: Found(SEGMENT, value) for number, value in zip(ids, score.tolist(), strict=True)}
        masks = interpolate(logits[None], pixels.shape[-2:], mode="bilinear", align_corners=False)[0] > 0
        tracker.add(ids, masks)
        if waiting:
            self._look_back(ids, masks, pixels, waiting)
        return next_id + len(ids)

    def _look_back(self, ids: list[int], masks: Tensor, pixels: Tensor, waiting: list[_Waiting]) -> None:
        tracker = Tracker(self._models.video, self._models.processor)
        tracker.see(pixels)
        tracker.add(ids, masks)
        for frame in reversed(waiting):
            tracker.see(self._prepared(frame.image))
            earlier = painted(tracker.logits, ids, *frame.image.shape[:2])
            frame.labels = torch.where(frame.labels > 0, frame.labels, earlier)

    def _prepared(self, image: UInt8[Tensor, "h w 3"]) -> Float[Tensor, "1 3 s s"]:
        return prepared(image, self._models.processor, self._models.video)
