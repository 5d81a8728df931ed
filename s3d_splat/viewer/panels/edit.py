"""Changes to the selected object, steps back, and the scene as a new run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from s3d_splat.editing.operations import Duplicate, Move, Operation, Recolour, Remove, Rotate, Scale, Vector
from s3d_splat.errors import S3DError
from s3d_splat.viewer.handles import MoveHandles
from s3d_splat.viewer.session import Session
from s3d_splat.viewer.viser_api import add_actions, plain

if TYPE_CHECKING:
    from viser import GuiApi

log = logging.getLogger("s3d_splat")

_AXES: dict[str, Vector] = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
_CHOOSE = "Click an object first: what is done here is done to it."


class EditPanel:
    """Recolour, move, copy, turn, scale, remove; undo and redo; save."""

    def __init__(self, gui: GuiApi, session: Session) -> None:
        self._session = session
        self.message = gui.add_markdown(_CHOOSE)
        self.steps = add_actions(gui, "Steps", ("Undo", "Redo"), lambda name: self._told(lambda: self._stepped(name)))
        self.remove = gui.add_button("Remove", color="red", hint="Take the selected object away")
        self.fill = gui.add_checkbox("Fill the hole", True, hint="With what the object stood on or hung at")
        self.colour = gui.add_rgb("Colour", (200, 60, 50))
        self.recolour = gui.add_button("Recolour", hint="Light, shade and pattern stay")
        self.by = gui.add_vector3("Shift (m)", (0.0, 0.0, 0.0), step=0.01, hint="Along x, y and z of the scene")
        self.handles = gui.add_checkbox("Drag handles", False, hint="Arrows at the object that fill in the shift")
        self.shift = add_actions(
            gui, "With the shift", ("Move", "Copy"), lambda name: self._do(lambda ids: self._shifted(ids, name))
        )
        self.axis = gui.add_dropdown("Turn about", tuple(_AXES), initial_value="z")
        self.degrees = gui.add_slider("Degrees", min=-180, max=180, step=5, initial_value=90)
        self.rotate = gui.add_button("Turn")
        self.factor = gui.add_slider("Size (%)", min=20, max=300, step=5, initial_value=150)
        self.scale = gui.add_button("Scale")
        self.name = gui.add_text(
            "New run", f"{session.document.root.absolute().name}-edited", hint="A folder beside this one"
        )
        self.save = gui.add_button("Save as a new run")
        self._drag = MoveHandles(session, self.by)
        self._listen()
        session.on_change(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the state and the history say."""
        document = self._session.document
        chosen = self._session.state.selected > 0
        for button in (self.remove, self.recolour, self.rotate, self.scale):
            button.disabled = not chosen
        if not chosen and not document.steps:
            self._say(_CHOOSE)
        elif self.message.content == _CHOOSE:
            self._say("")
        self._drag.follow(self.handles.value)

    def _listen(self) -> None:
        self.remove.on_click(lambda _: self._do(lambda ids: Remove(ids, fill=self.fill.value)))
        self.recolour.on_click(lambda _: self._do(lambda ids: Recolour(ids, self._rgb())))
        self.rotate.on_click(lambda _: self._do(lambda ids: Rotate(ids, _AXES[self.axis.value], float(self.degrees.value))))
        self.scale.on_click(lambda _: self._do(lambda ids: Scale(ids, self.factor.value / 100)))
        self.save.on_click(lambda _: self._told(lambda: f"Written: {self._session.document.save(self.name.value.strip())}"))
        self.handles.on_update(lambda _: self._drag.follow(self.handles.value))

    def _rgb(self) -> Vector:
        red, green, blue = (channel / 255 for channel in self.colour.value)
        return red, green, blue

    def _shifted(self, ids: tuple[int, ...], action: str) -> Operation:
        x, y, z = (float(length) for length in self.by.value)
        return Move(ids, (x, y, z)) if action == "Move" else Duplicate(ids, (x, y, z))

    def _do(self, operation: Callable[[tuple[int, ...]], Operation]) -> None:
        selected = self._session.state.selected
        if not selected:
            self._say(_CHOOSE)
            return

        def run() -> str:
            result = self._session.document.do(operation((selected,)))
            if selected not in result.scene.instances.child_instance:
                self._session.update(selected=0)
            elif result.moved_to:
                self._session.update(selected=result.moved_to[0])
            self.by.value = (0.0, 0.0, 0.0)
            return result.summary

        self._told(run)

    def _stepped(self, action: str) -> str:
        document = self._session.document
        if not (document.can_undo if action == "Undo" else document.can_redo):
            return f"Nothing to {action.lower()}."
        if action == "Undo":
            document.undo()
        else:
            document.redo()
        done = len(document.steps)
        return f"{done} step{'' if done == 1 else 's'} done since the run was opened."

    def _told(self, run: Callable[[], str]) -> None:
        """Run something and write below it what came of it."""
        self._say("Working.")
        try:
            self._say(plain(run()))
        except S3DError as error:
            log.warning("%s", error)
            self._say(plain(str(error)))
        except Exception:
            log.exception("an edit failed")
            self._say("Something went wrong; the terminal says what.")

    def _say(self, text: str) -> None:
        if self.message.content != text:
            self.message.content = text
