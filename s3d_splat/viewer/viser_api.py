"""All that differs between versions of viser, or is private in some."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, UInt8

from s3d_splat.errors import S3DError
from s3d_splat.viewer.cameras import BrowserCamera, StartView
from s3d_splat.viewer.guard import check_port, guarded

if TYPE_CHECKING:
    from viser import CameraHandle, ClientHandle, GuiApi, GuiButtonGroupHandle, ViserServer

_SPLATS = "/splats"
_FAR = 1e5  # metres; viser draws nothing beyond 1000


def open_server(host: str, port: int, label: str) -> ViserServer:
    """A viser server on exactly this port, that gives away nothing but its own page.

    Raises:
        S3DError: viser is not installed, or one cannot listen there.
    """
    try:
        from viser import ViserServer
    except ImportError as error:
        raise S3DError(
            "the viewer needs the package viser", why=str(error), fix="pip install 's3d-splat[viewer]'"
        ) from error

    class LocalServer(ViserServer):
        """A browser may ask viser to publish the viewer through a tunnel: that is not for it to decide."""

        def request_share_url(self, verbose: bool = True) -> str | None:
            return None

    check_port(host, port)
    with guarded(host, port):
        server = LocalServer(host=host, port=port, label=label, verbose=False)
    if server.get_port() != port:
        taken = server.get_port()
        server.stop()
        raise S3DError(
            f"port {port} was taken while the viewer started", why=f"viser moved to {taken}", fix="give another --port"
        )
    server.gui.configure_theme(control_layout="fixed", control_width="medium", dark_mode=True, show_share_button=False)
    server.scene.world_axes.visible = False
    return server


def on_click(client: ClientHandle, clicked: Callable[[float, float], None]) -> None:
    """Call a function with where in the picture this browser clicks: shares 0..1 of its width and height."""

    def tell(event: Any) -> None:
        position = event.screen_pos
        x, y = position[0] if np.ndim(position[0]) else position
        clicked(float(x), float(y))

    if hasattr(client.scene, "on_click"):
        client.scene.on_click()(tell)
    else:
        _sky(client).on_click(tell)


def _sky(client: ClientHandle) -> Any:
    """A box around everything, too far away to be drawn, that can be clicked.

    viser 0.2 lets nobody turn the camera while it listens for clicks on the scene as a whole.
    """
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float32)
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [corners for a, b, c, d in sides for corners in ((a, b, c), (a, c, d))]
    return client.scene.add_mesh_simple("/sky", _FAR * signs, np.array(faces, dtype=np.uint32), side="double")


def add_actions(gui: GuiApi, label: str, names: Sequence[str], act: Callable[[str], None]) -> GuiButtonGroupHandle:
    """Small buttons in a row; `act` is called with the name of the one that is pressed, however often."""
    group = gui.add_button_group(label, tuple(names))
    state: Any = getattr(group, "_impl", None)
    if hasattr(state, "is_button"):  # viser 0.2 takes the group for a choice: pressing what is chosen already says nothing
        state.is_button = True
    group.on_click(lambda event: act(event.target.value))
    return group


def browser_camera(camera: CameraHandle) -> BrowserCamera:
    """Where a browser looks from."""
    w, x, y, z = camera.wxyz.tolist()
    px, py, pz = camera.position.tolist()
    return BrowserCamera((w, x, y, z), (px, py, pz), float(camera.fov), float(camera.aspect))


def look_from(client: ClientHandle, view: StartView) -> None:
    """Move a browser's camera. The direction upwards comes first: orbiting keeps it."""
    with client.atomic():
        client.camera.up_direction = np.array(view.up)
        client.camera.position = np.array(view.position)
        client.camera.look_at = np.array(view.look_at)
        client.camera.fov = view.fov


def show_background(client: ClientHandle, picture: UInt8[np.ndarray, "h w 3"], exact: bool) -> None:
    """Show a picture behind everything; `exact` ones keep every bit."""
    if exact:
        client.scene.set_background_image(picture, format="png")
    else:
        client.scene.set_background_image(picture, format="jpeg", jpeg_quality=80)
    client.flush()


def show_splats(
    client: ClientHandle,
    centres: Float[np.ndarray, "n 3"],
    covariances: Float[np.ndarray, "n 3 3"],
    colours: Float[np.ndarray, "n 3"],
    opacities: Float[np.ndarray, " n"],
) -> Callable[[], None]:
    """Have the browser itself draw Gaussians; the result takes them away again."""
    scene: Any = client.scene
    add = scene.add_gaussian_splats if hasattr(scene, "add_gaussian_splats") else scene._add_gaussian_splats
    return add(_SPLATS, centres, covariances, colours, opacities[:, None]).remove


def plain(text: str) -> str:
    """Text that Markdown shows as it is, line by line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text).replace("\n", "  \n")
