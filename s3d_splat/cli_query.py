"""`s3d-splat query ...`: objects by what they are called."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import FlagCreatePairsOff, arg

from s3d_splat.cli_evaluate import Json
from s3d_splat.errors import S3DError
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions

_TEXT, _PICTURES, _QUERY = TextOptions(), PictureOptions(), QueryOptions()


def query(
    run: Annotated[Path, arg(metavar="RUN")],
    text: Annotated[tuple[str, ...], arg(metavar="TEXT ...")] = (),
    /,
    top: int = 5,
    threshold: float = 0.0,
    labels: str | None = None,
    out: Path | None = None,
    again: Annotated[bool, FlagCreatePairsOff] = False,
    table: Path | None = None,
    encoder: Annotated[TextOptions, arg(name="")] = _TEXT,
    pictures: PictureOptions = _PICTURES,
    options: Annotated[QueryOptions, arg(name="search")] = _QUERY,
    json_output: Json = False,
) -> None:
    """Find objects of a trained run by sentences: "the blue chair by the window".

    Writes for each text a picture with the hits, their masks in the test views (COCO RLE) and the best hit as a PLY.

    Args:
        run: A trained run folder; the vectors of its objects are kept in RUN/embeddings.npz.
        text: What to look for; quote each one.
        top: Hits of each text, at most.
        threshold: The least score of a hit, 0..1.
        labels: Name every object instead: a file with class names (one a line, or JSON), or scannet19, scannet15, scannet10.
        out: Where files go; RUN/queries unless given.
        again: Make the vectors of all objects again, with the encoder that is asked for.
        table: An npz file for the vectors of these texts: with RUN/embeddings.npz it answers them again on a machine without
            the encoder (--encoder table --embeddings FILE).
    """
    if bool(text) == (labels is not None):
        raise S3DError(
            "a query needs a text or --labels, and not both",
            why="it looks for what a sentence says, or names every object",
            fix=f's3d-splat query {run} "a red chair"',
        )
    if top < 1 or not 0 <= threshold <= 1:
        raise S3DError(
            f"--top {top} and --threshold {threshold} leave nothing to find",
            why="scores are 0..1",
            fix="give --top 1 or more, and a threshold from 0 to 1",
        )
    from s3d_splat.ask.answers import query as ask
    from s3d_splat.ask.labels import label

    if labels is not None:
        found = label(run, labels, encoder, pictures, options, out, again)
        print(json.dumps(found, allow_nan=False)) if json_output else _print_labels(found)
        return
    answers = ask(run, text, encoder, pictures, options, top, threshold, out, again, table)
    if json_output:
        print(json.dumps({"answers": answers}, allow_nan=False))
    else:
        for answer in answers:
            _print_answer(answer)


def _print_answer(answer: Mapping[str, Any]) -> None:
    from s3d_splat.console import rows_table

    print(f"{answer['text']!r} understood as: {answer['understood']}")
    if not answer["hits"]:
        print(f"no hit: {answer['note']}\n")
        return
    rows_table("", [_row(hit) for hit in answer["hits"]])
    print(f"picture, masks and PLY: {answer['out']}\n")


def _row(hit: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": hit["id"],
        "class": hit["class"] or "-",
        "score": f"{hit['score']:.2f}",
        "position (m)": _metres(hit["position"], ", "),
        "size (m)": _metres(hit["size"], " x "),
        "because": ", ".join(f"{word} {factor:.2f}" for word, factor in hit["reasons"].items()) or "-",
    }


def _print_labels(found: Mapping[str, Any]) -> None:
    from s3d_splat.console import rows_table

    rows_table("", [{**row, "cosine": f"{row['cosine']:.3f}"} for row in found["objects"]])
    print(f"labels of the test views: {found['out']}\nnext: {found['next']}")


def _metres(values: Sequence[float], between: str) -> str:
    return between.join(f"{value:.2f}" for value in values)
