"""Where learned weights come from, what is refused, and what a user is told to do."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

pytest.importorskip("transformers")

from s3d_splat.errors import S3DError
from s3d_splat.priors.weights import find_weights, load_pretrained, require
from tests.priors.masks.tiny import sam2_folder

MODEL = "facebook/sam2.1-hiera-small"


def offline(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))


def test_without_weights_and_network_the_user_learns_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    offline(monkeypatch, tmp_path)
    with pytest.raises(S3DError, match="not here and could not be downloaded") as error:
        find_weights(MODEL, None, "--sam2", ())
    assert f"hf download {MODEL} --local-dir DIR" in error.value.fix
    assert "--sam2.weights DIR" in error.value.fix


def test_what_was_downloaded_before_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    offline(monkeypatch, tmp_path)
    repository = tmp_path / "models--facebook--sam2.1-hiera-small"
    shutil.copytree(sam2_folder(), repository / "snapshots" / "abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    assert find_weights(MODEL, None, "--sam2", ()) == repository / "snapshots" / "abc"
    (repository / "snapshots" / "abc" / "model.safetensors").unlink()
    with pytest.raises(S3DError, match="could not be downloaded"):
        find_weights(MODEL, None, "--sam2", ())


def test_a_folder_must_be_whole_and_without_pickles(tmp_path: Path):
    with pytest.raises(S3DError, match=r"has no config\.json"):
        find_weights(MODEL, tmp_path, "--sam2", ())
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(S3DError, match=r"has no model\.safetensors") as error:
        find_weights(MODEL, tmp_path, "--sam2", ())
    assert "never pickles" in error.value.why
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "a.safetensors"}}))
    with pytest.raises(S3DError, match=r"has no a\.safetensors"):
        find_weights(MODEL, tmp_path, "--sam2", ())


@pytest.mark.parametrize(
    ("model", "licence"),
    [("facebook/sam2.1-hiera-large", "Apache-2.0"), ("facebook/sam3", "SAM License"), ("me/mine", "does not know")],
)
def test_the_licence_is_told(model: str, licence: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "s3d_splat"):
        find_weights(model, sam2_folder(), "--sam2", ())
    assert licence in caplog.text
    assert model in caplog.text


def test_a_non_commercial_licence_needs_a_word():
    with pytest.raises(S3DError, match=r"CC-BY-NC-4\.0") as error:
        find_weights("depth-anything/DA3-LARGE-1.1", sam2_folder(), "--depth-anything3", ())
    assert "--accept-licence CC-BY-NC-4.0" in error.value.fix
    assert find_weights("depth-anything/DA3-LARGE-1.1", sam2_folder(), "--depth-anything3", ("cc-by-nc-4.0",))


@pytest.mark.parametrize(
    ("line", "is_refused"), [("license: cc-by-nc-sa-4.0", True), ("license: mit", False), ("x: y", False)]
)
def test_the_model_card_of_a_folder_counts(tmp_path: Path, line: str, is_refused: bool):
    folder = shutil.copytree(sam2_folder(), tmp_path / "weights")
    (folder / "README.md").write_text(f"---\ntags: [a]\n{line}\n---\nlicense: cc-by-nc-4.0\n")
    if is_refused:
        with pytest.raises(S3DError, match="forbids commercial use"):
            find_weights("me/mine", folder, "--sam2", ())
    else:
        find_weights("me/mine", folder, "--sam2", ())


def test_weights_of_another_model_are_refused(tmp_path: Path):
    from transformers import Sam2VideoModel

    folder = shutil.copytree(sam2_folder(), tmp_path / "weights")
    config = json.loads((folder / "config.json").read_text())
    config["memory_attention_num_layers"] = 2
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(S3DError, match=r"no fitting weights for memory_attention\.layers\.1"):
        load_pretrained(Sam2VideoModel, folder, "--sam2")
    (folder / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(S3DError, match="Sam2VideoModel could not be made"):
        load_pretrained(Sam2VideoModel, folder, "--sam2")


def test_packages_must_be_there_and_new_enough():
    with pytest.raises(S3DError, match="needs the package not_a_package"):
        require("not_a_package", (), "--masks sam2", "pip install it")
    with pytest.raises(S3DError, match="has no Sam9") as error:
        require("transformers", ("Sam9",), "--masks sam9", "pip install -U transformers")
    assert error.value.fix == "pip install -U transformers"
