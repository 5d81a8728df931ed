"""Licences of weights."""

import pytest

from s3d_splat.priors.licences import UNKNOWN
from s3d_splat.priors.text.licences import licence_of


@pytest.mark.parametrize(
    ("source", "name", "commercial"),
    [
        ("laion/CLIP-ViT-B-16-laion2B-s34B-b88K/ laion2b_s34b_b88k", "MIT (LAION)", True),
        ("timm/ViT-B-16-SigLIP2/ webli", "Apache-2.0 (Google, SigLIP)", True),
        ("UCSC-VLAA/ViT-H-14-CLIPA-336-laion2B/ laion2b", "Apache-2.0 (UCSC, CLIPA)", True),
        ("timm/eva02_enormous_patch14_clip_224.laion2b_s4b_b115k/ laion2b_s4b_b115k", "MIT (BAAI, EVA-CLIP)", True),
        ("timm/vit_base_patch16_clip_224.metaclip_400m/ metaclip_400m", "CC-BY-NC-4.0 (Meta, MetaCLIP)", False),
        ("visheratin/nllb-siglip-mrl-base/ mrl", "CC-BY-NC-4.0 (NLLB-CLIP)", False),
    ],
)
def test_the_publisher_decides(source: str, name: str, commercial: bool) -> None:
    licence = licence_of(source)
    assert (licence.name, licence.commercial) == (name, commercial)


def test_what_is_not_known_is_not_promised() -> None:
    assert licence_of("somebody/something/ else") == UNKNOWN
    assert UNKNOWN.commercial is None


def test_all_weights_of_open_clip_are_known() -> None:
    open_clip = pytest.importorskip("open_clip")
    for model, weights in open_clip.list_pretrained():
        source = open_clip.get_pretrained_cfg(model, weights)
        assert licence_of(f"{source['hf_hub'] or source['url']} {weights}") != UNKNOWN, (model, weights)
