"""What is known of the selected object, and what is done to it most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3d_splat.viewer.picking import object_card
from s3d_splat.viewer.session import Session
from s3d_splat.viewer.viser_api import add_actions, plain

if TYPE_CHECKING:
    from viser import GuiApi

_NOTHING = "Click an object in the picture. Drag turns, right drag shifts, the wheel and W A S D fly."
_ACTIONS = ("Hide", "Solo", "Clear")


class CardPanel:
    """The selected object."""

    def __init__(self, gui: GuiApi, session: Session) -> None:
        self._session = session
        self.text = gui.add_markdown(_NOTHING)
        self.actions = add_actions(gui, "Selected", _ACTIONS, self._act)
        self.all = gui.add_button("Show all objects", visible=False)
        self.actions.visible = False
        self.all.on_click(lambda _: session.update(hidden=frozenset(), solo=frozenset()))
        session.on_change(self.refresh)

    def refresh(self) -> None:
        """Show what the state says."""
        state = self._session.state
        text = self._told(state.selected)
        if self.text.content != text:
            self.text.content = text
        self.actions.visible = state.selected > 0
        self.all.visible = bool(state.hidden or state.solo)

    def _told(self, id: int) -> str:
        document = self._session.document
        card = object_card(document.scene, id)
        if card is None:
            return _NOTHING
        seen = document.evidence.views_that_see(document.scene.instances.child_instance, id)
        size = " × ".join(f"{length:.2f}" for length in card.size)
        views = "being counted" if seen is None else f"{seen} of {len(document.training_cameras)}"
        return (
            f"**{plain(card.name)} {card.id}**{'' if card.is_thing else ' (stuff)'}  \n"
            f"Size {size} m  \nConfidence {card.score:.2f}  \nSeen in training views: {views}  \n"
            f"{card.gaussians:,} Gaussians"
        )

    def _act(self, action: str) -> None:
        state = self._session.state
        if not state.selected:
            return
        if action == "Hide":
            self._session.update(hidden=state.hidden | {state.selected}, solo=state.solo - {state.selected}, selected=0)
        elif action == "Solo":
            self._session.update(solo=frozenset({state.selected}), hidden=state.hidden - {state.selected})
        else:
            self._session.update(selected=0)
