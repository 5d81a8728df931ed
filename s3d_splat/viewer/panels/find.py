"""Objects by what they are called: a question, or a list with a filter."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from s3d_splat.errors import S3DError
from s3d_splat.query.search import Answer
from s3d_splat.viewer.picking import ObjectCard, object_cards
from s3d_splat.viewer.questions import Questions
from s3d_splat.viewer.session import Session
from s3d_splat.viewer.viser_api import plain

if TYPE_CHECKING:
    from viser import GuiApi

log = logging.getLogger("s3d_splat")

_SHOWN = 5  # hits that are listed
_NONE = "choose an object"


class FindPanel:
    """A question and its hits, and the list of all objects."""

    def __init__(self, gui: GuiApi, session: Session, questions: Questions) -> None:
        self._session, self._questions = session, questions
        self._listed: dict[str, int] = {}
        self.question = gui.add_text("Look for", "", hint="the blue chair by the window")
        self.ask = gui.add_button("Find")
        self.answer = gui.add_markdown("Say what you look for, such as: the blue chair by the window.")
        self.clear = gui.add_button("Forget the answer", visible=False)
        self.filter = gui.add_text("Filter", "", hint="Part of a class name, or an id")
        self.list = gui.add_dropdown("Objects", (_NONE,), initial_value=_NONE)
        self.count = gui.add_markdown("")
        self.ask.on_click(self._asked)
        self.clear.on_click(self._forgotten)
        self.filter.on_update(lambda _: self.refresh())
        self.list.on_update(self._chosen)
        session.on_change(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the state says."""
        scene, state = self._session.document.scene, self._session.state
        cards = object_cards(scene, self.filter.value)
        listed = {_line(card): card.id for card in cards}
        if list(listed) != list(self._listed):
            self._listed = listed
            self.list.options = (_NONE, *listed)
        chosen = next((line for line, id in self._listed.items() if id == state.selected), _NONE)
        if self.list.value != chosen:
            self.list.value = chosen
        hidden = sum(not state.shows(card.id) for card in object_cards(scene))
        text = f"{len(cards)} objects listed, {hidden} hidden" if scene.has_objects else "No objects yet."
        if self.count.content != text:
            self.count.content = text
        self.clear.visible = bool(state.scores)

    def _chosen(self, event: Any) -> None:
        if event.client is not None and self.list.value in self._listed:
            self._session.update(selected=self._listed[self.list.value])

    def _asked(self, _: Any) -> None:
        self.ask.disabled = True
        self.answer.content = "Looking. The first question takes longer: every object is looked at."
        try:
            answer = self._questions.ask(self.question.value)
            self.answer.content = self._told(answer)
            best = answer.hits[0].id if answer.hits else 0
            self._session.update(scores={hit.id: hit.score for hit in answer.hits[:_SHOWN]}, selected=best)
        except S3DError as error:
            log.warning("%s", error)
            self.answer.content = plain(str(error))
        except Exception:
            log.exception("a question could not be answered")
            self.answer.content = "Something went wrong; the terminal says what."
        finally:
            self.ask.disabled = False

    def _forgotten(self, _: Any) -> None:
        self.answer.content = ""
        mode = self._session.state.mode
        self._session.update(scores={}, mode="colour" if mode == "relevancy" else mode)

    def _told(self, answer: Answer) -> str:
        understood = f"Understood as: {plain(answer.understood)}"
        if not answer.hits:
            return f"{understood}  \nNo hit: {plain(answer.note)}"
        cards = {card.id: card for card in object_cards(self._session.document.scene)}
        lines = [
            f"{rank}. **{plain(cards[hit.id].name) if hit.id in cards else 'object'} {hit.id}**, score {hit.score:.2f}"
            for rank, hit in enumerate(answer.hits[:_SHOWN], start=1)
        ]
        return "\n".join([understood, "", *lines])


def _line(card: ObjectCard) -> str:
    return f"{card.name} {card.id} · {max(card.size):.2f} m"
