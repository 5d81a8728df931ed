"""Segmentation models that are made in no time, their weights random: transformers' own code, few and narrow layers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import torch

from s3d_splat.priors.masks.options import ProposalOptions, Sam2Options, TrackOptions

SIDE = 128
# Random weights are sure of nothing, so that every mask must be good enough.
ANY = ProposalOptions(points=3, batch=4, quality=-1e9, stability=0.0, smallest=0.01, uncovered=0.3)
SHORT = TrackOptions(chunk=4, objects=5, every=2)


def sam2_options(**changes: object) -> Sam2Options:
    """Of the tiny SAM 2."""
    return Sam2Options(**({"weights": sam2_folder(), "propose": ANY, "track": SHORT} | changes))


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


def keep_objects(mask_decoder: torch.nn.Module) -> None:
    """Make a tracker think that its objects are always in sight, which random weights would leave to chance."""
    with torch.no_grad():
        mask_decoder.pred_obj_score_head.proj_out.bias.fill_(10.0)


def tracker_sizes(patch: int = 16) -> dict[str, object]:
    """Of prompts, decoder and memory, for pictures of 128 x 128."""
    return {
        "prompt_encoder_config": {"hidden_size": 128, "image_size": SIDE, "patch_size": patch, "mask_input_channels": 4},
        "mask_decoder_config": {"hidden_size": 128, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32},
        "image_size": SIDE,
        "num_maskmem": 3,
        "max_object_pointers_in_encoder": 4,
        "memory_attention_hidden_size": 128,
        "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 32,
        "memory_encoder_hidden_size": 128,
        "memory_encoder_output_channels": 64,
        "memory_attention_rope_feat_sizes": [SIDE // patch, SIDE // patch],
        "mask_downsampler_embed_dim": 128,
        "memory_fuser_embed_dim": 128,
        "memory_fuser_intermediate_dim": 32,
    }
