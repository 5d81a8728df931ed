"""All panels of a browser, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from s3d_splat.viewer.options import ViewOptions
from s3d_splat.viewer.panels.card import CardPanel
from s3d_splat.viewer.panels.edit import EditPanel
from s3d_splat.viewer.panels.film import FilmPanel
from s3d_splat.viewer.panels.find import FindPanel
from s3d_splat.viewer.panels.tune import TunePanel
from s3d_splat.viewer.panels.view import ViewPanel
from s3d_splat.viewer.questions import Questions
from s3d_splat.viewer.renderer import LatestOnly
from s3d_splat.viewer.session import Session
from s3d_splat.viewer.training_cameras import TrainingCameras


@dataclass(frozen=True)
class Sidebar:
    """The panels of one browser."""

    card: CardPanel
    view: ViewPanel
    find: FindPanel
    edit: EditPanel
    tune: TunePanel
    film: FilmPanel


def add_sidebar(
    session: Session, questions: Questions, slow: LatestOnly[Callable[[], None]], options: ViewOptions
) -> Sidebar:
    """Put the panels into a browser's window; `slow` runs what takes seconds."""
    gui = session.client.gui
    card = CardPanel(gui, session)
    tabs = gui.add_tab_group()
    with tabs.add_tab("View"):
        view = ViewPanel(gui, session, TrainingCameras(session, options.thumbnails))
    with tabs.add_tab("Find"):
        find = FindPanel(gui, session, questions)
    with tabs.add_tab("Edit"):
        edit = EditPanel(gui, session)
    with tabs.add_tab("Tune"):
        tune = TunePanel(gui, session, slow)
    with tabs.add_tab("Film"):
        film = FilmPanel(gui, session)
    return Sidebar(card, view, find, edit, tune, film)
