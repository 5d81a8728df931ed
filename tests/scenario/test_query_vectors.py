"""Vectors of a run's objects through `s3d-splat query`: the real open_clip path with weights that mean nothing, and tables.

Random weights find nothing sensible, so every chair is let through.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.ask.run import open_searchable
from s3d_splat.cli import main
from s3d_splat.errors import S3DError
from s3d_splat.priors.text.open_clip import OpenClipEncoder
from s3d_splat.priors.text.table import table_arrays
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions
from tests.priors.text.tiny import TINY
from tests.scenario.chairs import ColourWords, asked, edit_instances, instances_of, own_copy
from tests.scenario.test_user_errors import refused

open_clip = pytest.importorskip("open_clip")
PICTURES = 3  # of an object in one view: near, from farther away, cut out
EASY = ["--pictures.views", "1", "--search.least-relevancy", "0", "--search.margin", "0"]
Clip = list[str]  # the flags that name an encoder


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Clip]]:
    """Two files of weights for open_clip's ViT-B-32, which has few and narrow layers here."""
    folder = tmp_path_factory.mktemp("clip")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", TINY)
        for seed in range(2):
            torch.manual_seed(seed)
            torch.save(open_clip.create_model("ViT-B-32").state_dict(), folder / f"{seed}.pt")
        name = ["--clip-model", "ViT-B-32", "--clip-pretrained", "laion2b_s34b_b79k", "--clip-weights"]
        yield [[*name, str(folder / f"{seed}.pt")] for seed in range(2)]


@pytest.fixture
def clip(clips: list[Clip]) -> Clip:
    return clips[0]


@pytest.fixture
def run(trained_tiny: Path, tmp_path: Path) -> Path:
    return own_copy(trained_tiny, tmp_path)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Every picture that open_clip is given."""
    given: list[torch.Tensor] = []
    original = OpenClipEncoder.encode_pictures

    def counting(self: OpenClipEncoder, pictures: list[torch.Tensor]) -> torch.Tensor:
        given.extend(picture.clone() for picture in pictures)
        return original(self, pictures)

    monkeypatch.setattr(OpenClipEncoder, "encode_pictures", counting)
    return given


def vectors(run: Path) -> dict[str, np.ndarray]:
    with np.load(run / "embeddings.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file}


def test_vectors_are_made_once_and_again_if_asked(
    run: Path, clip: Clip, encoded: list[torch.Tensor], capsys: pytest.CaptureFixture[str]
):
    first = asked(capsys, run, "a chair", *EASY, *clip)
    assert len(encoded) == 3 * PICTURES
    assert all(len(answer["hits"]) == 2 for answer in first["answers"])
    kept = vectors(run)
    assert str(kept["encoder"]).startswith("open_clip ViT-B-32 laion2b_s34b_b79k ")
    assert np.linalg.norm(kept["vector"], axis=1) == pytest.approx(1, abs=1e-5)
    written = (run / "embeddings.npz").stat().st_mtime_ns
    second = asked(capsys, run, "a chair", "something else", *EASY, *clip)
    assert len(encoded) == 3 * PICTURES
    assert (run / "embeddings.npz").stat().st_mtime_ns == written
    old, new = ([(hit["id"], hit["reasons"], hit["size"]) for hit in each["answers"][0]["hits"]] for each in (first, second))
    assert new == old
    scores = ([hit["score"] for hit in each["answers"][0]["hits"]] for each in (first, second))
    assert next(scores) == pytest.approx(next(scores), rel=1e-5)
    asked(capsys, run, "a chair", *EASY, *clip, "--again")
    assert len(encoded) == 6 * PICTURES
    assert np.array_equal(vectors(run)["vector"], kept["vector"])


def test_only_objects_that_changed_get_new_vectors(
    run: Path, clip: Clip, encoded: list[torch.Tensor], capsys: pytest.CaptureFixture[str]
):
    asked(capsys, run, "a chair", *EASY, *clip)
    before, owner = vectors(run), instances_of(run)["child_instance"]
    giver, taker, _ = before["id"].tolist()
    place = tuple(np.argwhere(owner == giver)[0])
    owner[place] = taker
    edit_instances(run, child_instance=owner)
    encoded.clear()
    asked(capsys, run, "a chair", *EASY, *clip)
    assert len(encoded) == 2 * PICTURES
    after = vectors(run)
    assert after["id"].tolist() == before["id"].tolist()
    assert (after["print"] == before["print"]).tolist() == [False, False, True]
    assert np.array_equal(after["vector"][2], before["vector"][2])
    assert sorted(after["crop_id"].tolist()) == sorted(before["crop_id"].tolist())
    encoded.clear()
    asked(capsys, run, "a chair", *EASY, *clip)
    assert not encoded


def test_an_object_that_is_gone_and_one_that_is_new(
    run: Path, clip: Clip, encoded: list[torch.Tensor], capsys: pytest.CaptureFixture[str]
):
    asked(capsys, run, "a chair", *EASY, *clip)
    arrays = instances_of(run)
    gone = int(arrays["instance_id"][0])
    edit_instances(
        run,
        instance_id=np.where(arrays["instance_id"] == gone, 9, arrays["instance_id"]),
        child_instance=np.where(arrays["child_instance"] == gone, 9, arrays["child_instance"]),
        anchor_instance=np.where(arrays["anchor_instance"] == gone, 9, arrays["anchor_instance"]),
    )
    encoded.clear()
    (answer,) = asked(capsys, run, "a chair", *EASY, *clip)["answers"]
    assert len(encoded) == PICTURES
    assert vectors(run)["id"].tolist() == sorted({*arrays["instance_id"].tolist(), 9} - {gone})
    assert 9 in {hit["id"] for hit in answer["hits"]}


def test_other_pictures_mean_other_vectors(
    run: Path, clip: Clip, encoded: list[torch.Tensor], capsys: pytest.CaptureFixture[str]
):
    asked(capsys, run, "a chair", *EASY, *clip)
    encoded.clear()
    asked(capsys, run, "a chair", *EASY, *clip, "--pictures.scales", "1.5", "--pictures.no-cut-out")
    assert len(encoded) == 3
    assert all(len(picture) == picture.shape[1] for picture in encoded)


def test_vectors_of_another_encoder_are_refused_until_they_are_made_anew(
    run: Path, clips: list[Clip], encoded: list[torch.Tensor], capsys: pytest.CaptureFixture[str]
):
    asked(capsys, run, "a chair", *EASY, *clips[0])
    kept = vectors(run)
    words = ["embeddings.npz was made with the encoder open_clip ViT-B-32", "--again"]
    refused(["query", str(run), "a chair", *EASY, *clips[1]], words, capsys)
    assert np.array_equal(vectors(run)["vector"], kept["vector"])
    asked(capsys, run, "a chair", *EASY, *clips[1], "--again")
    assert str(vectors(run)["encoder"]) != str(kept["encoder"])
    assert len(encoded) == 6 * PICTURES


def test_a_table_stands_for_the_encoder_that_made_it(
    run: Path, clip: Clip, encoded: list[torch.Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """One machine encodes, another asks: first the objects' pictures, then words alone."""
    (expected,) = asked(capsys, run, "a chair", *EASY, *clip)["answers"]
    (run / "embeddings.npz").rename(tmp_path / "of-clip.npz")
    options = QueryOptions()
    texts = [template.replace("{}", text) for text in ("chair", *options.negatives) for template in options.templates]
    encoder = _loaded(clip)
    np.savez(tmp_path / "all.npz", **table_arrays(encoder, texts, encoded[: 3 * PICTURES]))
    np.savez(tmp_path / "words.npz", **table_arrays(encoder, texts))
    table = ["--encoder", "table", "--embeddings"]
    words = [*table, str(tmp_path / "words.npz")]
    refused(["query", str(run), "a chair", *EASY, *words], ["no vector for the picture"], capsys)
    encoded.clear()
    (found,) = asked(capsys, run, "a chair", *EASY, *table, tmp_path / "all.npz")["answers"]
    assert [hit["id"] for hit in found["hits"]] == [hit["id"] for hit in expected["hits"]]
    assert [hit["score"] for hit in found["hits"]] == pytest.approx([hit["score"] for hit in expected["hits"]], abs=1e-5)
    (tmp_path / "of-clip.npz").replace(run / "embeddings.npz")
    (same,) = asked(capsys, run, "a chair", *EASY, *words)["answers"]
    assert [hit["id"] for hit in same["hits"]] == [hit["id"] for hit in expected["hits"]]
    refused(["query", str(run), "a sofa", *EASY, *words], ["no vector for the text 'sofa'"], capsys)
    assert not encoded


def test_what_is_searched_lies_in_rows_of_the_same_objects_and_train_views(run: Path):
    encoder = ColourWords()
    found = open_searchable(run, lambda: encoder, PictureOptions(views=2))
    train = [frame for frame in found.run.scene.frames if frame.split == "train"]
    assert found.embeddings.id.tolist() == found.objects.id.tolist() == [1, 2, 3]
    assert found.embeddings.frames == tuple(frame.file_path for frame in train)
    assert found.viewpoints.shown.shape == found.embeddings.pixels.shape == (5, 3)
    assert found.viewpoints.shown.all()
    assert found.viewpoints.T_world_camera[:, 0, 3] == pytest.approx([-0.25, -0.15, -0.05, 0.15, 0.25])
    assert found.encoder is encoder
    assert len(encoder.shown) == 3 * 2 * PICTURES
    assert {crop.frame for crop in found.embeddings.crops} <= set(found.embeddings.frames)
    for id in (1, 2, 3):
        weights = [crop.weight for crop in found.embeddings.crops if crop.id == id]
        assert len(weights) == 2 * PICTURES
        assert all(0 < weight <= 1 for weight in weights)
    left_to_right = [
        (int(vector.argmax()), round(float((centre @ found.objects.T_upright_world[:3, :3])[0]), 1))
        for vector, centre in zip(found.embeddings.vector, found.objects.centre, strict=True)
    ]
    assert {(1, -0.6), (2, 0.6)} < set(left_to_right)  # red and blue, by their axes in the encoder's space


def test_test_views_have_no_part_in_vectors(run: Path, clip: Clip, capsys: pytest.CaptureFixture[str]):
    asked(capsys, run, "a chair", *EASY, *clip)
    before = vectors(run)
    scene = open_searchable(run, lambda: _loaded(clip), PictureOptions(views=1)).run.scene
    (test,) = (frame for frame in scene.frames if frame.split == "test")
    picture = scene.root / test.file_path
    content = picture.read_bytes()
    try:
        Image.fromarray(np.zeros((24, 32, 3), np.uint8)).save(picture)
        spoilt = picture.read_bytes()
        assert len(spoilt) <= len(content)
        picture.write_bytes(spoilt + bytes(len(content) - len(spoilt)))  # a run knows its scene by the sizes of files
        asked(capsys, run, "a chair", *EASY, *clip, "--again")
    finally:
        picture.write_bytes(content)
    assert np.array_equal(vectors(run)["vector"], before["vector"])


def test_no_encoder_is_made_for_a_run_without_objects(run: Path):
    arrays = instances_of(run)
    edit_instances(run, child_instance=np.zeros_like(arrays["child_instance"]))

    def never() -> OpenClipEncoder:
        raise AssertionError("an encoder was made")

    with pytest.raises(S3DError, match="has no objects"):
        open_searchable(run, never, PictureOptions())


def test_damaged_vectors_say_how_to_make_them_anew(run: Path, clip: Clip, capsys: pytest.CaptureFixture[str]):
    (run / "embeddings.npz").write_bytes(b"PK torn")
    refused(["query", str(run), "a chair", *EASY, *clip], ["embeddings.npz", "--again"], capsys)
    main(["query", str(run), "a chair", *EASY, *clip, "--again"])
    assert len(vectors(run)["id"]) == 3


def _loaded(clip: Clip) -> OpenClipEncoder:
    from s3d_splat.priors.text.options import TextOptions

    return OpenClipEncoder.load(TextOptions(clip_model=clip[1], clip_pretrained=clip[3], clip_weights=Path(clip[5])))
