"""Steps that can be taken back."""

from __future__ import annotations

from s3d_splat.editing.apply import apply
from s3d_splat.editing.operations import Operation
from s3d_splat.editing.values import EditableScene, EditResult, Surroundings


class History:
    """A scene and what was done to it. Undo gives the very scene from before: scenes are values, none is ever changed."""

    def __init__(self, scene: EditableScene) -> None:
        self._scenes = [scene]
        self._steps: list[Operation] = []
        self._done = 0

    @property
    def present(self) -> EditableScene:
        """The scene as it is now."""
        return self._scenes[self._done]

    @property
    def steps(self) -> list[Operation]:
        """What has been done and not undone, in order."""
        return self._steps[: self._done]

    @property
    def can_undo(self) -> bool:
        return self._done > 0

    @property
    def can_redo(self) -> bool:
        return self._done < len(self._steps)

    def do(self, operation: Operation, around: Surroundings) -> EditResult:
        """Apply an operation to the present scene; what had been undone can no longer be redone.

        Raises:
            S3DError: see `apply`; the history is then as it was.
        """
        result = apply(self.present, operation, around)
        self._scenes[self._done + 1 :] = [result.scene]
        self._steps[self._done :] = [operation]
        self._done += 1
        return result

    def undo(self) -> EditableScene:
        """Go one step back, if there is one; returns the scene that is present then."""
        self._done = max(self._done - 1, 0)
        return self.present

    def redo(self) -> EditableScene:
        """Go one step forward again, if one was undone; returns the scene that is present then."""
        self._done = min(self._done + 1, len(self._steps))
        return self.present
