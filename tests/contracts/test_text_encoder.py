"""What every text encoder promises, on each that works here."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.priors.text.base import TextEncoder
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.priors.text.registry import TEXT_ENCODERS, make_text_encoder
from s3d_splat.priors.text.table import table_arrays
from tests.priors.text.tiny import TINY, pictures

NO_OPEN_CLIP = pytest.mark.skipif(importlib.util.find_spec("open_clip") is None, reason="open_clip is not installed")
MARKS = {"open_clip": [NO_OPEN_CLIP]}
TEXTS = ["a mug", "something to sit on", "eine Tür", ""]
PICTURES = list(pictures())


class Numbers:
    """An encoder that needs nothing: what texts and pictures are, as numbers."""

    name, dimension = "numbers", 3

    def encode_texts(self, texts: list[str]) -> torch.Tensor:
        return torch.tensor([[1.0, len(text), 7.0] for text in texts])

    def encode_pictures(self, pictures: list[np.ndarray]) -> torch.Tensor:
        return torch.tensor([[2.0, float(picture.mean()), len(picture)] for picture in pictures])


def _open_clip(folder: Path, patch: pytest.MonkeyPatch) -> TextOptions:
    import open_clip

    patch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-16", TINY)
    weights = folder / "weights.pt"
    torch.manual_seed(0)
    torch.save(open_clip.create_model("ViT-B-16").state_dict(), weights)
    return TextOptions(clip_weights=weights, clip_batch=3)


def _table(folder: Path, patch: pytest.MonkeyPatch) -> TextOptions:
    path = folder / "table.npz"
    np.savez(path, **table_arrays(Numbers(), TEXTS, PICTURES))
    return TextOptions("table", embeddings=path)


MAKERS = {"open_clip": _open_clip, "table": _table}


@pytest.fixture(scope="module", params=[pytest.param(name, marks=MARKS.get(name, [])) for name in TEXT_ENCODERS])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    with pytest.MonkeyPatch.context() as patch:
        return make_text_encoder(MAKERS[request.param](tmp_path_factory.mktemp("encoder"), patch))


def test_the_table_holds_encoders(encoder: TextEncoder) -> None:
    assert isinstance(encoder, TextEncoder)
    assert encoder.name


def test_vectors_are_of_unit_length(encoder: TextEncoder) -> None:
    for vectors in (encoder.encode_texts(TEXTS), encoder.encode_pictures(PICTURES)):
        assert vectors.shape[1] == encoder.dimension
        assert vectors.dtype == torch.float32
        assert vectors.device.type == "cpu"
        assert not vectors.requires_grad
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))


def test_nothing_has_no_vectors(encoder: TextEncoder) -> None:
    assert encoder.encode_texts([]).shape == (0, encoder.dimension)
    assert encoder.encode_pictures([]).shape == (0, encoder.dimension)


def test_what_lies_beside_does_not_count_and_order_is_kept(encoder: TextEncoder) -> None:
    together = encoder.encode_pictures(PICTURES)
    torch.testing.assert_close(together, torch.cat([encoder.encode_pictures([one]) for one in PICTURES]))
    torch.testing.assert_close(together.flip(0), encoder.encode_pictures(PICTURES[::-1]))
    assert torch.cdist(together, together).fill_diagonal_(1).min() > 1e-4
    words = encoder.encode_texts(TEXTS)
    torch.testing.assert_close(words, torch.cat([encoder.encode_texts([one]) for one in TEXTS]))
    torch.testing.assert_close(words.flip(0), encoder.encode_texts(TEXTS[::-1]))
    assert torch.cdist(words, words).fill_diagonal_(1).min() > 1e-4


def test_the_same_again_is_the_same(encoder: TextEncoder) -> None:
    assert torch.equal(encoder.encode_pictures(PICTURES), encoder.encode_pictures(PICTURES))
    assert torch.equal(encoder.encode_texts(TEXTS), encoder.encode_texts(TEXTS))


def test_tensors_and_arrays_are_the_same_pictures(encoder: TextEncoder) -> None:
    arrays = [picture.copy() for picture in PICTURES]
    for picture in arrays:
        picture.flags.writeable = False
    backwards = [np.ascontiguousarray(picture[::-1, ::-1])[::-1, ::-1] for picture in PICTURES]
    expected = encoder.encode_pictures([torch.from_numpy(picture) for picture in PICTURES])
    assert torch.equal(encoder.encode_pictures(arrays), expected)
    assert torch.equal(encoder.encode_pictures(backwards), expected)
    assert all(np.array_equal(one, other) for one, other in zip(arrays, PICTURES, strict=True))
