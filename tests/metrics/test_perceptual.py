"""LPIPS on weights drawn at random: that it uses what is there, and never fetches what is not."""

from pathlib import Path

import pytest
import torch

from s3d_splat.metrics import perceptual
from s3d_splat.metrics.image import ImageQuality
from s3d_splat.metrics.perceptual import PerceptualDistance, is_genuine, load_perceptual, weights_file


@pytest.fixture
def distance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PerceptualDistance:
    from torchvision.models import squeezenet1_1

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(perceptual, "is_genuine", lambda path: True)
    torch.manual_seed(0)
    path = weights_file("squeeze")
    path.parent.mkdir(parents=True)
    torch.save(squeezenet1_1(weights=None).state_dict(), path)
    loaded = load_perceptual("squeeze")
    assert isinstance(loaded, PerceptualDistance)
    return loaded


def test_without_weights_there_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert "alexnet-owt" in str(load_perceptual())
    weights_file("alex").parent.mkdir(parents=True)
    weights_file("alex").write_bytes(b"something else")
    assert "not what their name promises" in str(load_perceptual("alex"))


def test_a_name_promises_the_hash_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "net-e3b0c442.pth"  # how the SHA-256 of nothing begins
    path.write_bytes(b"")
    assert is_genuine(path)
    path.write_bytes(b"x")
    assert not is_genuine(path)


def test_laws(distance: PerceptualDistance) -> None:
    first, second = torch.rand(2, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    assert distance.distance(first, first) == 0.0
    whole = distance.distance(first, second)
    assert whole is not None
    assert whole > 0
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[20:40, 20:40] = True
    inside = distance.distance(first, second, mask)
    assert distance.distance(torch.where(mask[..., None], first, 0.0), second, mask) == inside  # what is outside is not seen
    assert distance.distance(torch.where(mask[..., None], second, first), second, mask) == pytest.approx(0.0)
    everything = distance.distance(first, second, torch.ones(64, 64, dtype=torch.bool))
    assert everything == pytest.approx(whole, rel=0.1)  # the map is resampled
    assert distance.distance(first, second, ~torch.ones(64, 64, dtype=torch.bool)) is None
    assert distance.distance(first[:20], second[:20]) is None


def test_images_are_measured_with_it(distance: PerceptualDistance) -> None:
    first, second = torch.rand(2, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    metric = ImageQuality(distance)
    values = metric.update(first, second), metric.update(second, second)
    lpips = [row["lpips"] for row in values]
    assert lpips[1] == 0.0
    assert lpips[0] is not None
    assert metric.compute()["lpips"] == pytest.approx(lpips[0] / 2)
