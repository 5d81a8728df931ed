"""The thresholds that objects are found with, and what other ones give."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from s3d_splat.errors import S3DError
from s3d_splat.instances.options import InstanceOptions
from s3d_splat.types import InstanceSet
from s3d_splat.viewer.renderer import LatestOnly
from s3d_splat.viewer.session import Session
from s3d_splat.viewer.viser_api import plain

if TYPE_CHECKING:
    from viser import GuiApi

log = logging.getLogger("s3d_splat")

_PAUSE = 0.4  # seconds without a change, after which objects are found anew
_USUAL = 0.15  # where the run asks the masks for its feature threshold
_HELP = "Objects are found anew as you change these; the training stays as it is. Save as a new run below **Edit**."


class TunePanel:
    """Sliders, and how many objects they give."""

    def __init__(self, gui: GuiApi, session: Session, slow: LatestOnly[Callable[[], None]]) -> None:
        """`slow` runs what takes seconds."""
        self._session, self._slow = session, slow
        own = session.document.run.config.instances
        threshold = own.aggregation.feature_threshold
        self.message = gui.add_markdown(_HELP)
        self.automatic = gui.add_checkbox("Ask the masks", threshold is None, hint="how alike parts of one object are")
        self.feature = _slider(
            gui, "Alike (%)", 1, 60, 1, _percent(threshold or _USUAL), "Parts whose features differ by less are one object"
        )
        self.agreement = _slider(
            gui, "Agreement (%)", 30, 100, 5, _percent(own.relift.agreement), "Share of a mask that joins two parts"
        )
        self.persistence = _slider(
            gui,
            "Trust in ids (%)",
            10,
            105,
            5,
            _percent(own.relift.persistence),
            "Mask ids that go on in so many of their views are objects as they are; over 100: none is",
        )
        self.smallest = _slider(
            gui, "Smallest object", 1, 200, 1, own.relift.min_size, "Gaussians; smaller ones are dropped"
        )
        self.reset = gui.add_button("The run's own thresholds")
        for slider in (self.automatic, self.feature, self.agreement, self.persistence, self.smallest):
            slider.on_update(self._changed)
        self.reset.on_click(lambda _: self._back(own))

    def options(self) -> InstanceOptions:
        """What the sliders say."""
        own = self._session.document.run.config.instances
        least = int(self.smallest.value)
        threshold = None if self.automatic.value else self.feature.value / 100
        return replace(
            own,
            aggregation=replace(own.aggregation, feature_threshold=threshold, min_size=least),
            relift=replace(
                own.relift,
                agreement=self.agreement.value / 100,
                persistence=self.persistence.value / 100,
                min_size=least,
            ),
        )

    def find(self, options: InstanceOptions) -> None:
        """Find the objects anew and say what came of it; takes seconds."""
        start = time.perf_counter()
        try:
            self.message.content = "Looking for the objects."
            found = self._session.document.regroup(options)
            self.message.content = f"{_counted(found)}, found in {time.perf_counter() - start:.1f} s.  \n{_HELP}"
        except S3DError as error:
            self.message.content = plain(str(error))
        except Exception:
            log.exception("objects could not be found")
            self.message.content = "Something went wrong; the terminal says what."

    def _changed(self, event: Any) -> None:
        if event.client is not None:
            self._ask(self.options(), _PAUSE)

    def _back(self, own: InstanceOptions) -> None:
        self.automatic.value = own.aggregation.feature_threshold is None
        self.feature.value = _percent(own.aggregation.feature_threshold or _USUAL)
        self.agreement.value, self.persistence.value = _percent(own.relift.agreement), _percent(own.relift.persistence)
        self.smallest.value = own.relift.min_size
        self._ask(own, 0.0)

    def _ask(self, options: InstanceOptions, delay: float) -> None:
        self._slow.ask(self._session.client.client_id, lambda: self.find(options), delay)


def _slider(gui: GuiApi, label: str, low: int, high: int, step: int, value: int, hint: str) -> Any:
    """A slider that reaches as far as the value of the run at least."""
    return gui.add_slider(label, min(low, value), max(high, value), step, value, hint=hint)


def _percent(share: float) -> int:
    return round(100 * share)


def _counted(found: InstanceSet) -> str:
    things = int(found.is_thing.sum())
    return f"{things} things and {len(found.is_thing) - things} kinds of stuff"
