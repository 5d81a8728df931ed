"""Are the right objects found in trained built-in rooms?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from benchmarks.queries.questions import QUESTIONS, RoomQuestion
from s3d_splat.ask.run import SearchableRun, open_searchable
from s3d_splat.io.images import read_counts
from s3d_splat.priors.text.base import TextEncoder
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions


def ask_room(
    run: Path, seed: int, encoder: TextEncoder, questions: Sequence[RoomQuestion] = QUESTIONS
) -> list[dict[str, Any]]:
    """A row for each question to the run of a room: `text kind expected found right iou understood note`.

    `right`: the first hit is the object that is meant (the true object that it overlaps most in the test views), or there is
    none where nothing is meant. `iou` is that of the first hit's rendered masks with the meant object's true ones over all
    test views, 0 for a wrong hit or none; None where nothing is meant.
    """
    found = open_searchable(run, lambda: encoder, PictureOptions())
    names = {entry.id: entry.name or entry.class_name for entry in found.run.scene.instances}
    ious, ids = overlaps(found)
    rows = []
    for question in questions:
        answer = found.ask(question.text, QueryOptions())
        best = answer.hits[0].id if answer.hits else None
        column = None if best is None else ious[best]
        meant = question.answer(seed)
        said = None if column is None or not column.any() else names[ids[int(column.argmax())]]
        right = best is None if meant is None else said == meant
        rows.append(
            {
                "text": question.text,
                "kind": question.kind,
                "expected": meant,
                "found": said if best is not None else None,
                "right": right,
                "iou": None if meant is None else float(column.max()) if right and column is not None else 0.0,
                "understood": answer.understood,
                "note": answer.note,
            }
        )
    return rows


def overlaps(found: SearchableRun) -> tuple[Mapping[int, Float[np.ndarray, " t"]], list[int]]:
    """For each object of a run its IoU with every true object over all test views, and the true ids."""
    root = found.run.scene.root / "truth" / "instances"
    true = [entry.id for entry in found.run.scene.instances]
    ours = found.objects.id.tolist()
    both = np.zeros((max(ours) + 1, max(true) + 1), dtype=np.int64)
    for name, image in found.shown_views():
        truth = read_counts(root / name, "instances", where=str(root)).astype(np.int64)
        np.add.at(both, (image.instances.cpu().numpy().ravel(), truth.ravel()), 1)
    union = both.sum(axis=1)[:, None] + both.sum(axis=0)[None] - both
    iou = both / np.maximum(union, 1)
    return {id: iou[id, true] for id in ours}, true


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Shares of right answers, over all questions and by kind, and the mean IoU over those that mean something."""
    ious = [row["iou"] for row in rows if row["iou"] is not None]
    kinds = dict.fromkeys(row["kind"] for row in rows)
    by_kind = {kind: [row["right"] for row in rows if row["kind"] == kind] for kind in kinds}
    return {
        "questions": len(rows),
        "accuracy": sum(row["right"] for row in rows) / len(rows),
        "miou": sum(ious) / len(ious),
        **{f"accuracy_{kind}": sum(right) / len(right) for kind, right in by_kind.items()},
    }
