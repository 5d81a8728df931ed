"""Questions to the run that browsers look at: one encoder and one set of vectors for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from s3d_splat.ask.run import LateSearch
from s3d_splat.errors import S3DError
from s3d_splat.query.language import parse
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.search import Answer
from s3d_splat.viewer.document import Document


class Questions:
    """Answers sentences about a document's objects; one at a time."""

    def __init__(self, document: Document, new_search: Callable[[], LateSearch], options: QueryOptions) -> None:
        """Nothing is loaded before the first question; `new_search` is called again when the run has changed."""
        self._document, self._new_search, self._options = document, new_search, options
        self._lock = threading.Lock()
        self._search, self._asked = new_search(), document.run

    def ask(self, text: str) -> Answer:
        """The objects that a sentence names, best first; of the saved run, without those that have been removed since.

        Raises:
            S3DError: the sentence cannot be understood, the encoder cannot be loaded, or the run has no objects.
        """
        parse(text)  # what cannot be understood is said before anything long begins
        if self._document.is_regrouped:
            raise S3DError(
                "these objects are not those of the run folder",
                why="they were found with other thresholds, and questions are asked of what is saved",
                fix="save them as a new run and open that, or go back to the run's own thresholds",
            )
        with self._lock:
            if self._asked is not self._document.run:
                self._search, self._asked = self._new_search(), self._document.run
            answer = self._search.open(self._document.root).ask(text, self._options)
        if not self._document.steps:
            return answer
        living = set(self._document.scene.instances.instance_id.tolist())
        hits = tuple(hit for hit in answer.hits if hit.id in living)
        note = answer.note or "what was found has been removed"
        understood = f"{answer.understood} (asked of what is saved: places and colours are those before the edits)"
        return replace(answer, understood=understood, hits=hits, note="" if hits else note)
