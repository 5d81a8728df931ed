"""SAM's memory of objects in a video whose frames come one at a time, cut to the frames that it still looks at.

Source: N. Ravi et al., "SAM 2: Segment anything in images and videos", ICLR 2025 (transformers).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, UInt8
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
        forget(self._session, self._step, self._model.config)


def forget(session: Any, step: int, config: Any) -> None:
    """Drop from a session what is not looked at after a step: older frames, older memories, and masks in full size.

    Args:
        config: of the tracker: how many frames it looks back.
    """
    spatial, pointers = step - config.num_maskmem, step - config.max_object_pointers_in_encoder
    for outputs in session.output_dict_per_obj.values():
        for stored in (*outputs["cond_frame_outputs"].values(), *outputs["non_cond_frame_outputs"].values()):
            stored.pop("high_res_masks", None)
        frames = outputs["non_cond_frame_outputs"]
        for earlier in [earlier for earlier in frames if earlier < pointers]:
            del frames[earlier]
        for earlier in [earlier for earlier in frames if earlier < spatial]:
            frames[earlier] = {"object_pointer": frames[earlier]["object_pointer"]}
    for masks in session.mask_inputs_per_obj.values():
        for earlier in [earlier for earlier in masks if earlier < step]:
            del masks[earlier]
    for earlier in [earlier for earlier in session.processed_frames if earlier < step]:
        session.processed_frames[earlier] = torch.empty(0)  # the library counts them


def prepared(image: UInt8[Tensor, "h w 3"], processor: Any, model: Any) -> Float[Tensor, "1 3 s s"]:
    """A picture as a model takes it, on its device."""
    inputs = processor(images=image.permute(2, 0, 1), device=model.device, return_tensors="pt")
    return inputs["pixel_values"].to(model.dtype)


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
