"""The real path through open_clip, with weights that mean nothing."""

import logging
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.priors.text.open_clip import OpenClipEncoder
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.priors.text.preparation import Preparation
from tests.priors.text.tiny import TINY, pictures

open_clip = pytest.importorskip("open_clip")
huggingface_hub = pytest.importorskip("huggingface_hub")
PICTURES = list(pictures())
NAMED = "laion2b_s34b_b88k of ViT-B-16"


@pytest.fixture(scope="module")
def large() -> OpenClipEncoder:
    torch.manual_seed(0)
    return OpenClipEncoder("random", open_clip.create_model("ViT-B-32"), open_clip.get_tokenizer("ViT-B-32"), batch=4)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TextOptions:
    """Options whose model is tiny and whose weights lie in a file; nothing can be downloaded."""

    def offline(*_args: object, **_more: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr(open_clip.pretrained, "hf_hub_download", offline)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    for name in ("ViT-B-16", "ViT-L-14", "ViT-B-16-SigLIP2"):
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, name, TINY)
    torch.manual_seed(1)
    torch.save(open_clip.create_model("ViT-B-16").state_dict(), tmp_path / "weights.pt")
    return TextOptions(clip_weights=tmp_path / "weights.pt")


def test_a_vit_b_32_gives_unit_vectors_whatever_the_batch(large: OpenClipEncoder) -> None:
    vectors, words = large.encode_pictures(PICTURES), large.encode_texts(["a mug"] * 2 + ["a chair"] * 4)
    assert (large.dimension, vectors.shape, words.shape) == (512, (7, 512), (6, 512))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(7))
    torch.testing.assert_close(words.norm(dim=1), torch.ones(6))
    torch.testing.assert_close(large.encode_pictures(PICTURES[4:5]), vectors[4:5], rtol=0, atol=1e-5)
    assert torch.equal(large.encode_pictures(PICTURES[:4]), vectors[:4])
    torch.testing.assert_close(words[:1], words[1:2])
    torch.testing.assert_close(words[2:3], words[5:6])
    assert (words[0] - words[2]).norm() > 1e-3


def test_vectors_are_those_of_open_clips_own_preparation(large: OpenClipEncoder) -> None:
    own = open_clip.image_transform(224, is_train=False)
    with torch.no_grad():
        expected = large._model.encode_image(torch.stack([own(Image.fromarray(picture)) for picture in PICTURES]))
    expected = expected / expected.norm(dim=1, keepdim=True)
    assert (large.encode_pictures(PICTURES) * expected).sum(dim=1).min() > 0.9999


@pytest.mark.parametrize("mode", ["shortest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_pictures_are_prepared_as_open_clip_does(mode: str, interpolation: str) -> None:
    """PIL rounds between rows and columns, this does not: at most two levels apart, on the average far less."""
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    config = {"size": 64, "mean": mean, "std": std, "interpolation": interpolation, "resize_mode": mode}
    own = open_clip.image_transform(64, False, mean, std, resize_mode=mode, interpolation=interpolation)
    noise = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    shown = [*PICTURES, noise]
    expected = torch.stack([own(Image.fromarray(picture)) for picture in shown])
    found = Preparation(config, torch.device("cpu"))(shown)
    levels = 255 * torch.tensor(std).reshape(3, 1, 1) * (found - expected).abs()
    assert levels.max() < 2.01
    assert levels.flatten(1).mean(dim=1).max() < 0.2


def test_pictures_that_no_weights_want_are_refused() -> None:
    config = {"size": 64, "mean": (0, 0, 0), "std": (1, 1, 1), "interpolation": "bicubic", "resize_mode": "longest"}
    with pytest.raises(S3DError, match="cannot be scaled as this model has them: longest"):
        Preparation(config, torch.device("cpu"))


def test_a_file_of_weights_is_loaded_and_its_licence_told(tiny: TextOptions, caplog: pytest.LogCaptureFixture) -> None:
    from safetensors.torch import save_file

    with caplog.at_level(logging.INFO, logger="s3d_splat"):
        encoder = OpenClipEncoder.load(tiny)
    assert caplog.messages == [f"Weights {NAMED} (from {tiny.clip_weights}) are under MIT (LAION)."]
    state = torch.load(tiny.clip_weights, weights_only=True)
    other = tiny.clip_weights.with_suffix(".safetensors")
    save_file(state, other)
    same = OpenClipEncoder.load(replace(tiny, clip_weights=other))
    assert same.name == encoder.name
    assert torch.equal(same.encode_pictures(PICTURES), encoder.encode_pictures(PICTURES))
    state["visual.proj"][0, 0] += 1
    torch.save(state, tiny.clip_weights)
    assert OpenClipEncoder.load(tiny).name != encoder.name


def test_what_is_downloaded_is_what_a_file_holds(tiny: TextOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_clip.pretrained, "hf_hub_download", lambda **_: str(tiny.clip_weights))
    assert OpenClipEncoder.load(replace(tiny, clip_weights=None)).name == OpenClipEncoder.load(tiny).name


def test_what_was_downloaded_before_needs_no_network(tiny: TextOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = {("laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "open_clip_pytorch_model.bin"): str(tiny.clip_weights)}
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *key: cached.get(key))
    assert OpenClipEncoder.load(replace(tiny, clip_weights=None)).name == OpenClipEncoder.load(tiny).name


def test_pictures_are_prepared_as_the_weights_want(tiny: TextOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """LAION trained ViT-L-14 with a mean of 0.5, OpenAI with its own, and other units in its layers; SigLIP squashes."""
    laion = OpenClipEncoder.load(replace(tiny, clip_model="ViT-L-14", clip_pretrained="laion2b_s32b_b82k"))
    openai = OpenClipEncoder.load(replace(tiny, clip_model="ViT-L-14", clip_pretrained="openai"))
    assert laion._model.visual.preprocess_cfg["mean"] == (0.5, 0.5, 0.5)
    assert openai._model.visual.preprocess_cfg["mean"] == open_clip.OPENAI_DATASET_MEAN
    assert "QuickGELU" in str(openai._model)
    assert "QuickGELU" not in str(laion._model)
    simple = open_clip.get_tokenizer("ViT-B-16")
    monkeypatch.setattr(open_clip, "get_tokenizer", lambda _: simple)
    siglip = OpenClipEncoder.load(replace(tiny, clip_model="ViT-B-16-SigLIP2", clip_pretrained="webli"))
    assert siglip._model.visual.preprocess_cfg["resize_mode"] == "squash"


def test_a_model_without_weights_of_its_own_takes_a_file(
    tiny: TextOptions, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "mine", TINY)
    encoder = OpenClipEncoder.load(replace(tiny, clip_model="mine"))
    assert encoder.dimension == 24
    assert "Weights of mine" in caplog.text
    assert "ask whoever publishes them" in caplog.text
    with pytest.raises(S3DError, match="no weights laion2b_s34b_b88k of mine"):
        OpenClipEncoder.load(replace(tiny, clip_model="mine", clip_weights=None))


def test_absent_weights_say_how_to_get_them(tiny: TextOptions) -> None:
    with pytest.raises(S3DError) as caught:
        OpenClipEncoder.load(replace(tiny, clip_weights=None))
    assert f"{NAMED} are not here and could not be downloaded" in caught.value.what
    assert "https://huggingface.co/laion/CLIP-ViT-B-16-laion2B-s34B-b88K (open_clip_model.safetensors)" in caught.value.fix
    assert "--clip-weights" in caught.value.fix


@pytest.mark.parametrize(("model", "weights"), [("ViT-B-16", "metaclip_400m"), ("ViT-L-14", "dfn2b")])
def test_non_commercial_weights_need_a_word(tiny: TextOptions, model: str, weights: str) -> None:
    options = replace(tiny, clip_model=model, clip_pretrained=weights)
    with pytest.raises(S3DError, match=f"the weights {weights} of {model} are under") as caught:
        OpenClipEncoder.load(options)
    assert "--accept-non-commercial" in caught.value.fix
    assert OpenClipEncoder.load(replace(options, accept_non_commercial=True)).dimension == 24


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("an object was unpickled",)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_objects_are_never_unpickled(tiny: TextOptions) -> None:
    torch.save({"state_dict": Trap()}, tiny.clip_weights)
    with pytest.raises(S3DError, match=r"weights.pt cannot be read as weights.*\n.*never objects"):
        OpenClipEncoder.load(tiny)
    tiny.clip_weights.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(S3DError, match="cannot be read as weights"):
        OpenClipEncoder.load(tiny)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".npz", ".bin"])
def test_damaged_files_are_refused(tiny: TextOptions, suffix: str) -> None:
    from safetensors.torch import save_file

    path = tiny.clip_weights.with_suffix(suffix)
    state = torch.load(tiny.clip_weights, weights_only=True)
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"Entry not found"):
        path.write_bytes(content)
        with pytest.raises(S3DError, match=f"weights{suffix} cannot be read as weights"):
            OpenClipEncoder.load(replace(tiny, clip_weights=path))


def test_weights_of_another_model_are_refused(tiny: TextOptions) -> None:
    for content in ({"a": torch.zeros(1)}, {}, [torch.zeros(1)], torch.zeros(3)):
        torch.save(content, tiny.clip_weights)
        with pytest.raises(S3DError, match="ViT-B-16 could not be made from") as caught:
            OpenClipEncoder.load(tiny)
        assert "--clip-model" in caught.value.fix


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"clip_model": "ViT-B-17"}, "open_clip has no model ViT-B-17"),
        ({"clip_pretrained": "laion"}, "open_clip has no weights laion of ViT-B-16\n.*\n.*laion2b_s34b_b88k"),
        ({"clip_batch": 0}, "--clip-batch is 0"),
        ({"clip_weights": Path("/nowhere/weights.pt")}, "/nowhere/weights.pt is no file"),
    ],
)
def test_mistakes_are_named(tiny: TextOptions, changed: dict[str, object], message: str) -> None:
    with pytest.raises(S3DError, match=message):
        OpenClipEncoder.load(replace(tiny, **changed))


def test_a_missing_tokenizer_says_how_to_get_it(tiny: TextOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr(open_clip, "get_tokenizer", offline)
    with pytest.raises(S3DError, match="the tokenizer of ViT-B-16-SigLIP2 is not here: no network here") as caught:
        OpenClipEncoder.load(replace(tiny, clip_model="ViT-B-16-SigLIP2", clip_pretrained="webli"))
    assert "transformers" in caught.value.fix


def test_a_missing_package_says_what_to_install(tiny: TextOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(S3DError, match="the package open_clip is not installed") as caught:
        OpenClipEncoder.load(tiny)
    assert 's3d-splat[open-clip]"' in caught.value.fix
