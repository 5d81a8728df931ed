"""Embeddings from a file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.priors.text.table import TableEncoder, picture_key, table_arrays

RED, BLUE = (np.full((2, 3, 3), colour, dtype=np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
ARRAYS = {
    "encoder": np.array("some encoder"),
    "texts": np.array(["red", "blue"]),
    "text_vectors": np.array([[3.0, 4.0], [0.0, -2.0]]),
    "pictures": np.array([picture_key(RED)]),
    "picture_vectors": np.array([[5.0, 12.0]]),
}


def _written(folder: Path, **changed: np.ndarray) -> Path:
    path = folder / "table.npz"
    np.savez(path, **(ARRAYS | changed))
    return path


def test_vectors_are_found_by_words_and_by_pixels(tmp_path: Path) -> None:
    table = TableEncoder.read(_written(tmp_path))
    assert (table.name, table.dimension) == ("some encoder", 2)
    torch.testing.assert_close(table.encode_texts(["blue", "red"]), torch.tensor([[0.0, -1.0], [0.6, 0.8]]))
    torch.testing.assert_close(table.encode_pictures([torch.from_numpy(RED)]), torch.tensor([[5 / 13, 12 / 13]]))


def test_a_table_of_a_table_is_the_same(tmp_path: Path) -> None:
    table = TableEncoder.read(_written(tmp_path))
    again = TableEncoder.read(_written(tmp_path, **table_arrays(table, ["red"])))
    assert again.name == table.name
    assert torch.equal(again.encode_texts(["red"]), table.encode_texts(["red"]))
    with pytest.raises(S3DError, match="no vector for the picture"):
        again.encode_pictures([RED])


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    table = TableEncoder.read(_written(tmp_path))
    with pytest.raises(S3DError, match=r"table.npz has no vector for the text 'green'(.|\n)*one of: blue, red"):
        table.encode_texts(["red", "green"])
    with pytest.raises(S3DError, match="has no vector for the picture"):
        table.encode_pictures([BLUE])


def test_a_picture_of_another_shape_is_another_picture() -> None:
    assert picture_key(RED) == picture_key(torch.from_numpy(RED))
    assert picture_key(BLUE) != picture_key(RED)
    assert picture_key(RED.reshape(3, 2, 3)) != picture_key(RED)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"text_vectors": np.zeros((2, 2))}, "no direction for 'red'"),
        ({"text_vectors": np.array([[1.0, np.nan], [1.0, 1.0]])}, "no direction for 'red'"),
        ({"text_vectors": np.ones((2, 5))}, "vectors of 2 lengths"),
        ({"text_vectors": np.ones((3, 2))}, "is no table of embeddings"),
        ({"text_vectors": np.ones(2)}, "rows of floating-point numbers"),
        ({"text_vectors": np.array([["a", "b"]] * 2)}, "rows of floating-point numbers"),
        ({"texts": np.array("red")}, "is no table of embeddings"),
        ({"texts": np.array([None, {}])}, "is no table of embeddings .*allow_pickle"),
        (
            {"texts": np.array([], "U1"), "text_vectors": np.ones((0, 2))}
            | {"pictures": np.array([], "U1"), "picture_vectors": np.ones((0, 2))},
            "vectors of 0 lengths",
        ),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path: Path, changed: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(S3DError, match=message):
        TableEncoder.read(_written(tmp_path, **changed))


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(S3DError, match="there is no table of embeddings"):
        TableEncoder.read(None)
    with pytest.raises(S3DError, match="does not exist"):
        TableEncoder.read(tmp_path / "none.npz")
    path = _written(tmp_path)
    whole = path.read_bytes()
    np.save(tmp_path / "array.npy", np.ones(3))
    for content in (whole[:200], b"", b"{}", (tmp_path / "array.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(S3DError, match="is no table of embeddings"):
            TableEncoder.read(path)
    np.savez(path, texts=ARRAYS["texts"])
    with pytest.raises(S3DError, match="it must hold encoder, texts"):
        TableEncoder.read(path)
