"""Answers to sentences, with a picture, masks and the best hit as splats beside each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s3d_splat.ask.run import SearchableRun, named_encoder, open_searchable, rendered_objects
from s3d_splat.export.coco_masks import CocoMasks
from s3d_splat.export.ply import write_gaussian_ply
from s3d_splat.io.atomic import write_json, write_npz
from s3d_splat.io.results import write_colour_png
from s3d_splat.panoptic.palette import highlighted_picture
from s3d_splat.pipeline.runs import decode
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.priors.text.table import NotingEncoder
from s3d_splat.query.language import parse
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.query.search import Hit
from s3d_splat.query.views import LEAST_PIXELS
from s3d_splat.types import Gaussians


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
    table: Path | None = None,
) -> list[dict[str, Any]]:
    """Answers to sentences, a dict each: `text understood note hits out`; the files of each lie in the folder `out`.

    At most `top` hits, with a score of `threshold` or more. `out` holds a folder for each text; None: RUN/queries. Into the
    file `table` go the vectors of all texts, for the encoder of that name.
    """
    for text in texts:
        parse(text)  # what cannot be understood is said before anything long begins
    found = open_searchable(run_folder, named_encoder(encoder), pictures, again)
    notes = NotingEncoder(found.encoder)
    answers = answers_in_files(replace(found, encoder=notes), texts, options, top, threshold, out or run_folder / "queries")
    if table is not None:
        write_npz(table, **notes.table())
    return answers


def answers_in_files(
    found: SearchableRun, texts: Sequence[str], options: QueryOptions, top: int, threshold: float, out: Path
) -> list[dict[str, Any]]:
    """Ask, and write for each text `answer.json`, and where there is a hit `picture.png`, `masks.json`, `instance.ply`.

    The views are rendered once for all texts.
    """
    reports = [_report(found, text, options, top, threshold, out / folder_name(text)) for text in texts]
    masks = [CocoMasks([hit["id"] for hit in report["hits"]]) for report in reports]
    if any(one.ids for one in masks):
        for name, image in found.shown_views():
            for one in masks:
                one.add(name, image.instances.cpu().numpy())
    for report, one in zip(reports, masks, strict=True):
        folder = Path(report["out"])
        if one.ids:
            _write_picture(found, one.ids, folder / "picture.png")
            write_json(folder / "masks.json", one.as_dict())
            write_gaussian_ply(folder / "instance.ply", _gaussians_of(found, one.ids[0]))
        else:
            for name in ("picture.png", "masks.json", "instance.ply"):  # of an earlier answer
                (folder / name).unlink(missing_ok=True)
        write_json(folder / "answer.json", report)
    return reports


def _report(
    found: SearchableRun, text: str, options: QueryOptions, top: int, threshold: float, folder: Path
) -> dict[str, Any]:
    answer = found.ask(text, options)
    hits = [_described(found, hit) for hit in answer.hits if hit.score >= threshold][:top]
    low = f"the best hit has a score of {answer.hits[0].score:.2f}, under the threshold" if answer.hits else answer.note
    note = "" if hits else low
    return {"text": text, "understood": answer.understood, "note": note, "hits": hits, "out": str(folder)}


def folder_name(text: str) -> str:
    """A folder's name for a text: its letters and digits, and a short hash where others have the same."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]
    kept = plain.replace("-", " ") == text
    return plain if kept and plain else f"{plain or 'text'}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _described(found: SearchableRun, hit: Hit) -> dict[str, Any]:
    """A hit with what a user asks next: where it is in the scene's world, and its size along level axes and upwards."""
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
    with torch.no_grad():
        colour = found.run.rasterizer.render(decode(found.run.field, frame.camera), frame.camera).colour.cpu()
    shown = rendered_objects(found.run, found.instances, frame).instances.cpu()
    write_colour_png(path, highlighted_picture(shown, ids, colour))


def _gaussians_of(found: SearchableRun, id: int) -> Gaussians:
    own = (found.instances.child_instance.reshape(-1) == id).to(found.gaussians.means.device)
    whole = found.gaussians
    return Gaussians(
        whole.means[own], whole.log_scales[own], whole.quaternions[own], whole.opacities[own], whole.colours[own]
    )
