"""SAM's memory of objects in a video whose frames come one at a time, cut to the frames that it still looks at.

Source: N. Ravi et al., "SAM 2: Segment anything in images and videos", ICLR 2025 (transformers).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import interpolate


class Tracker:
    """Objects with ids, shown in one frame as masks and found again in the frames after it.

    The library's session keeps every frame and every mask in full size; here whatever no later frame asks for is dropped.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        """`Sam2VideoModel` or `Sam3TrackerVideoModel` of transformers with its processor; nothing is followed yet."""
        self._model, self._processor = model, processor
        self._session = processor.init_video_session(inference_device=model.device, dtype=model.dtype)
        self._side = model.prompt_encoder.mask_input_size  # of the masks that come back
        self._step = -1
        self._pixels: Tensor | None = None
        self.logits: Float[Tensor, "n h w"] = torch.zeros(0, *self._side, device=model.device)

    @property
    def ids(self) -> list[int]:
        """Of the objects, in the order of `logits`."""
        return list(self._session.obj_ids)

    def see(self, pixels: Float[Tensor, "1 3 s s"]) -> None:
        """The next frame, prepared; afterwards `logits` tell where the objects are in it."""
        self._step += 1
        self._pixels = pixels
        if self._session.get_obj_num():
            self._run()

    def add(self, ids: Sequence[int], masks: Bool[Tensor, "n a b"]) -> None:
        """New objects in the frame that was seen last; their masks may have any size."""
        if not ids:
            return
        self._processor.add_inputs_to_inference_session(
            self._session, frame_idx=self._step, obj_ids=list(ids), input_masks=list(masks)
        )
        self._run()

    def _run(self) -> None:
        answer = self._model(inference_session=self._session, frame=self._pixels, frame_idx=self._step)
        self.logits = answer.pred_masks[:, 0].float()
        self._forget()

    def _forget(self) -> None:
        """Drop what is not looked at again: older frames, older memories, and masks in full size."""
        spatial = self._step - self._model.config.num_maskmem
        pointers = self._step - self._model.config.max_object_pointers_in_encoder
        for outputs in self._session.output_dict_per_obj.values():
            for kind, frames in outputs.items():
                for step in [step for step in frames if kind == "non_cond_frame_outputs" and step < pointers]:
                    del frames[step]
                for step, stored in frames.items():
                    stored.pop("high_res_masks", None)
                    if kind == "non_cond_frame_outputs" and step < spatial:
                        frames[step] = {"object_pointer": stored["object_pointer"]}
        for inputs in (*self._session.mask_inputs_per_obj.values(), self._session.processed_frames):
            for step in [step for step in inputs if step < self._step]:
                del inputs[step]


def painted(logits: Float[Tensor, "n a b"], ids: Sequence[int], height: int, width: int) -> Int[Tensor, "h w"]:
    """Ids at the size of an image, on the CPU: each pixel takes the mask with the highest positive logit, 0 without one."""
    best = torch.zeros(height, width, device=logits.device)
    labels = torch.zeros(height, width, dtype=torch.int32, device=logits.device)
    for number, logit in zip(ids, logits, strict=True):
        large = interpolate(logit[None, None], (height, width), mode="bilinear", align_corners=False)[0, 0]
        labels = torch.where(large > best, number, labels)
        best = torch.maximum(best, large)
    return labels.int().cpu()


def masks_of(labels: Int[Tensor, "h w"], ids: Sequence[int]) -> Bool[Tensor, "n h w"]:
    """Where each of the ids is."""
    return labels[None] == torch.tensor(ids, dtype=labels.dtype, device=labels.device)[:, None, None]
