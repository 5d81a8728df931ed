"""A text box in nerfstudio's viewer for questions to the scene, and what was understood or went wrong below it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from nerfstudio.viewer.viewer_elements import ViewerElement
from viser import GuiButtonHandle, GuiInputHandle, GuiMarkdownHandle, ViserServer

from s3d_splat.errors import S3DError
from s3d_splat.query.search import Answer

log = logging.getLogger("s3d_splat")

_SHOWN = 3  # hits that are named
_WHERE = "The output type relevancy shows the answer."


class QuestionPanel(ViewerElement[str]):
    """Text box, button and a message; the viewer renders anew after each question.

    A text box reports every letter, and a question is one only when it is complete: hence the button. nerfstudio calls the
    hook while nothing renders or trains.
    """

    gui_handle: GuiButtonHandle
    question: GuiInputHandle[str]
    message: GuiMarkdownHandle

    def __init__(self, ask: Callable[[str], Answer]) -> None:
        """`ask` answers a sentence, or raises S3DError, which the user then reads."""
        super().__init__("Ask", cb_hook=lambda panel: panel.tell())
        self._ask = ask

    def _create_gui_handle(self, viser_server: ViserServer) -> None:
        gui = viser_server.gui
        self.question = gui.add_text("Question", "", hint="What to look for: the blue chair by the window")
        self.gui_handle = gui.add_button(self.name)
        self.message = gui.add_markdown(_WHERE)

    def install(self, viser_server: ViserServer) -> None:
        """Show the panel; called by nerfstudio's viewer."""
        self._create_gui_handle(viser_server)
        self.gui_handle.on_click(lambda _: self.cb_hook(self))

    def tell(self) -> None:
        """Ask what stands in the text box, and write below it what came of it."""
        self.message.content = "Looking. The first question takes longer, and the picture stands still meanwhile."
        self.gui_handle.disabled = True
        told = "Something went wrong; the terminal says what."
        try:
            told = _summary(self._ask(self.question.value))
        except S3DError as error:
            log.warning("%s", error)
            told = str(error)
        finally:
            self.message.content = _plain(told)
            self.gui_handle.disabled = False


def _summary(answer: Answer) -> str:
    if not answer.hits:
        return f"Understood as: {answer.understood}\nNo hit: {answer.note}"
    best = ", ".join(f"{hit.id} ({hit.score:.2f})" for hit in answer.hits[:_SHOWN])
    more = f" and {len(answer.hits) - _SHOWN} more" if len(answer.hits) > _SHOWN else ""
    return f"Understood as: {answer.understood}\nInstances: {best}{more}\n{_WHERE}"


def _plain(text: str) -> str:
    """Text that viser's Markdown shows as it is, line by line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text).replace("\n", "  \n")
