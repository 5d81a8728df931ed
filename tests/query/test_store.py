"""Vectors on disk: only what changed is made again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.query.store import fingerprints, read_embeddings, write_embeddings
from s3d_splat.query.values import InstanceEmbeddings
from s3d_splat.types import InstanceSet
from tests.query.test_embed import embedded

OPTIONS = PictureOptions()
PRINTS = {3: "a", 7: "b"}


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, InstanceEmbeddings]:
    embeddings = embedded()
    write_embeddings(tmp_path / "embeddings.npz", embeddings, PRINTS, "field", OPTIONS)
    return tmp_path / "embeddings.npz", embeddings


def test_what_is_written_is_read(written: tuple[Path, InstanceEmbeddings]) -> None:
    path, embeddings = written
    again = read_embeddings(path, "mean colour", PRINTS, "field", OPTIONS)
    assert again is not None
    assert again.vector == pytest.approx(embeddings.vector, abs=1e-6)
    assert again.id.tolist() == [3, 7]
    assert [replace(crop, weight=0.0) for crop in again.crops] == [replace(crop, weight=0.0) for crop in embeddings.crops]
    assert again.frames == embeddings.frames
    assert again.pixels.tolist() == embeddings.pixels.tolist()


def test_an_object_whose_gaussians_have_changed_is_left_out(written: tuple[Path, InstanceEmbeddings]) -> None:
    again = read_embeddings(written[0], "mean colour", {3: "a", 7: "other", 9: "new"}, "field", OPTIONS)
    assert again is not None
    assert again.id.tolist() == [3]
    assert {crop.id for crop in again.crops} == {3}
    assert again.pixels.tolist() == [[256]] * 3


def test_other_pictures_or_another_field_make_all_anew(written: tuple[Path, InstanceEmbeddings]) -> None:
    assert read_embeddings(written[0], "mean colour", PRINTS, "field", replace(OPTIONS, views=3)) is None
    assert read_embeddings(written[0], "mean colour", PRINTS, "another field", OPTIONS) is None
    assert read_embeddings(written[0].with_name("none.npz"), "mean colour", PRINTS, "field", OPTIONS) is None


def test_vectors_of_another_encoder_are_refused(written: tuple[Path, InstanceEmbeddings]) -> None:
    with pytest.raises(S3DError, match=r"was made with the encoder mean colour, not with another[^$]*--again"):
        read_embeddings(written[0], "another", PRINTS, "field", OPTIONS)


def test_a_damaged_file_is_refused(written: tuple[Path, InstanceEmbeddings]) -> None:
    whole = dict(np.load(written[0]))
    np.savez(written[0], **(whole | {"spread": whole["spread"][:1]}))
    with pytest.raises(S3DError, match="differ in length"):
        read_embeddings(written[0], "mean colour", PRINTS, "field", OPTIONS)
    written[0].write_bytes(b"no archive")
    with pytest.raises(S3DError, match="cannot be read"):
        read_embeddings(written[0], "mean colour", PRINTS, "field", OPTIONS)


def test_a_fingerprint_is_of_the_gaussians_of_an_object() -> None:
    def of(child: list[list[int]]) -> dict[int, str]:
        ids = torch.tensor([1, 2]).int()
        zero = torch.zeros(2)
        table = torch.tensor(child).int()
        return fingerprints(InstanceSet(table[:, 0], table, ids, ids, ids, zero, ids, torch.zeros(2, 2, 3)))

    before, after = of([[1, 1], [2, 0]]), of([[1, 1], [2, 2]])
    assert before[1] == after[1]
    assert before[2] != after[2]


def test_a_file_whose_pixels_do_not_fit_is_refused(written: tuple[Path, InstanceEmbeddings]) -> None:
    whole = dict(np.load(written[0]))
    np.savez(written[0], **(whole | {"pixels": whole["pixels"][:, :1]}))
    with pytest.raises(S3DError, match="differ in length"):
        read_embeddings(written[0], "mean colour", PRINTS, "field", OPTIONS)
