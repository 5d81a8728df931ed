"""The method `scale3d-splat` as nerfstudio registers it: configurations alone.

nerfstudio imports this file for every command of every method, and an exception here would stop them all: whatever does the
work is imported when a configuration is set up.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from nerfstudio.configs.base_config import MachineConfig, ViewerConfig
from nerfstudio.configs.dataparser_configs import AnnotatedDataParserUnion
from nerfstudio.data.datamanagers.base_datamanager import DataManagerConfig
from nerfstudio.data.datamanagers.full_images_datamanager import FullImageDatamanagerConfig
from nerfstudio.engine.trainer import TrainerConfig
from nerfstudio.models.base_model import ModelConfig
from nerfstudio.pipelines.base_pipeline import VanillaPipelineConfig
from nerfstudio.plugins.types import MethodSpecification

from nerfstudio_plugin.dataparser_config import SceneDataParserConfig
from s3d_splat.config import Config, automatic_preset, load_preset
from s3d_splat.errors import S3DError
from s3d_splat.instances.options import InstanceOptions
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.raster.options import RasterOptions
from s3d_splat.scaffold.options import ScaffoldOptions
from s3d_splat.training.options import TrainingOptions

if TYPE_CHECKING:
    from nerfstudio_plugin.datamanager import SceneDataManager
    from nerfstudio_plugin.model import SplatModel
    from nerfstudio_plugin.pipeline import SplatPipeline
    from nerfstudio_plugin.trainer import SplatTrainer

_ENCODER, _PICTURES, _SEARCH = TextOptions(), PictureOptions(), QueryOptions()


@dataclass
class SceneDataManagerConfig(FullImageDatamanagerConfig):
    """Images of a scene folder, for the viewer and for evaluation."""

    dataparser: AnnotatedDataParserUnion = field(default_factory=SceneDataParserConfig)

    def setup(self, **kwargs: Any) -> SceneDataManager:
        """The data manager."""
        from nerfstudio_plugin.datamanager import SceneDataManager

        return SceneDataManager(self, **kwargs)


@dataclass
class SplatModelConfig(ModelConfig):
    """The options of a run, as `s3d-splat train` has them."""

    enable_collider: bool = False
    scaffold: ScaffoldOptions = field(default_factory=ScaffoldOptions)
    """Sizes of the field and how it starts."""
    training: TrainingOptions = field(default_factory=TrainingOptions)
    """How long and how the field is trained."""
    instances: InstanceOptions = field(default_factory=InstanceOptions)
    """How the objects are found afterwards."""
    raster: RasterOptions = field(default_factory=RasterOptions)
    """Which rasterizer renders."""

    def setup(self, **kwargs: Any) -> SplatModel:
        """The model."""
        from nerfstudio_plugin.model import SplatModel

        return SplatModel(self, **kwargs)

    def run_config(self) -> Config:
        """The same options as the configuration of a run."""
        return Config(scaffold=self.scaffold, training=self.training, instances=self.instances, raster=self.raster)


@dataclass
class SplatPipelineConfig(VanillaPipelineConfig):
    """Scene, model and, while training, the session that both doors share."""

    datamanager: DataManagerConfig = field(default_factory=SceneDataManagerConfig)
    model: ModelConfig = field(default_factory=SplatModelConfig)
    run_folder: Path | None = None
    """Where instances.npz lies; training writes this down for the commands that load the run."""
    # Plain defaults: a config.yml that was written before these existed takes them from the class.
    encoder: TextOptions = _ENCODER
    """Which encoder answers questions in the viewer; ns-viewer takes it from config.yml."""
    pictures: PictureOptions = _PICTURES
    """Which pictures of an object the encoder sees."""
    search: QueryOptions = _SEARCH
    """What counts as a hit."""

    def setup(self, **kwargs: Any) -> SplatPipeline:
        """The pipeline."""
        from nerfstudio_plugin.pipeline import SplatPipeline

        return SplatPipeline(self, **kwargs)


@dataclass
class SplatTrainerConfig(TrainerConfig):
    """nerfstudio's Trainer around our training session."""

    max_num_iterations: int | None = None  # type: ignore[assignment]
    """Steps in all; the same as --pipeline.model.training.steps, which it overrides."""
    steps_per_save: int = 0
    """Checkpoints every so many steps, beside those by the clock (--pipeline.model.training.checkpoint-seconds)."""
    steps_per_eval_batch: int = 0
    steps_per_eval_all_images: int = 0
    vis: Literal[
        "viewer", "wandb", "tensorboard", "comet", "viewer+wandb", "viewer+tensorboard", "viewer+comet", "viewer_legacy"
    ] = "tensorboard"
    """Which visualizer to use; with a viewer the command stays after training, until ctrl+c."""
    run_folder: Path | None = None
    """Where everything is written; if none, a folder under --output-dir, named as nerfstudio does. A run that was
    interrupted there goes on."""

    def setup(self, **kwargs: Any) -> SplatTrainer:
        """The trainer."""
        from nerfstudio_plugin.trainer import SplatTrainer

        return SplatTrainer(self, **kwargs)

    def get_base_dir(self) -> Path:
        """The run folder."""
        named = super().get_base_dir()
        return named if self.run_folder is None else self.run_folder

    def save_config(self) -> None:
        """Write config.yml; what loads it later finds the run through it."""
        self.pipeline.run_folder = self.get_base_dir()  # type: ignore[attr-defined]
        super().save_config()

    def resolved(self, world_size: int = 1) -> SplatTrainerConfig:
        """The configuration with the number of steps settled, and with the device that this machine has.

        Raises:
            S3DError: more than one process.
        """
        if world_size > 1:
            raise S3DError(
                f"{world_size} devices were asked for",
                why="a training of this method runs on one device",
                fix="leave --machine.num-devices and --machine.num-machines at 1",
            )
        model, cuda = self.pipeline.model, torch.cuda.is_available()
        assert isinstance(self.pipeline, SplatPipelineConfig)
        assert isinstance(model, SplatModelConfig)
        steps = model.training.steps if self.max_num_iterations is None else self.max_num_iterations
        device = self.machine.device_type if cuda else "cpu"
        on_cpu = cuda and device == "cpu" and model.raster.backend == "auto"
        raster = replace(model.raster, backend="cpu") if on_cpu else model.raster
        model = replace(model, training=replace(model.training, steps=steps), raster=raster)
        return replace(
            self,
            max_num_iterations=steps,
            machine=replace(self.machine, device_type=device),
            pipeline=replace(self.pipeline, model=model, run_folder=self.get_base_dir()),
        )


def _trainer_config(preset: Config) -> SplatTrainerConfig:
    model = SplatModelConfig(
        scaffold=preset.scaffold, training=preset.training, instances=preset.instances, raster=preset.raster
    )
    return SplatTrainerConfig(
        method_name="scale3d-splat",
        machine=MachineConfig(device_type="cuda" if torch.cuda.is_available() else "cpu"),
        pipeline=SplatPipelineConfig(model=model),
        viewer=ViewerConfig(websocket_host="127.0.0.1"),
        optimizers={},
    )


scale3d_splat = MethodSpecification(
    config=_trainer_config(load_preset(automatic_preset())),
    description="Panoptic Gaussian splats: geometry, looks and instances of a scene folder, with or without a GPU.",
)
