"""What the picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s3d_splat.viewer.cameras import start_view
from s3d_splat.viewer.session import Session
from s3d_splat.viewer.state import MODES, Mode
from s3d_splat.viewer.training_cameras import TrainingCameras

if TYPE_CHECKING:
    from viser import GuiApi

LABELS: dict[Mode, str] = {
    "colour": "Colour",
    "depth": "Depth",
    "instances": "Objects",
    "panoptic": "Objects over the picture",
    "features": "Features",
    "relevancy": "Answer to the last question",
    "splats": "Colour, drawn by the browser",
}
_HELP = {
    "depth": "Red is near, blue is far, black is nothing.",
    "instances": "One colour an object; dark grey is none.",
    "panoptic": "The picture in grey, tinted with one colour an object.",
    "features": "What training has learnt to tell objects apart by; alike is the same object.",
    "relevancy": "The warmer, the better an object fits the question; ask one below **Find**.",
    "splats": "Smooth on a machine with a graphics card; colours do not follow the view.",
}


class ViewPanel:
    """Mode, resolution, training cameras."""

    def __init__(self, gui: GuiApi, session: Session, cameras: TrainingCameras) -> None:
        self._session = session
        self.mode = gui.add_dropdown("Show", tuple(LABELS.values()), initial_value=LABELS["colour"])
        self.help = gui.add_markdown("")
        self.height = gui.add_slider(
            "Detail",
            min=min(120, session.state.height),
            max=max(1080, session.state.height),
            step=60,
            initial_value=session.state.height,
            hint="Rows of pixels of a still picture",
        )
        self.cameras = gui.add_checkbox("Training cameras", False, hint="Click one to look from there")
        self.home = gui.add_button("Back to the start", hint="Where the first training image was taken")
        self.mode.on_update(self._mode_chosen)
        self.height.on_update(lambda _: session.update(height=int(self.height.value)))
        self.cameras.on_update(lambda _: cameras.show(self.cameras.value))
        self.home.on_click(lambda _: session.look_from(start_view(session.document.run.scene)))
        session.on_change(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the state says."""
        mode = self._session.state.mode
        if self.mode.value != LABELS[mode]:
            self.mode.value = LABELS[mode]
        missing = not self._session.available(mode)
        text = (
            "The objects of this run have not been found yet; colour and depth are there."
            if missing
            else _HELP.get(mode, "")
        )
        if self.help.content != text:
            self.help.content = text

    def _mode_chosen(self, _: Any) -> None:
        chosen = next(mode for mode in MODES if LABELS[mode] == self.mode.value)
        self._session.update(mode=chosen)
