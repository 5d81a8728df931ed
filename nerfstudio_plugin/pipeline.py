"""Scene, model and, while training, the session: what nerfstudio's commands set up from a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from nerfstudio.pipelines.base_pipeline import VanillaPipeline
from nerfstudio.utils.rich_utils import CONSOLE

from nerfstudio_plugin.config import SplatPipelineConfig
from nerfstudio_plugin.datamanager import SceneDataManager
from nerfstudio_plugin.errors import user_errors
from nerfstudio_plugin.model import SplatModel
from nerfstudio_plugin.question_panel import QuestionPanel
from nerfstudio_plugin.start_view import StartView
from s3d_splat.ask.run import LateSearch
from s3d_splat.errors import S3DError
from s3d_splat.io.scene import frames_of
from s3d_splat.pipeline.runs import instances_of
from s3d_splat.query.language import parse
from s3d_splat.query.search import Answer
from s3d_splat.training.session import TrainingSession, open_session


class SplatPipeline(VanillaPipeline):
    """nerfstudio's pipeline; training goes through `session`, which other commands do not have."""

    config: SplatPipelineConfig
    datamanager: SceneDataManager
    session: TrainingSession | None

    def __init__(
        self, config: SplatPipelineConfig, device: torch.device | str, test_mode: str = "val", **kwargs: Any
    ) -> None:
        """`test_mode` is "val" for training; evaluation and viewing load a checkpoint instead of opening a session."""
        with user_errors():
            super().__init__(config, device, test_mode=test_mode, **kwargs)  # type: ignore[arg-type]
            self.session = None
            self._search = LateSearch(config.encoder, config.pictures)
            # nerfstudio's viewer finds these two among the attributes
            self.question_panel = QuestionPanel(self.ask)
            self.start_view = StartView([frame.camera for frame in frames_of(self.datamanager.scene, "train")])
            if test_mode == "val":
                options, model = config.model.run_config(), self.splats  # type: ignore[attr-defined]
                self.session = open_session(self.datamanager.scene, options.scaffold, options.training, model.rasterizer)
                model.field = self.session.field

    @property
    def splats(self) -> SplatModel:
        """The model."""
        model = self.model
        assert isinstance(model, SplatModel)
        return model

    def load_pipeline(self, loaded_state: dict[str, Any], step: int) -> None:
        """Take over a checkpoint's field, and the run folder's instances if they belong to it."""
        with user_errors():
            super().load_pipeline(loaded_state, step)
            self._load_instances()

    def ask(self, text: str) -> Answer:
        """The objects that a sentence names; the model's `relevancy` shows them until the next question.

        The first question loads the encoder, and makes RUN/embeddings.npz where it is missing.

        Raises:
            S3DError: the sentence says nothing or stops short, no objects were found yet, they are no longer those of the
                run folder, or what `open_searchable` needs is missing.
        """
        model, folder = self.splats, self.config.run_folder
        model.answer = None
        parse(text)  # what cannot be understood is said before anything long begins
        if model.instances is None or folder is None:
            raise S3DError(
                "no objects were found yet",
                why="a question is asked of objects, which are found when the training ends",
                fix="let the training end and ask again",
            )
        found = self._search.open(folder)
        if not torch.equal(found.instances.child_instance.cpu(), model.instances.child_instance.cpu()):
            raise S3DError(
                f"{folder} has other objects than are shown",
                why="they were found again or edited since they were loaded",
                fix="open the viewer again",
            )
        model.answer = found.ask(text, self.config.search)
        return model.answer

    def get_train_loss_dict(self, step: int) -> Any:
        """Not for this method, whose Trainer runs whole steps of the session; raises S3DError."""
        raise S3DError(
            "another Trainer than SplatTrainer asked for a loss",
            why="a step of this method decodes, renders, grows and optimises in one",
            fix="train with `ns-train scale3d-splat` and its own Trainer",
        )

    def get_average_eval_image_metrics(
        self, step: int | None = None, output_path: Path | None = None, get_std: bool = False
    ) -> dict[str, float]:
        """Means over the test images; deviations too, where there are at least two images.

        Raises:
            S3DError: the scene has no test images.
        """
        with user_errors():
            count = len(self.datamanager.eval_dataset)
            if count == 0:
                raise S3DError(
                    f"{self.datamanager.scene.root} has no test images",
                    why="metrics are means over test images",
                    fix='give some frames of transforms.json the split "test"',
                )
        return super().get_average_eval_image_metrics(step, output_path, get_std and count > 1)

    def _load_instances(self) -> None:
        folder = self.config.run_folder
        if folder is None or not (folder / "instances.npz").exists():
            CONSOLE.print("no instances were found yet: panoptic outputs are left out")
            return
        assert self.splats.field is not None
        self.splats.instances = instances_of(folder, self.splats.field.anchor_count)
