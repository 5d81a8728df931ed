"""`s3d-splat query` on a tiny trained run: what is printed, what lies in files, and that it is true."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from plyfile import PlyData

from s3d_splat.cli import main
from s3d_splat.pipeline.runs import decode, open_trained
from s3d_splat.priors.text.registry import make_text_encoder
from tests.scenario.chairs import ColourWords, asked, instances_of, knows_colours, own_copy

FILES = ("answer.json", "instance.ply", "masks.json", "picture.png")


@pytest.fixture(scope="module")
def run(trained_tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_copy(trained_tiny, tmp_path_factory.mktemp("command"))


@pytest.fixture(autouse=True)
def encoder(monkeypatch: pytest.MonkeyPatch) -> ColourWords:
    return knows_colours(monkeypatch)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_question_prints_a_table_and_leaves_files_in_the_run(run: Path, capsys: pytest.CaptureFixture[str]):
    main(["query", str(run), "red chair", "a chair"])
    printed = capsys.readouterr().out
    assert "'red chair' understood as: chair, colour red" in printed
    assert "'a chair' understood as: chair" in printed
    assert f"picture, masks and PLY: {run / 'queries' / 'red-chair'}" in printed
    for word in ("id", "class", "score", "position (m)", "size (m)", "because", "colour red 1.00"):
        assert word in printed
    assert names(run / "queries") == ["a-chair", "red-chair"]
    assert names(run / "queries" / "red-chair") == list(FILES)


def test_a_table_answers_again_without_the_encoder(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    table = tmp_path / "words.npz"
    (first,) = asked(capsys, run, "red chair", "--table", table)["answers"]
    monkeypatch.setattr("s3d_splat.ask.run.make_text_encoder", make_text_encoder)
    (again,) = asked(capsys, run, "red chair", "--encoder", "table", "--embeddings", table)["answers"]
    assert again == first
    with pytest.raises(SystemExit):
        main(["query", str(run), "blue chair", "--encoder", "table", "--embeddings", str(table)])
    assert "has no vector for the text" in capsys.readouterr().err


def test_an_answer_says_what_and_where(run: Path, capsys: pytest.CaptureFixture[str]):
    (answer,) = asked(capsys, run, "red chair")["answers"]
    assert answer == json.loads((run / "queries" / "red-chair" / "answer.json").read_text())
    assert (answer["text"], answer["understood"], answer["note"]) == ("red chair", "chair, colour red", "")
    (hit,) = answer["hits"]
    assert hit["class"] == "chair"
    assert hit["position"] == pytest.approx([-0.6, 0.0, 2.0], abs=0.1)  # as the scene is built
    assert sorted(hit["size"])[1:] == pytest.approx([0.7, 0.7], abs=0.15)
    assert hit["cosine"] == pytest.approx(2 / 5**0.5, abs=1e-6)  # of (1, 0) with "red" and "chair": (1, 0) + (1, 1)
    noun, whole = (1 / (1 + np.exp(-10 * cosine)) for cosine in (0.5**0.5, 2 / 5**0.5))  # nothing resembles a negative
    assert hit["relevancy"] == pytest.approx(np.sqrt(noun * whole), abs=1e-6)
    assert hit["score"] == pytest.approx(hit["relevancy"] * hit["reasons"]["colour red"])
    assert hit["spread"] == pytest.approx(0, abs=1e-6)
    (other,) = asked(capsys, run, "blue chair")["answers"]
    assert other["hits"][0]["position"] == pytest.approx([0.6, 0.1, 2.4], abs=0.1)


def test_as_many_hits_as_are_asked_for(run: Path, capsys: pytest.CaptureFixture[str]):
    (both,) = asked(capsys, run, "a chair")["answers"]
    assert len(both["hits"]) == 2
    (first,) = asked(capsys, run, "a chair", "--top", 1)["answers"]
    assert first["hits"] == both["hits"][:1]
    lower = min(hit["score"] for hit in both["hits"])
    (same,) = asked(capsys, run, "a chair", "--threshold", lower)["answers"]
    assert same["hits"] == both["hits"]


def test_relations_come_from_the_geometry(run: Path, capsys: pytest.CaptureFixture[str]):
    left, right, nearest = asked(capsys, run, "the leftmost chair", "the chair right of the red chair", "the nearest chair")[
        "answers"
    ]
    assert left["hits"][0]["id"] == nearest["hits"][0]["id"] != right["hits"][0]["id"]
    assert right["hits"][0]["reasons"] == {"right of: (chair, colour red)": pytest.approx(1)}


def test_masks_are_those_of_the_rendered_test_views(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from pycocotools import mask as coco

    (answer,) = asked(capsys, run, "a chair", "--out", tmp_path)["answers"]
    assert answer["out"] == str(tmp_path / "a-chair")
    assert names(tmp_path) == ["a-chair"]
    masks = json.loads((tmp_path / "a-chair" / "masks.json").read_text())
    main(["render", str(run)])
    rendered = np.asarray(Image.open(run / "renders" / "test" / "instances" / "0003.png"))
    assert masks["images"] == [{"id": 1, "file_name": "0003.png", "width": 32, "height": 24}]
    ids = [hit["id"] for hit in answer["hits"]]
    assert [category["id"] for category in masks["categories"]] == ids
    assert [own["category_id"] for own in masks["annotations"]] == ids
    assert len({own["id"] for own in masks["annotations"]}) == 2
    for own in masks["annotations"]:
        expected = rendered == own["category_id"]
        assert np.array_equal(coco.decode(own["segmentation"]).astype(bool), expected)
        rows, columns = np.nonzero(expected)
        box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert (own["image_id"], own["iscrowd"], own["area"]) == (1, 0, expected.sum())
        assert own["area"] == int(coco.area(own["segmentation"]))
        assert own["bbox"] == box


def test_the_masks_are_what_coco_reads(run: Path, capsys: pytest.CaptureFixture[str]):
    from pycocotools.coco import COCO

    (answer,) = asked(capsys, run, "a chair")["answers"]
    dataset = COCO(str(Path(answer["out"]) / "masks.json"))
    assert len(dataset.getAnnIds(imgIds=[1])) == 2


def test_the_ply_holds_the_gaussians_of_the_best_hit_and_no_others(run: Path, capsys: pytest.CaptureFixture[str]):
    (answer,) = asked(capsys, run, "a chair")["answers"]
    vertices = PlyData.read(str(Path(answer["out"]) / "instance.ply"))["vertex"].data
    trained = open_trained(run)
    gaussians = decode(trained.field, trained.scene.frames[0].camera)
    own = torch.from_numpy(instances_of(run)["child_instance"].reshape(-1) == answer["hits"][0]["id"])
    means = np.stack([vertices[axis] for axis in "xyz"], axis=1)
    assert np.array_equal(means, gaussians.means[own].detach().cpu().numpy())
    opacity = gaussians.opacities[own].detach().cpu().numpy()
    assert 1 / (1 + np.exp(-vertices["opacity"].astype(float))) == pytest.approx(opacity, abs=1e-4)


def test_the_picture_shows_the_hits_in_colour_and_all_else_in_grey(run: Path, capsys: pytest.CaptureFixture[str]):
    (answer,) = asked(capsys, run, "red chair")["answers"]
    picture = np.asarray(Image.open(Path(answer["out"]) / "picture.png")).astype(int)
    assert picture.shape == (24, 32, 3)
    grey = np.ptp(picture, axis=2) <= 1
    red = (picture[..., 0] > 150) & (picture[..., 1:] < 100).all(axis=2)
    assert 40 < red.sum() < 110  # of about 10 x 10 pixels, without the outline
    assert grey.sum() > 24 * 32 / 2
    assert not (picture[..., 2] > picture[..., 0] + 60)[:, 20:].any()  # the blue chair is grey


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        (["elephant"], "nothing here is near enough to 'elephant' (the best has a relevancy of 0.50)"),
        (["green chair"], "'colour green' holds for no chair"),
        (["the chair under the red chair"], "'below: (chair, colour red)' holds for no chair"),
        (["a chair", "--threshold", "1"], "the best hit has a score of 1.00, under the threshold"),
    ],
)
def test_no_hit_is_an_answer(arguments: list[str], note: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    main(["query", str(run), *arguments, "--out", str(tmp_path)])
    assert f"no hit: {note}\n" in capsys.readouterr().out
    (folder,) = tmp_path.iterdir()
    assert names(folder) == ["answer.json"]
    answer = json.loads((folder / "answer.json").read_text())
    assert (answer["note"], answer["hits"]) == (note, [])


def test_no_hit_leaves_no_files_of_an_earlier_answer(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asked(capsys, run, "a chair", "--out", tmp_path)
    assert names(tmp_path / "a-chair") == list(FILES)
    asked(capsys, run, "a chair", "--out", tmp_path, "--threshold", 1)
    assert names(tmp_path / "a-chair") == ["answer.json"]


def test_texts_that_differ_have_folders_that_differ(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    texts = ["red chair", "Red chair", "red-chair", "red  chair", "red chair?", "../red chair", "椅子", "chair " * 40]
    answers = asked(capsys, run, *texts, "--out", tmp_path)["answers"]
    folders = {Path(answer["out"]) for answer in answers}
    assert len(folders) == len(texts)
    assert {folder.parent for folder in folders} == {tmp_path}
    assert all(len(folder.name) < 80 and (folder / "answer.json").exists() for folder in folders)
