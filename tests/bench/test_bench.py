"""The benchmarks measure what they say: the fixed scene, the counts, the parts of a step."""

import json
import time
from pathlib import Path

import pytest
import torch

from s3d_splat.bench.options import RasterBench
from s3d_splat.bench.raster import measure_raster, using_threads
from s3d_splat.bench.scenes import screen_scene
from s3d_splat.bench.step import Stopwatch, measure_training
from s3d_splat.cli import main
from s3d_splat.config import Config
from s3d_splat.errors import S3DError
from s3d_splat.native import library
from s3d_splat.native.raster import Bins
from s3d_splat.raster.reference import project
from s3d_splat.scaffold.options import ScaffoldOptions
from s3d_splat.synthetic.generate import write_scene
from s3d_splat.synthetic.options import SynthOptions
from s3d_splat.training.options import TrainingOptions

compiled = pytest.mark.skipif(library.kernels() is None, reason="the kernels are not compiled")
SMALL = RasterBench(width=40, height=24, gaussians=50, channels=5, repeats=1)


def test_the_discs_project_to_the_screen_scene() -> None:
    scene = screen_scene(SMALL)
    means2d, conics, depths, radii = project(scene.gaussians, scene.camera)
    shown = radii > 0
    assert shown.sum() > 40
    torch.testing.assert_close(means2d[shown], scene.means2d[shown], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(conics[shown], scene.conics[shown], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(depths, scene.depths)


def test_the_scene_is_the_same_every_time() -> None:
    assert torch.equal(screen_scene(SMALL).conics, screen_scene(SMALL).conics)


@compiled
def test_contributing_pairs_are_those_of_the_reference() -> None:
    scene = screen_scene(SMALL)
    bins = Bins(scene.means2d, scene.conics, scene.opacities, scene.depths, 40, 24)
    contributing, walked = bins.workload()
    everyone = torch.arange(40 * 24).reshape(24, 40)
    assert contributing == len(bins.lift(everyone)[0])
    assert contributing <= walked <= bins.pairs * 256


@compiled
def test_flops_and_shares_follow_from_counts_and_times() -> None:
    found = measure_raster(SMALL)
    flops = found["contributing_pairs"] * (24 + 2 * 5)
    share = flops / (found["forward_ms"] * 1e-3) / (found["matmul_gflops"] * 1e9)
    assert found["peak_share_forward"] == pytest.approx(share)
    assert found["contributing_pairs_per_pixel"] == pytest.approx(found["contributing_pairs"] / 960)
    seconds = (found["forward_ms"] + found["backward_ms"]) * 1e-3
    assert found["pairs_per_second"] == pytest.approx(found["contributing_pairs"] / seconds)
    assert found["peak_share_lanes"] >= found["peak_share"]


def test_any_rasterizer_can_be_measured() -> None:
    found = measure_raster(RasterBench(width=16, height=16, gaussians=9, channels=1, backend="reference", repeats=1))
    assert found["backend"] == "reference"
    assert found["render_backward_ms"] > 0
    assert "sort_ms" not in found


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with using_threads(1) as used:
        assert used == torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_a_second_belongs_to_the_innermost_function() -> None:
    watch = Stopwatch(torch.device("cpu"))
    inner = watch.timed("inner", lambda: time.sleep(0.02))
    outer = watch.timed("outer", inner)
    outer()
    assert watch.seconds["inner"] >= 0.02
    assert watch.seconds["outer"] < watch.seconds["inner"]


@compiled
def test_the_parts_of_a_step_add_up(tmp_path: Path) -> None:
    write_scene(tmp_path / "scene", SynthOptions(frames=8, width=64, height=48))
    config = Config(scaffold=ScaffoldOptions(), training=TrainingOptions(steps=30))
    found = measure_training(None, tmp_path / "scene", config, "cpu", 0, steps=1)
    assert [stage["stage"] for stage in found["stages"]] == ["appearance", "features", "joint"]
    for stage in found["stages"]:
        parts = stage["parts_ms"]
        assert stage["step_ms"] == pytest.approx(sum(parts.values()))
        assert {"decode", "projection", "sort", "raster_forward", "raster_backward", "adam", "autograd"} <= set(parts)
        assert min(parts.values()) >= 0
        assert stage["first_view"]["tile_intersections"] >= stage["first_view"]["visible_gaussians"]


def test_the_command_prints_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--width", "16", "--height", "16", "--gaussians", "9", "--channels", "4", "--repeats", "1"]
    main(["bench", "raster", "--json", "--backend", "reference", *sizes])
    assert json.loads(capsys.readouterr().out)["channels"] == 4


@pytest.mark.parametrize("name", ["width", "height", "gaussians", "channels", "repeats"])
def test_nothing_cannot_be_measured(name: str) -> None:
    with pytest.raises(S3DError, match=rf"--{name} 0 cannot be measured"):
        measure_raster(RasterBench(**{name: 0}))


def test_threads_cannot_be_negative() -> None:
    with pytest.raises(S3DError, match="--threads -1"):
        measure_raster(RasterBench(threads=-1))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--run", "a", "--scene", "b"], "--run and --scene exclude each other"),
        (["--scene", "a", "--steps", "0"], "--steps 0 measures nothing"),
    ],
)
def test_mistakes_on_the_command_line(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["bench", "raster", *flags])
    assert message in capsys.readouterr().err
