"""A headless Chromium that is driven over the DevTools protocol."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from websockets.sync.client import connect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
_FLAGS = ("--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--hide-scrollbars")
_REMEMBER = """
const made = URL.createObjectURL.bind(URL);
URL.createObjectURL = (blob) => {
  if ((blob.type || '').startsWith('image/')) window.lastPicture = blob;
  return made(blob);
};
"""

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium or chrome binary")


def wait_until(holds: Callable[[], Any], seconds: float = 30.0, what: str = "it") -> Any:
    """The first value that a function gives other than None and False; fails after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = holds()
        if found is not None and found is not False:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen in {seconds} s")


class Browser:
    """One Chromium with pages; close it when done."""

    def __init__(self, width: int = 960, height: int = 600) -> None:
        assert CHROMIUM is not None
        self._profile = tempfile.mkdtemp(prefix="s3d-chromium-")
        flags = (*_FLAGS, "--remote-debugging-port=0", f"--window-size={width},{height}", f"--user-data-dir={self._profile}")
        self._process = subprocess.Popen(
            [CHROMIUM, *flags, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ)
        )
        port_file = Path(self._profile) / "DevToolsActivePort"
        wait_until(lambda: port_file.exists() and bool(port_file.read_text().strip()), 60, "the start of Chromium")
        self._port = int(port_file.read_text().split()[0])

    def open(self, url: str) -> Page:
        """A new page that shows a URL."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/json/new?about:blank", method="PUT")
        page = Page(json.load(urllib.request.urlopen(request))["webSocketDebuggerUrl"])
        page.go_to(url)
        return page

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=20)
        shutil.rmtree(self._profile, ignore_errors=True)


class Page:
    """A tab."""

    session: Any = None  # what the server knows of it; for tests to set

    def __init__(self, url: str) -> None:
        self._socket = connect(url, max_size=None)
        self._number = 0
        self._call("Page.enable")
        self._call("Runtime.enable")
        self.to_front()

    def to_front(self) -> None:
        """Show the tab: others are not drawn."""
        self._call("Page.bringToFront")

    def go_to(self, url: str) -> None:
        """Load a URL, with an ear for the pictures that it is given."""
        self._call("Page.addScriptToEvaluateOnNewDocument", source=_REMEMBER)
        self._call("Page.navigate", url=url)

    def given_picture(self) -> np.ndarray | None:
        """The last picture that the page was given, uint8 RGB; what the window shows is scaled, and coarser under load."""
        found = self.js(
            "(async () => { const b = window.lastPicture; if (!b) return null;"
            " const d = new Uint8Array(await b.arrayBuffer()); let s = '';"
            " for (let i = 0; i < d.length; i += 4096) s += String.fromCharCode(...d.subarray(i, i + 4096));"
            " return btoa(s) })()"
        )
        return None if found is None else np.asarray(Image.open(io.BytesIO(base64.b64decode(found))).convert("RGB"))

    def js(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        told = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def screenshot(self, path: Path | None = None) -> np.ndarray:
        """The window as it looks, uint8 RGB."""
        data = base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])
        if path is not None:
            path.write_bytes(data)
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def click(self, x: float, y: float) -> None:
        """Press and release the left button at a place of the window."""
        self._mouse("mouseMoved", x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self._mouse(kind, x, y, button="left", clickCount=1)

    def can_be_clicked(self, x: float, y: float) -> bool:
        """Whether the 3D view has something to click at a place of the window: the page shows a hand there."""
        self._mouse("mouseMoved", x + 1, y)
        self._mouse("mouseMoved", x, y)
        return self.js("getComputedStyle(document.body).cursor") == "pointer"

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int, pause: float) -> None:
        """Turn the camera: press, move in steps, release."""
        self.press_at(*start)
        for step in range(1, steps + 1):
            self.move_pressed(*(a + (b - a) * step / steps for a, b in zip(start, end, strict=True)))
            time.sleep(pause)
        self.release_at(*end)

    def press_at(self, x: float, y: float) -> None:
        """Press the left button and hold it."""
        self._mouse("mouseMoved", x, y)
        self._mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)

    def move_pressed(self, x: float, y: float) -> None:
        """Move while the left button is held."""
        self._mouse("mouseMoved", x, y, button="left", buttons=1)

    def release_at(self, x: float, y: float) -> None:
        """Let the left button go."""
        self._mouse("mouseReleased", x, y, button="left", clickCount=1)

    def canvas(self) -> tuple[float, float, float, float]:
        """Left, top, width and height of the 3D view in the window."""
        box = self.js(
            "(() => { const c = document.querySelector('canvas[data-engine]'); if (!c) return [0, 0, 1, 1];"
            " const r = c.getBoundingClientRect(); return [r.x, r.y, r.width, r.height] })()"
        )
        x, y, width, height = box
        return x, y, width, height

    def shows(self, text: str, selector: str = "button") -> bool:
        """Whether an enabled element with exactly this text can be seen."""
        return self.js(f"!!{_element(selector, text)}")

    def press(self, text: str, selector: str = "button") -> None:
        """Click the element with this text once it can be clicked, wherever the sidebar has moved it meanwhile."""
        wait_until(lambda: self.js(_act(_element(selector, text), "e.click()")) or None, what=f"a {selector} {text!r}")

    def fill(self, label: str, text: str) -> None:
        """Type into the field beside a label."""
        wait_until(lambda: self.js(_act(_field(label), "e.focus()")) or None, what=f"a field {label!r}")
        self._call("Input.insertText", text=text)

    def tick(self, label: str) -> None:
        """Click the box beside a label."""
        wait_until(lambda: self.js(_act(_field(label), "e.click()")) or None, what=f"a box {label!r}")

    def close(self) -> None:
        """Close the tab."""
        self._call("Page.close")
        self._socket.close()

    def _mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._socket.recv(timeout=60))
            if told.get("id") == self._number:
                assert "error" not in told, told
                return told["result"]


def _element(selector: str, text: str) -> str:
    """JavaScript for the first enabled element with exactly this text that can be seen; undefined without one."""
    return (
        f"[...document.querySelectorAll({json.dumps(selector)})].find(e => e.innerText && !e.disabled"
        f" && e.innerText.trim() == {json.dumps(text)} && e.getBoundingClientRect().width > 0)"
    )


def _field(label: str) -> str:
    """JavaScript for the input that stands beside a label: the first within the nearest element that holds both."""
    return (
        "(() => { const all = [...document.querySelectorAll('label')];"
        f" let p = all.find(e => e.innerText.trim() == {json.dumps(label)} && e.getBoundingClientRect().width > 0);"
        " for (let i = 0; i < 5 && p; i++) { p = p.parentElement; const f = p && p.querySelector('input, textarea');"
        " if (f) return f } })()"
    )


def _act(element: str, action: str) -> str:
    """JavaScript that does something to `e` if there is one, and says whether there was."""
    return f"(() => {{ const e = {element}; if (e) {action}; return !!e }})()"
