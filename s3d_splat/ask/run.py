"""A trained run that can be asked: what geometry knows of its objects, and their vectors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from s3d_splat.console import progress
from s3d_splat.editing.store import EDITS
from s3d_splat.errors import S3DError
from s3d_splat.io.checkpoints import latest_checkpoint
from s3d_splat.io.observations import load_observation
from s3d_splat.io.transforms import frame_name
from s3d_splat.panoptic.render import render_panoptic
from s3d_splat.pipeline.runs import TrainedRun, decode, instances_of, open_trained
from s3d_splat.priors.text.base import TextEncoder
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.priors.text.registry import make_text_encoder
from s3d_splat.query.embed import View, embed_objects
from s3d_splat.query.objects import object_table
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.query.search import Answer, search
from s3d_splat.query.store import fingerprints, read_embeddings, write_embeddings
from s3d_splat.query.values import InstanceEmbeddings, ObjectTable, Viewpoints
from s3d_splat.query.views import LEAST_PIXELS, Look, look_at_objects
from s3d_splat.types import Frame, Gaussians, InstanceSet, PanopticImage

_SIDES = 9  # cameras that tell an object's colour

log = logging.getLogger("s3d_splat")


@dataclass(frozen=True)
class SearchableRun:
    """A trained run whose objects have vectors."""

    run: TrainedRun
    instances: InstanceSet
    gaussians: Gaussians  # in the colours that they have from most sides
    objects: ObjectTable
    embeddings: InstanceEmbeddings
    viewpoints: Viewpoints
    encoder: TextEncoder

    def shown_views(self) -> Iterator[tuple[str, PanopticImage]]:
        """File name and rendered objects of every test view, or of every train view where there are no test views."""
        scene = self.run.scene
        frames = [frame for frame in scene.frames if frame.split == "test"] or scene.frames
        with progress("rendering the views") as advance:
            for number, frame in enumerate(frames, start=1):
                yield f"{frame_name(frame.file_path)}.png", rendered_objects(self.run, self.instances, frame)
                advance(number, len(frames))

    def ask(self, text: str, options: QueryOptions) -> Answer:
        """The objects that a sentence names, best first.

        Raises:
            S3DError: the sentence says nothing, or ends before it says what it relates to.
        """
        return search(text, self.objects, self.embeddings, self.encoder.encode_texts, self.viewpoints, options)


def open_searchable(
    run_folder: Path,
    encoder: Callable[[], TextEncoder],
    pictures: PictureOptions,
    again: bool = False,
) -> SearchableRun:
    """A run with the vectors of its objects, which are made where they are missing, or all of them `again`.

    The encoder is loaded once it is known that the run can be asked.

    Raises:
        S3DError: no trained run, no objects, or vectors of another encoder.
    """
    run = open_trained(run_folder)
    instances = instances_of(run_folder, run.field.anchor_count, run.field.options.children)
    frames = [frame for frame in run.scene.frames if frame.split == "train"]
    gaussians = _seen_from_all_sides(run, frames)
    names = {entry.id: entry.name for entry in run.scene.classes}
    objects = object_table(gaussians, instances, names, [frame.camera for frame in frames])
    if not len(objects.id):
        raise S3DError(
            f"{run_folder} has no objects", why="a question is asked of objects", fix=f"s3d-splat aggregate {run_folder}"
        )
    model = encoder()
    embeddings = _embeddings(run, instances, objects, frames, model, pictures, again)
    poses = torch.stack([frame.camera.T_world_camera for frame in frames]).double().numpy()
    viewpoints = Viewpoints(poses, embeddings.pixels >= LEAST_PIXELS)
    return SearchableRun(run, instances, gaussians, objects, embeddings, viewpoints, model)


def rendered_objects(run: TrainedRun, instances: InstanceSet, frame: Frame) -> PanopticImage:
    """Which object each pixel of a frame shows, as the run renders it."""
    child = instances.child_instance.reshape(-1)
    return render_panoptic(decode(run.field, frame.camera), child, instances, run.rasterizer, frame.camera)


def named_encoder(options: TextOptions) -> Callable[[], TextEncoder]:
    """What loads the encoder that the options name, for `open_searchable`."""
    return lambda: make_text_encoder(options)


class LateSearch:
    """A run to be asked while a program is open that has other things to do: it is opened with the first question.

    Run and encoder are kept then, the encoder even if the run could not be opened.
    """

    def __init__(self, encoder: TextOptions, pictures: PictureOptions) -> None:
        """As `open_searchable` takes them; nothing is loaded."""
        self._options, self._pictures = encoder, pictures
        self._encoder: TextEncoder | None = None
        self._run: SearchableRun | None = None

    def open(self, run_folder: Path) -> SearchableRun:
        """The run, as it was when it was opened first; it is not read again. Raises S3DError, see `open_searchable`."""
        if self._run is None:
            self._run = open_searchable(run_folder, self._loaded, self._pictures)
        return self._run

    def _loaded(self) -> TextEncoder:
        if self._encoder is None:
            self._encoder = make_text_encoder(self._options)
        return self._encoder


def _embeddings(
    run: TrainedRun,
    instances: InstanceSet,
    objects: ObjectTable,
    frames: Sequence[Frame],
    encoder: TextEncoder,
    pictures: PictureOptions,
    again: bool,
) -> InstanceEmbeddings:
    path = run.folder.root / "embeddings.npz"
    checkpoint = latest_checkpoint(run.folder.checkpoints)
    field = f"{run.folder.info.scene_hash} {checkpoint.name if checkpoint else ''}"
    prints = fingerprints(instances)
    known = None if again else read_embeddings(path, encoder.name, prints, field, pictures)
    if known is not None and np.array_equal(known.id, objects.id):
        return known
    views = [View(frame.file_path, _look(run, instances, frame)) for frame in frames]
    with progress("looking at the objects") as advance:
        looks = [_counted(view.look, number, len(views), advance) for number, view in enumerate(views, start=1)]
        rotation = objects.T_upright_world[:3, :3]
        seen = look_at_objects(looks, objects.id, [points @ rotation for points in objects.points])
    with progress("encoding the objects") as advance:
        made = embed_objects(views, seen, objects.id, encoder, pictures, known, lambda share: advance(int(100 * share), 100))
    write_embeddings(path, made, prints, field, pictures)
    fresh = len(objects.id) - (0 if known is None else np.isin(objects.id, known.id).sum())
    log.info("%d of %d objects have new vectors, %s", fresh, len(objects.id), path)
    return made


def _seen_from_all_sides(run: TrainedRun, frames: Sequence[Frame]) -> Gaussians:
    """The Gaussians with the median of their colours over a few cameras: what gleams to one of them is no colour."""
    few = [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, _SIDES).round().astype(int))]
    seen = [decode(run.field, frame.camera) for frame in few]
    return replace(seen[0], colours=torch.stack([one.colours for one in seen]).median(dim=0).values)


def _look(run: TrainedRun, instances: InstanceSet, frame: Frame) -> Callable[[], Look]:
    def look() -> Look:
        rendered = rendered_objects(run, instances, frame)
        if (run.folder.root / EDITS).exists():  # the photographs show what was there before
            return Look(frame.camera, rendered.instances.cpu().numpy(), _rendered_image(run, frame))
        observed = load_observation(frame)
        given = None if observed.instances is None else observed.instances.numpy()
        return Look(frame.camera, rendered.instances.cpu().numpy(), observed.image.numpy(), given)

    return look


def _rendered_image(run: TrainedRun, frame: Frame) -> UInt8[np.ndarray, "h w 3"]:
    with torch.no_grad():
        colour = run.rasterizer.render(decode(run.field, frame.camera), frame.camera).colour
    return (255 * colour.clamp(0, 1)).round().to(torch.uint8).cpu().numpy()


def _counted(look: Callable[[], Look], number: int, total: int, advance: Callable[[int, int], None]) -> Callable[[], Look]:
    def counted() -> Look:
        advance(number, total)
        return look()

    return counted
