"""Names for all objects of a run, from a list of classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from s3d_splat.ask.run import named_encoder, open_searchable
from s3d_splat.io.atomic import write_json
from s3d_splat.io.results import write_id_png
from s3d_splat.io.run_folder import open_run, scene_of
from s3d_splat.io.scene import load_scene
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.query.class_lists import class_list
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.query.scores import best_labels, text_vectors
from s3d_splat.types import ClassInfo, InstanceSet


def label(
    run_folder: Path,
    source: str,
    encoder: TextOptions,
    pictures: PictureOptions,
    options: QueryOptions,
    out: Path | None,
    again: bool,
) -> dict[str, Any]:
    """Every object gets the best of a list of classes (see `class_list`).

    `out` (None: RUN/labels) is a folder that `evaluate panoptic --pred` takes: `instances/` and `semantics/` of the test
    views (of the train views where there are none), `classes.json`.
    """
    scene = load_scene(scene_of(open_run(run_folder)))
    classes = class_list(source, scene.classes)
    found = open_searchable(run_folder, named_encoder(encoder), pictures, again)
    names = [entry.name for entry in classes]
    best, cosine = best_labels(found.embeddings.vector, text_vectors(names, found.encoder.encode_texts, options.templates))
    class_of = {int(id): classes[row] for id, row in zip(found.embeddings.id, best, strict=True) if row >= 0}
    labelled = replace(found, instances=_with_classes(found.instances, class_of))
    folder = out or run_folder / "labels"
    for name, image in labelled.shown_views():
        write_id_png(folder / "instances" / name, image.instances.cpu())
        write_id_png(folder / "semantics" / name, image.semantics.cpu())
    write_json(folder / "classes.json", [{"id": e.id, "name": e.name, "is_thing": e.is_thing} for e in classes])
    rows = [
        {"id": int(id), "class": class_of[int(id)].name if int(id) in class_of else None, "cosine": float(value)}
        for id, value in zip(found.embeddings.id, cosine, strict=True)
    ]
    truth = run_folder / "eval" / "truth"
    then = f"s3d-splat evaluate panoptic --pred {folder} --truth {truth}"
    before = "" if truth.is_dir() else f"s3d-splat evaluate run {run_folder}; "
    return {"objects": rows, "classes": names, "out": str(folder), "next": before + then}


def _with_classes(instances: InstanceSet, class_of: Mapping[int, ClassInfo]) -> InstanceSet:
    """The same objects with other classes; an object without one has class 0."""
    entries = [class_of.get(id) for id in instances.instance_id.tolist()]
    class_id = torch.tensor([entry.id if entry else 0 for entry in entries], dtype=torch.int32)
    is_thing = torch.tensor([int(entry.is_thing) if entry else 1 for entry in entries], dtype=torch.int32)
    return replace(instances, class_id=class_id, is_thing=is_thing)
