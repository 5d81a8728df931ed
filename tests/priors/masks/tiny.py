"""Segmentation models that are made in no time, their weights random: transformers' own code, few and narrow layers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch

from s3d_splat.priors.masks.options import (
    EomtOptions,
    Mask2FormerOptions,
    ProposalOptions,
    Sam2Options,
    Sam3Options,
    TrackOptions,
)

SIDE = 128
CLASSES = {0: "chair", 1: "wall-brick", 2: "table", 3: "floor"}
# Random weights are sure of nothing, so that every mask must be good enough.
ANY = ProposalOptions(points=3, batch=4, quality=-1e9, stability=0.0, smallest=0.01, uncovered=0.3)
SHORT = TrackOptions(chunk=4, objects=5, every=2)


def sam2_options(**changes: object) -> Sam2Options:
    """Of the tiny SAM 2."""
    return Sam2Options(**({"weights": sam2_folder(), "propose": ANY, "track": SHORT} | changes))


def sam3_options(*prompts: str, **changes: object) -> Sam3Options:
    """Of the tiny SAM 3."""
    return Sam3Options(**({"prompts": prompts, "weights": sam3_folder(), "propose": ANY, "track": SHORT} | changes))


def mask2former_options() -> Mask2FormerOptions:
    """Of the tiny Mask2Former."""
    return Mask2FormerOptions(weights=mask2former_folder(), score=0.0)


def eomt_options() -> EomtOptions:
    """Of the tiny EoMT."""
    return EomtOptions(weights=eomt_folder(), score=0.0)


@cache
def mask2former_folder() -> Path:
    """A folder as the hub has it, with a Mask2Former for four classes."""
    from transformers import (
        Mask2FormerConfig,
        Mask2FormerForUniversalSegmentation,
        Mask2FormerImageProcessor,
        SwinConfig,
    )

    backbone = SwinConfig(
        image_size=64,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=32,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        dim_feedforward=32,
        num_queries=1,  # several random masks would leave none its own
        id2label=CLASSES,
    )
    return _saved(Mask2FormerForUniversalSegmentation, config, Mask2FormerImageProcessor(size={"height": 64, "width": 64}))


@cache
def eomt_folder() -> Path:
    """A folder as the hub has it, with an EoMT for four classes."""
    from transformers import EomtConfig, EomtForUniversalSegmentation, EomtImageProcessor

    config = EomtConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=64,
        num_upscale_blocks=1,
        num_blocks=1,
        num_queries=1,  # several random masks would leave none its own
        id2label=CLASSES,
    )
    size = {"shortest_edge": 64, "longest_edge": 64}
    return _saved(EomtForUniversalSegmentation, config, EomtImageProcessor(size=size, do_pad=True))


def _saved(kind: Any, config: Any, processor: Any) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = kind(config)
    with torch.no_grad():
        model.class_predictor.bias[0] += 6  # there is a chair under every query
    folder = Path(mkdtemp(prefix="tiny-panoptic-"))
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@cache
def sam2_folder() -> Path:
    """A folder as the hub has it, with a video model of SAM 2 for pictures of 128 x 128."""
    from transformers import (
        Sam2HieraDetConfig,
        Sam2ImageProcessor,
        Sam2VideoConfig,
        Sam2VideoModel,
        Sam2VideoProcessor,
        Sam2VideoVideoProcessor,
        Sam2VisionConfig,
    )

    backbone = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[SIDE, SIDE],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 1, 1],
        window_size_per_stage=[4, 4, 4, 4],
        global_attention_blocks=[3],
        window_positional_embedding_background_size=[4, 4],
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[SIDE // 4] * 2, [SIDE // 8] * 2, [SIDE // 16] * 2],
        fpn_hidden_size=128,
    )
    size = {"height": SIDE, "width": SIDE}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = Sam2VideoModel(Sam2VideoConfig(vision_config=vision, **tracker_sizes()))
    keep_objects(model.mask_decoder)
    folder = Path(mkdtemp(prefix="tiny-sam2-"))
    model.save_pretrained(folder)
    Sam2VideoProcessor(Sam2ImageProcessor(size=size), Sam2VideoVideoProcessor(size=size)).save_pretrained(folder)
    return folder


@cache
def sam3_folder() -> Path:
    """A folder as the hub has it, with a video model of SAM 3 for pictures of 112 x 112; its tokens are letters."""
    from transformers import (
        CLIPTokenizer,
        Sam2VideoVideoProcessor,
        Sam3ImageProcessor,
        Sam3VideoConfig,
        Sam3VideoModel,
        Sam3VideoProcessor,
    )

    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = Sam3VideoModel(Sam3VideoConfig(**_sam3_parts(), low_res_mask_size=32, **_SURE_OF_ALL))
    keep_objects(model.tracker_model.mask_decoder)
    size = {"height": 112, "width": 112}
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={token: number for number, token in enumerate(tokens)}, merges=[])
    folder = Path(mkdtemp(prefix="tiny-sam3-"))
    model.save_pretrained(folder)
    images, videos = Sam3ImageProcessor(size=size), Sam2VideoVideoProcessor(size=size)
    Sam3VideoProcessor(images, videos, tokenizer).save_pretrained(folder)
    return folder


_SURE_OF_ALL = {
    "score_threshold_detection": 0.0,
    "new_det_thresh": 0.0,
    "hotstart_delay": 2,
    "hotstart_unmatch_thresh": 2,
    "hotstart_dup_thresh": 2,
}


def _sam3_parts() -> dict[str, object]:
    layer = {"hidden_size": 128, "num_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    backbone = {
        "model_type": "sam3_vit_model",
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 112,
        "patch_size": 14,
        "window_size": 4,
        "global_attn_indexes": [1],
        "pretrain_image_size": 56,
    }
    vision = {
        "model_type": "sam3_vision_model",
        "backbone_config": backbone,
        "fpn_hidden_size": 128,
        "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
    }
    text = {
        "model_type": "clip_text_model",
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 54,
        "max_position_embeddings": 32,
        "projection_dim": 32,
    }
    detector = {
        "model_type": "sam3",
        "vision_config": vision,
        "text_config": text,
        "geometry_encoder_config": layer,
        "detr_encoder_config": layer,
        "detr_decoder_config": layer | {"num_queries": 4},
        "mask_decoder_config": {"hidden_size": 128, "num_attention_heads": 2},
    }
    tracker = {"model_type": "sam3_tracker_video", "vision_config": vision, **tracker_sizes(112, 14)}
    return {"detector_config": detector, "tracker_config": tracker}


def keep_objects(mask_decoder: torch.nn.Module) -> None:
    """Make a tracker think that its objects are always in sight, which random weights would leave to chance."""
    with torch.no_grad():
        mask_decoder.pred_obj_score_head.proj_out.bias.fill_(10.0)


def tracker_sizes(side: int = SIDE, patch: int = 16) -> dict[str, object]:
    """Of prompts, decoder and memory, for square pictures."""
    return {
        "prompt_encoder_config": {"hidden_size": 128, "image_size": side, "patch_size": patch, "mask_input_channels": 4},
        "mask_decoder_config": {"hidden_size": 128, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32},
        "image_size": side,
        "num_maskmem": 3,
        "max_object_pointers_in_encoder": 4,
        "memory_attention_hidden_size": 128,
        "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 32,
        "memory_encoder_hidden_size": 128,
        "memory_encoder_output_channels": 64,
        "memory_attention_rope_feat_sizes": [side // patch, side // patch],
        "mask_downsampler_embed_dim": 128,
        "memory_fuser_embed_dim": 128,
        "memory_fuser_intermediate_dim": 32,
    }
