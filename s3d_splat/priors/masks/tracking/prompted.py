"""What words name, in a video: SAM 3 detects it in every frame, and gives each object an id."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from s3d_splat.priors.masks.options import TrackOptions
from s3d_splat.priors.masks.stuff import is_stuff
from s3d_splat.priors.masks.tracking.chunks import LAST_ID, Found
from s3d_splat.priors.masks.tracking.tracker import forget, painted, prepared
from s3d_splat.types import ClassInfo

_SAME = 0.5  # IoU of an object and one of the chunk before, in the frame that both chunks have


@dataclass(frozen=True)
class _Answer:
    """What the model said of a frame; objects that it takes back a little later are still in it."""

    logits: dict[int, Tensor]  # by the session's id
    score: dict[int, float]
    height: int
    width: int


def classes_of(prompts: Sequence[str]) -> dict[str, ClassInfo]:
    """A class for each prompt, numbered from 1 in their order; the same prompt twice is one."""
    return {name: ClassInfo(number, name, not is_stuff(name)) for number, name in enumerate(dict.fromkeys(prompts), start=1)}


class PromptedFollower:
    """Follows what the prompts name."""

    def __init__(self, model: Any, processor: Any, prompts: Sequence[str], options: TrackOptions) -> None:
        """`Sam3VideoModel` of transformers with its processor."""
        self._model, self._processor = model, processor
        self._classes = classes_of(prompts)
        model.max_num_objects = options.objects
        self._numbers: dict[int, int] = {}  # our ids by those of the session
        self._class_of: dict[int, ClassInfo] = {}  # by the session's id
        self._next_id = 1
        self.found: dict[int, Found] = {}

    def follow(
        self, images: Iterable[UInt8[Tensor, "h w 3"]], seed: Int[Tensor, "h w"] | None, next_id: int
    ) -> Iterator[Int[Tensor, "h w"]]:
        """See `Follower`; some frames behind, for the model takes back what it has not seen again shortly after."""
        session = self._processor.init_video_session(inference_device=self._model.device, dtype=self._model.dtype)
        self._processor.add_text_prompt(session, list(self._classes))
        self._next_id = next_id
        waiting: deque[_Answer] = deque()
        for step, image in enumerate(images):
            waiting.append(self._answer(session, step, image))
            if len(waiting) > self._model.hotstart_delay:
                yield self._labels(session, waiting.popleft(), seed)
                seed = None
        while waiting:
            yield self._labels(session, waiting.popleft(), seed)
            seed = None

    def _answer(self, session: Any, step: int, image: UInt8[Tensor, "h w 3"]) -> _Answer:
        session.add_new_frame(prepared(image, self._processor, self._model), step)
        said = self._model(inference_session=session, frame_idx=step)
        session.hotstart_removed_obj_ids.update(said.removed_obj_ids)
        forget(session, step, self._model.tracker_model.config)
        for number, prompt in session.obj_id_to_prompt_id.items():
            self._class_of[number] = self._classes[session.prompts[prompt]]
        hidden = said.suppressed_obj_ids or set()
        logits = {number: mask for number, mask in said.obj_id_to_mask.items() if number not in hidden}
        return _Answer(logits, dict(said.obj_id_to_score), *image.shape[:2])

    def _labels(self, session: Any, answer: _Answer, seed: Tensor | None) -> Int[Tensor, "h w"]:
        """The answer in our ids, without what was taken back; what is where an object of `seed` is goes on with its id."""
        shown = [number for number in sorted(answer.logits) if number not in session.hotstart_removed_obj_ids]
        if not shown:
            return torch.zeros(answer.height, answer.width, dtype=torch.int32)
        logits = torch.cat([answer.logits[number].float() for number in shown])
        labels = painted(logits, range(1, len(shown) + 1), answer.height, answer.width)
        if seed is not None:
            self._numbers |= {shown[row - 1]: old for row, old in same(labels, seed).items()}
        table = torch.zeros(len(shown) + 1, dtype=torch.int32)
        for row, number in enumerate(shown, start=1):
            if number not in self._numbers and self._next_id <= LAST_ID:
                self._numbers[number] = self._next_id
                self.found[self._next_id] = Found(self._class_of[number], answer.score.get(number, 1.0))
                self._next_id += 1
            table[row] = self._numbers.get(number, 0)
        return table[labels.long()]


def same(labels: Int[Tensor, "h w"], others: Int[Tensor, "h w"]) -> dict[int, int]:
    """The ids of two partitions of one picture that show the same: IoU above a half, so that none has two partners."""
    pairs, counts = torch.stack([labels, others]).flatten(1).unique(dim=1, return_counts=True)
    area, other_area = (
        dict(zip(*map(Tensor.tolist, one.unique(return_counts=True)), strict=True)) for one in (labels, others)
    )
    return {
        one: other
        for one, other, common in zip(*pairs.tolist(), counts.tolist(), strict=True)
        if one and other and common > _SAME * (area[one] + other_area[other] - common)
    }
