"""Arrows at the selected object: dragging them says how far it is to be moved."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from s3d_splat.viewer.session import Session

_LENGTH = 0.06  # of the scene's extent; of an arrow


class MoveHandles:
    """viser's transform controls at the middle of an object's box, while they are wanted."""

    def __init__(self, session: Session, shift: Any) -> None:
        """`shift` is the sidebar's field of three lengths (metres) that dragging fills in."""
        self._session, self._shift = session, shift
        self._handle: Any = None
        self._shown: tuple[int, tuple[float, ...]] | None = None

    def follow(self, wanted: bool) -> None:
        """Show the arrows at the selected object, or take them away."""
        middle = self._middle() if wanted else None
        shown = None if middle is None else (self._session.state.selected, tuple(middle.tolist()))
        if shown == self._shown:
            return
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        self._shown = shown
        if middle is not None:
            scale = _LENGTH * self._session.document.scene.extent
            self._handle = self._session.client.scene.add_transform_controls(
                "/move", scale=scale, disable_rotations=True, disable_sliders=True, position=middle
            )
            self._handle.on_update(lambda _: self._dragged(middle))

    def _middle(self) -> Float[np.ndarray, "3"] | None:
        instances = self._session.document.scene.instances
        rows = (instances.instance_id == self._session.state.selected).nonzero()[:, 0]
        return instances.aabb[int(rows[0])].mean(0).double().numpy() if len(rows) else None

    def _dragged(self, middle: Float[np.ndarray, "3"]) -> None:
        x, y, z = (np.asarray(self._handle.position) - middle).round(3).tolist()
        self._shift.value = (x, y, z)
