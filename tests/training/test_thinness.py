"""The thinness term in a training: off unless asked for, and measured against the anchors' voxel."""

from pathlib import Path

from s3d_splat.io.scene import load_scene
from s3d_splat.raster.options import RasterOptions
from s3d_splat.raster.registry import make_rasterizer
from s3d_splat.scaffold.options import ScaffoldOptions
from s3d_splat.training.losses import thinness_loss
from s3d_splat.training.options import LossWeights, TrainingOptions
from s3d_splat.training.session import TrainingSession, open_session
from tests.scene_fixtures import write_tiny_scene


def session(folder: Path, weight: float, thickness: float) -> TrainingSession:
    training = TrainingOptions(steps=4, weights=LossWeights(thin=weight), min_thickness=thickness)
    scaffold = ScaffoldOptions(anchors=40)
    return open_session(
        load_scene(write_tiny_scene(folder)), scaffold, training, make_rasterizer(RasterOptions(backend="cpu"))
    )


def test_without_a_weight_there_is_no_such_term(tmp_path: Path):
    assert "thin" not in session(tmp_path / "scene", 0.0, 1.0).step().losses


def test_the_limit_is_a_share_of_the_voxel_and_the_weight_reaches_the_total(tmp_path: Path):
    training = session(tmp_path / "scene", 0.5, 2.0)
    camera = training._view_of_step()[0].camera
    expected = float(thinness_loss(training.field.decode(camera).log_scales, 2.0 * training.voxel).detach())
    losses = training.step().losses
    others = losses["image"] + TrainingOptions().weights.depth * losses.get("depth", 0.0)
    assert abs(losses["thin"] - expected) < 0.2 * expected  # the anchors in view stand for all
    assert abs(losses["loss"] - others - 0.5 * losses["thin"]) < 1e-5
