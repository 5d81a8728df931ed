"""Nothing that Python hands over can crash the process: what does not fit is refused by name."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from s3d_splat.native import library
from s3d_splat.native.raster import Bins, Channels, View, project

compiled = pytest.mark.skipif(library.kernels() is None, reason="the kernels are not compiled")
N = 5


def screen() -> list[torch.Tensor]:
    return [torch.rand(N, 2) * 8, torch.tensor([1.0, 0.0, 1.0]).repeat(N, 1), torch.rand(N), torch.rand(N)]


@pytest.mark.parametrize(
    ("tensor", "kind", "message"),
    [
        (torch.zeros(N, 2), ValueError, r"means has shape \(5, 2\), expected \(5, 3\)"),
        (torch.zeros(N, 3).double(), TypeError, r"means is torch\.float64, expected torch\.float32"),
        (torch.zeros(3, N).T, ValueError, "means is not contiguous"),
        (torch.zeros(N, 3, device="meta"), ValueError, "means is on meta"),
    ],
)
def test_what_does_not_fit_is_named(tensor: torch.Tensor, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        library.array(tensor, "means", (N, 3), torch.float32)


@compiled
@pytest.mark.parametrize("which", [1, 2, 3])
def test_every_input_of_the_bins_is_checked(which: int) -> None:
    name = ("means2d", "conics", "opacities", "depths")[which]
    broken = screen()
    broken[which] = broken[which].double()
    with pytest.raises(TypeError, match=rf"{name} is torch\.float64"):
        Bins(*broken, 8, 8)
    broken[which] = torch.stack([screen()[which]] * 2, dim=-1)[..., 0]
    with pytest.raises(ValueError, match=f"{name} is not contiguous"):
        Bins(*broken, 8, 8)


@compiled
def test_other_number_types_and_sizes_are_refused() -> None:
    with pytest.raises(TypeError, match="float32 or float64"):
        Bins(*(t.half() for t in screen()), 8, 8)
    for width, height in ((0, 8), (8, -1), (65536, 8)):
        with pytest.raises(ValueError, match="cannot be rendered"):
            Bins(*screen(), width, height)


@compiled
def test_channels_and_gradients_must_fit_the_bins() -> None:
    bins = Bins(*screen(), 8, 8)
    with pytest.raises(ValueError, match="colours has shape"):
        bins.render(Channels(torch.rand(N + 1, 3), None, None), None)
    with pytest.raises(TypeError, match=r"features is torch\.float64"):
        bins.render(Channels(torch.rand(N, 3), None, torch.rand(N, 2, dtype=torch.float64)), None)
    with pytest.raises(ValueError, match="background has shape"):
        bins.render(Channels(torch.rand(N, 3), None, None), torch.rand(4))
    inputs = Channels(torch.rand(N, 3), None, None)
    images, alpha = bins.render(inputs, None)
    with pytest.raises(ValueError, match="gradient has shape"):
        bins.gradients(inputs, images, alpha, Channels(torch.rand(8, 7, 3), None, None), None, False)
    with pytest.raises(ValueError, match="ids has shape"):
        bins.vote(torch.zeros(N + 1, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"labels is torch\.int32"):
        bins.lift(torch.zeros(8, 8, dtype=torch.int32))


@compiled
def test_a_camera_that_is_not_finite_is_refused() -> None:
    inputs = [torch.rand(N, 3), torch.rand(N, 3), torch.rand(N, 4), torch.rand(N)]
    for index, value in ((3, float("nan")), (12, 0.0), (13, float("inf"))):
        parameters = torch.ones(16, dtype=torch.float64)
        parameters[index] = value
        with pytest.raises(ValueError, match="camera"):
            project(*inputs, View(parameters, 8, 8))


@compiled
def test_screen_values_of_any_kind_are_survived() -> None:
    extremes = torch.tensor([0.0, 1.0, -1.0, 1e-30, 1e30, -1e30, float("inf"), float("-inf"), float("nan"), 3e38])
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return extremes[torch.randint(len(extremes), shape, generator=generator)]

    bins = Bins(draw(3000, 2), draw(3000, 3), draw(3000), draw(3000), 40, 30)
    inputs = Channels(torch.rand(3000, 3), None, None)
    images, alpha = bins.render(inputs, None)
    bins.gradients(inputs, images, alpha, Channels(torch.rand(30, 40, 3), None, None), torch.rand(30, 40), False)
    bins.vote(torch.arange(3000))
    bins.lift(torch.zeros(30, 40, dtype=torch.int64))
    assert bool(torch.isfinite(alpha).all())


@pytest.fixture
def _fresh() -> Iterator[None]:
    library.kernels.cache_clear()
    yield
    library.kernels.cache_clear()


@pytest.mark.usefixtures("_fresh")
def test_without_kernels_one_sentence_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("S3D_SPLAT_KERNELS", str(tmp_path))
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        assert library.kernels() is None
        assert library.kernels() is None
    assert len(caplog.messages) == 1
    assert "slow path" in caplog.messages[0]
    assert "install g++" in caplog.messages[0]
    with pytest.raises(RuntimeError, match="not available"):
        library.call("s3d_project", torch.float32)


@pytest.mark.usefixtures("_fresh")
def test_a_file_that_is_no_library_is_the_slow_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "_kernels.so").write_text("not a library")
    monkeypatch.setenv("S3D_SPLAT_KERNELS", str(tmp_path))
    with caplog.at_level(logging.WARNING, logger="s3d_splat"):
        assert library.kernels() is None
    assert "cannot be loaded" in caplog.messages[0]


def test_serial_torch_leaves_the_kernels_their_threads() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        outside = library.threads()
        with library.serial_torch(), library.serial_torch():
            assert torch.get_num_threads() == 1
            assert library.threads() == outside
        assert torch.get_num_threads() == 2
        with library.serial_torch(False):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@compiled
def test_losses_are_checked_at_the_boundary() -> None:
    from s3d_splat.native.losses import depth_difference, mask_sums

    image, labels = torch.zeros(4, 4, 2), torch.ones(4, 4, dtype=torch.int32)
    with pytest.raises(TypeError, match=r"labels is torch\.int64"):
        mask_sums(image, labels.long(), labels > 0, 1)
    with pytest.raises(ValueError, match="features is not contiguous"):
        mask_sums(image.transpose(0, 1), labels, labels > 0, 1)
    with pytest.raises(TypeError, match=r"alpha is torch\.float64"):
        depth_difference(image[..., 0].contiguous(), torch.zeros(4, 4).double(), torch.zeros(4, 4), 0.5)
