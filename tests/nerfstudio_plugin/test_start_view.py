"""Where the viewer opens."""

from dataclasses import replace
from unittest.mock import MagicMock

import numpy as np
import torch
import viser

from nerfstudio_plugin.start_view import StartView
from tests.scene_fixtures import tiny_camera


def test_a_browser_starts_just_ahead_of_the_first_camera():
    view = StartView([tiny_camera(0), tiny_camera(5)])
    client = MagicMock(spec=viser.ClientHandle, camera=MagicMock())
    view.place(client)
    assert np.allclose(client.camera.position, [-2.5, 0.0, 0.5])  # ten units of the viewer's a metre
    assert np.allclose(client.camera.wxyz, [1, 0, 0, 0])


def test_up_is_the_mean_of_the_cameras():
    assert torch.equal(StartView([tiny_camera(0), tiny_camera(5)]).up, torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64))
    tilted = tiny_camera(0).T_world_camera[:, [0, 2, 1, 3]] * torch.tensor([1.0, 1.0, -1.0, 1.0])
    both = [tiny_camera(0), replace(tiny_camera(0), T_world_camera=tilted)]
    assert torch.equal(StartView(both).up, torch.tensor([0.0, -0.5, -0.5], dtype=torch.float64))
