"""How fast the viewer is for who uses it: pictures a second while the camera moves, and how long a click takes.

    python -m benchmarks.viewer RUN [--seconds 8] [--out viewer.json]

A headless Chromium on the same machine shows the run in a view of 640 x 480 pixels, drags the camera around and clicks on
objects. What is measured, is measured in the page: pictures as they arrive, and from the release of the mouse button to the
name of the object in the sidebar and to the picture with its outline. Chromium draws without a graphics card here, and takes
its share of the processor from the viewer.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command line does

from s3d_splat.ask.run import LateSearch
from s3d_splat.io.atomic import write_json
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.viewer.options import ViewOptions
from s3d_splat.viewer.server import Viewer
from s3d_splat.viewer.session import Session
from tests.viewer.browser import Browser, Page, wait_until

WINDOW = 960, 567  # leaves 640 x 480 for the picture: the rest is the sidebar and what Chromium puts around a page
CLICKS = 12
_WATCH = """(() => {
  window.arrivals = [];
  const made = URL.createObjectURL;
  URL.createObjectURL = (blob) => { if ((blob.type || '').startsWith('image/')) window.arrivals.push(performance.now());
                                    return made(blob); };
  window.told = 0; window.released = 0;
  new MutationObserver(() => { window.told = window.told || performance.now() })
    .observe(document.body, {subtree: true, childList: true, characterData: true});
  window.addEventListener('pointerup', () => {
    window.released = performance.now(); window.told = 0; window.arrivals = [];
  }, true);
})()"""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seconds", type=float, default=8.0, help="of movement")
    parser.add_argument("--port", type=int, default=8497)
    parser.add_argument("--out", type=Path, help="JSON with the figures")
    given = parser.parse_args()
    figures = measured(given.run, given.seconds, given.port)
    for name, value in figures.items():
        print(f"{name:32} {value:.1f}" if isinstance(value, float) else f"{name:32} {value}")
    if given.out:
        write_json(given.out, figures)


def measured(run: Path, seconds: float, port: int) -> dict[str, Any]:
    """The figures of one run."""
    options = ViewOptions(port=port)
    viewer = Viewer(run, options, lambda: LateSearch(TextOptions(), PictureOptions()), QueryOptions())
    with contextlib.closing(Browser(*WINDOW)) as browser:
        viewer.document.evidence.gather()
        page = browser.open(viewer.url)
        session: Session = wait_until(lambda: next(iter(viewer.sessions.values()), None), what="a session")
        wait_until(lambda: session.picture, what="a picture")
        time.sleep(3.0)  # the page settles
        page.js(_WATCH)
        figures = {"view": "{:.0f} x {:.0f}".format(*page.canvas()[2:]), **_moved(page, session, seconds), **_clicked(page)}
    viewer.stop()
    return figures | {"processors": os.cpu_count(), "anchors": viewer.document.run.field.anchor_count}


def _moved(page: Page, session: Session, seconds: float) -> dict[str, Any]:
    """Drag to and fro."""
    x, y, width, height = page.canvas()
    page.js("window.arrivals = []")
    heights, start = [], time.monotonic()
    page.press_at(x + width / 2, y + height / 2)
    step = 0
    while time.monotonic() - start < seconds:
        step += 1
        across = 0.3 * width * (abs((step / 60) % 2 - 1) - 0.5)
        page.move_pressed(x + width / 2 + across, y + height / 2)
        heights.append(session.sent_height)
        time.sleep(0.02)
    arrivals = page.js("window.arrivals")
    page.release_at(x + width / 2, y + height / 2)
    time.sleep(1.5)
    gaps = [b - a for a, b in pairwise(arrivals)]
    return {
        "pictures a second": (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) * 1000,
        "slowest gap (ms)": max(gaps),
        "rows of a moving picture": statistics.median(heights),
    }


def _clicked(page: Page) -> dict[str, Any]:
    """Click here and there."""
    x, y, width, height = page.canvas()
    told, shown = [], []
    for number in range(CLICKS):
        page.click(x + width * (0.15 + 0.7 * (number * 0.382 % 1)), y + height * (0.2 + 0.6 * (number * 0.618 % 1)))
        time.sleep(1.0)
        released, text, pictures = page.js("[window.released, window.told, window.arrivals]")
        if text and pictures:  # the same object as before changes nothing
            told.append(text - released)
            shown.append(pictures[0] - released)
    return {
        "click to outline, median (ms)": statistics.median(shown),
        "click to outline, slowest (ms)": max(shown),
        "clicks that chose another object": len(shown),
        "click to name, median (ms)": statistics.median(told),
    }


if __name__ == "__main__":
    main()
