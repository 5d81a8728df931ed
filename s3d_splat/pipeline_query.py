"""Questions to a trained run: vectors for its objects, answers to sentences, and what is left in files for each."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s3d_splat.console import progress
from s3d_splat.errors import S3DError
from s3d_splat.export.ply import write_gaussian_ply
from s3d_splat.io.atomic import write_json
from s3d_splat.io.checkpoints import latest_checkpoint
from s3d_splat.io.observations import load_observation
from s3d_splat.io.results import read_instances, write_colour_png, write_id_png
from s3d_splat.io.run_folder import open_run, scene_of
from s3d_splat.io.scene import load_scene
from s3d_splat.io.transforms import frame_name
from s3d_splat.panoptic.palette import highlighted_picture
from s3d_splat.panoptic.render import render_panoptic
from s3d_splat.pipeline import TrainedRun, decode, open_trained
from s3d_splat.priors.text.base import TextEncoder
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.priors.text.registry import make_text_encoder
from s3d_splat.query.class_lists import class_list
from s3d_splat.query.embed import View, embed_objects
from s3d_splat.query.language import parse
from s3d_splat.query.objects import object_table
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.query.scores import best_labels, text_vectors
from s3d_splat.query.search import Answer, Hit, search
from s3d_splat.query.store import fingerprints, read_embeddings, write_embeddings
from s3d_splat.query.values import InstanceEmbeddings, ObjectTable, Viewpoints
from s3d_splat.query.views import LEAST_PIXELS, Look, look_at_objects
from s3d_splat.types import ClassInfo, Frame, Gaussians, InstanceSet

log = logging.getLogger("s3d_splat")


@dataclass(frozen=True)
class SearchableRun:
    """A trained run whose objects have vectors."""

    run: TrainedRun
    instances: InstanceSet
    gaussians: Gaussians  # as the first frame sees them
    objects: ObjectTable
    embeddings: InstanceEmbeddings
    viewpoints: Viewpoints
    encoder: TextEncoder

    def ask(self, text: str, options: QueryOptions) -> Answer:
        """The objects that a sentence names, best first.

        Raises:
            S3DError: the sentence says nothing, or ends before it says what it relates to.
        """
        return search(text, self.objects, self.embeddings, self.encoder.encode_texts, self.viewpoints, options)


def open_searchable(
    run_folder: Path,
    encoder: TextEncoder | Callable[[], TextEncoder],
    pictures: PictureOptions,
    again: bool = False,
) -> SearchableRun:
    """A run with the vectors of its objects, which are made where they are missing, or all of them `again`.

    Raises:
        S3DError: no trained run, no objects, or vectors of another encoder.
    """
    run = open_trained(run_folder)
    instances = read_instances(run.folder.instances)
    frames = [frame for frame in run.scene.frames if frame.split == "train"]
    gaussians = decode(run.field, frames[0].camera)
    names = {entry.id: entry.name for entry in run.scene.classes}
    objects = object_table(gaussians, instances, names, [frame.camera for frame in frames])
    if not len(objects.id):
        raise S3DError(
            f"{run_folder} has no objects", why="a question is asked of objects", fix=f"s3d-splat aggregate {run_folder}"
        )
    model = encoder if isinstance(encoder, TextEncoder) else encoder()
    embeddings = _embeddings(run, instances, objects, frames, model, pictures, again)
    poses = torch.stack([frame.camera.T_world_camera for frame in frames]).double().numpy()
    viewpoints = Viewpoints(poses, embeddings.pixels >= LEAST_PIXELS)
    return SearchableRun(run, instances, gaussians, objects, embeddings, viewpoints, model)


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


def query(
    run_folder: Path,
    texts: Sequence[str],
    encoder: TextOptions,
    pictures: PictureOptions,
    options: QueryOptions,
    top: int,
    threshold: float,
    out: Path | None,
    again: bool,
) -> list[dict[str, Any]]:
    """Answers to sentences, a dict each: `text understood note hits out`; the files of each lie in the folder `out`.

    At most `top` hits, with a score of `threshold` or more. `out` holds a folder for each text; None: RUN/queries.
    """
    for text in texts:
        parse(text)  # what cannot be understood is said before anything long begins
    found = open_searchable(run_folder, lambda: make_text_encoder(encoder), pictures, again)
    return [answer_in_files(found, text, options, top, threshold, out or run_folder / "queries") for text in texts]


def answer_in_files(
    found: SearchableRun, text: str, options: QueryOptions, top: int, threshold: float, out: Path
) -> dict[str, Any]:
    """Ask one question and write `answer.json`, and where there is a hit `picture.png`, `masks.json`, `instance.ply`."""
    answer = found.ask(text, options)
    folder = out / folder_name(text)
    hits = [_described(found, hit) for hit in answer.hits if hit.score >= threshold][:top]
    low = f"the best hit has a score of {answer.hits[0].score:.2f}, under the threshold" if answer.hits else answer.note
    note = "" if hits else low
    report = {"text": text, "understood": answer.understood, "note": note, "hits": hits, "out": str(folder)}
    if not hits:
        for name in ("picture.png", "masks.json", "instance.ply"):  # of an earlier answer
            (folder / name).unlink(missing_ok=True)
    else:
        ids = [hit["id"] for hit in hits]
        _write_picture(found, ids, folder / "picture.png")
        write_json(folder / "masks.json", _masks(found, ids))
        write_gaussian_ply(folder / "instance.ply", _gaussians_of(found, ids[0]))
    write_json(folder / "answer.json", report)
    return report


def label(
    run_folder: Path,
    source: str,
    encoder: TextOptions,
    pictures: PictureOptions,
    options: QueryOptions,
    out: Path | None,
    again: bool,
) -> dict[str, Any]:
    """Every object gets the best of a list of classes (see `class_list`); the test views are written with them.

    `out` (None: RUN/labels) is a folder that `evaluate panoptic --pred` takes: `instances/`, `semantics/`, `classes.json`.
    """
    scene = load_scene(scene_of(open_run(run_folder)))
    classes = class_list(source, scene.classes)
    found = open_searchable(run_folder, lambda: make_text_encoder(encoder), pictures, again)
    names = [entry.name for entry in classes]
    best, cosine = best_labels(found.embeddings.vector, text_vectors(names, found.encoder.encode_texts, options.templates))
    class_of = {int(id): classes[row] for id, row in zip(found.embeddings.id, best, strict=True) if row >= 0}
    labelled = _with_classes(found.instances, class_of)
    folder = out or run_folder / "labels"
    child = labelled.child_instance.reshape(-1)
    run = found.run
    for frame in (frame for frame in run.scene.frames if frame.split == "test"):
        image = render_panoptic(decode(run.field, frame.camera), child, labelled, run.rasterizer, frame.camera)
        name = f"{frame_name(frame.file_path)}.png"
        write_id_png(folder / "instances" / name, image.instances.cpu())
        write_id_png(folder / "semantics" / name, image.semantics.cpu())
    write_json(folder / "classes.json", [{"id": e.id, "name": e.name, "is_thing": e.is_thing} for e in classes])
    rows = [
        {"id": int(id), "class": class_of[int(id)].name if int(id) in class_of else None, "cosine": float(value)}
        for id, value in zip(found.embeddings.id, cosine, strict=True)
    ]
    truth = run_folder / "eval" / "truth"
    then = f"s3d-splat evaluate panoptic --pred {folder} --truth {truth}"
    return {"objects": rows, "classes": names, "out": str(folder), "next": then}


def folder_name(text: str) -> str:
    """A folder's name for a text: its letters and digits, and a short hash where others have the same."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]
    kept = plain.replace("-", " ") == text
    return plain if kept and plain else f"{plain or 'text'}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


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


def _with_classes(instances: InstanceSet, class_of: Mapping[int, ClassInfo]) -> InstanceSet:
    """The same objects with other classes; an object without one has class 0."""
    entries = [class_of.get(id) for id in instances.instance_id.tolist()]
    class_id = torch.tensor([entry.id if entry else 0 for entry in entries], dtype=torch.int32)
    is_thing = torch.tensor([int(entry.is_thing) if entry else 1 for entry in entries], dtype=torch.int32)
    return replace(instances, class_id=class_id, is_thing=is_thing)


def _look(run: TrainedRun, instances: InstanceSet, frame: Frame) -> Callable[[], Look]:
    child = instances.child_instance.reshape(-1)

    def look() -> Look:
        observed = load_observation(frame)
        rendered = render_panoptic(decode(run.field, frame.camera), child, instances, run.rasterizer, frame.camera)
        given = None if observed.instances is None else observed.instances.numpy()
        return Look(frame.camera, rendered.instances.cpu().numpy(), observed.image.numpy(), given)

    return look


def _counted(look: Callable[[], Look], number: int, total: int, advance: Callable[[int, int], None]) -> Callable[[], Look]:
    def counted() -> Look:
        advance(number, total)
        return look()

    return counted


def _described(found: SearchableRun, hit: Hit) -> dict[str, Any]:
    """A hit with what a user asks next: where it is and how large, in the scene's world."""
    row = int(np.searchsorted(found.objects.id, hit.id))
    low, high = found.objects.box[row]
    return {
        "id": hit.id,
        "class": found.objects.class_name[row],
        "score": hit.score,
        "cosine": hit.cosine,
        "relevancy": hit.relevancy,
        "reasons": dict(hit.reasons),
        "position": (found.objects.centre[row] @ found.objects.T_upright_world[:3, :3]).tolist(),
        "size": (high - low).tolist(),
        "spread": float(found.embeddings.spread[row]),
    }


def _write_picture(found: SearchableRun, ids: Sequence[int], path: Path) -> None:
    """The view that shows the best hit well and most of the others, with all else in grey."""
    weight = {crop.frame: crop.weight for crop in found.embeddings.crops if crop.id == ids[0]}
    others = found.embeddings.pixels[:, np.searchsorted(found.embeddings.id, ids[1:])] >= LEAST_PIXELS
    also = dict(zip(found.embeddings.frames, others.sum(axis=1) / max(len(ids) - 1, 1), strict=True))
    best = max(found.embeddings.frames, key=lambda name: weight.get(name, 0.0) * (1 + also[name]))
    frame = next(frame for frame in found.run.scene.frames if frame.file_path == best)
    gaussians = decode(found.run.field, frame.camera)
    with torch.no_grad():
        colour = found.run.rasterizer.render(gaussians, frame.camera).colour.cpu()
    child = found.instances.child_instance.reshape(-1)
    panoptic = render_panoptic(gaussians, child, found.instances, found.run.rasterizer, frame.camera)
    write_colour_png(path, highlighted_picture(panoptic.instances.cpu(), ids, colour))


def _masks(found: SearchableRun, ids: Sequence[int]) -> dict[str, Any]:
    """COCO's dict of the test views (of the train views where there are none): compressed RLE masks, a category each hit."""
    from pycocotools import mask as coco

    frames = [f for f in found.run.scene.frames if f.split == "test"] or list(found.run.scene.frames)
    child = found.instances.child_instance.reshape(-1)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, frame in enumerate(frames, start=1):
        camera = frame.camera
        name = f"{frame_name(frame.file_path)}.png"
        images.append({"id": number, "file_name": name, "width": camera.width, "height": camera.height})
        gaussians = decode(found.run.field, camera)
        rendered = render_panoptic(gaussians, child, found.instances, found.run.rasterizer, camera).instances.cpu().numpy()
        for id in ids:
            mask = np.asfortranarray(rendered == id, dtype=np.uint8)
            if mask.any():
                encoded = coco.encode(mask)
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": id,
                        "segmentation": {"size": list(encoded["size"]), "counts": encoded["counts"].decode("ascii")},
                        "area": int(mask.sum()),
                        "bbox": coco.toBbox(encoded).tolist(),
                        "iscrowd": 0,
                    }
                )
    categories = [{"id": int(id), "name": f"instance {id}"} for id in ids]
    return {"images": images, "annotations": annotations, "categories": categories}


def _gaussians_of(found: SearchableRun, id: int) -> Gaussians:
    own = (found.instances.child_instance.reshape(-1) == id).to(found.gaussians.means.device)
    whole = found.gaussians
    return Gaussians(
        whole.means[own], whole.log_scales[own], whole.quaternions[own], whole.opacities[own], whole.colours[own]
    )
