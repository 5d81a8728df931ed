"""`s3d-splat view ...`: a trained run in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from s3d_splat.priors.text.options import TextOptions
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.viewer.options import ViewOptions

_VIEW, _TEXT, _PICTURES, _QUERY = ViewOptions(), TextOptions(), PictureOptions(), QueryOptions()


def view(
    run: Annotated[Path, arg(metavar="RUN")],
    /,
    options: Annotated[ViewOptions, arg(name="")] = _VIEW,
    encoder: Annotated[TextOptions, arg(name="")] = _TEXT,
    pictures: PictureOptions = _PICTURES,
    search: QueryOptions = _QUERY,
) -> None:
    """Look at a trained run in the browser: click, search, edit, save as a new run.

    Args:
        run: A trained run folder; with --watch also one whose training is still going on.
    """
    from s3d_splat.ask.run import LateSearch
    from s3d_splat.viewer.guard import is_loopback
    from s3d_splat.viewer.server import Viewer

    viewer = Viewer(run, options, lambda: LateSearch(encoder, pictures), search)
    print(f"{run} is shown at {viewer.url}  (Ctrl+C ends it)", flush=True)
    if not is_loopback(options.host):
        print("everybody who reaches this address can look, edit and save new runs beside this one", flush=True)
    try:
        viewer.wait()
    finally:
        viewer.stop()
