"""A path through remembered views, and the file that it becomes."""

import sys
from pathlib import Path

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.io.images import read_colours
from s3d_splat.viewer.cameras import BrowserCamera
from s3d_splat.viewer.film import free_name, path_through, write_film

AHEAD = BrowserCamera((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.8, 1.5)
ASIDE = BrowserCamera((np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0), (2.0, 0.0, 4.0), 1.0, 1.2)  # a quarter turn about y


def test_the_path_reaches_every_view_and_turns_evenly_between_two():
    path = path_through([AHEAD, ASIDE], 3)
    assert len(path) == 3
    for view, reached in zip((AHEAD, ASIDE), (path[0], path[-1]), strict=True):
        assert reached.position == pytest.approx(view.position, abs=1e-9)
        assert np.abs(np.dot(reached.wxyz, view.wxyz)) == pytest.approx(1)
    assert path[1].position == pytest.approx((1, 0, 2))
    assert np.abs(np.dot(path[1].wxyz, (np.cos(np.pi / 8), 0, np.sin(np.pi / 8), 0))) == pytest.approx(1)
    assert path[1].fov == pytest.approx(0.9)
    assert {view.aspect for view in path} == {1.5}


def test_the_path_through_many_views_has_no_corner():
    views = [BrowserCamera((1.0, 0.0, 0.0, 0.0), (float(x), float(x % 2), 0.0), 0.8, 1.0) for x in range(5)]
    positions = np.array([view.position for view in path_through(views, 401)])
    assert positions[::100] == pytest.approx(np.array([view.position for view in views]), abs=1e-9)
    steps = np.diff(positions, axis=0)
    assert np.abs(np.diff(steps, axis=0)).max() < 0.05 * np.abs(steps).max()


@pytest.mark.parametrize(("views", "frames"), [([AHEAD], 10), ([], 10), ([AHEAD, ASIDE], 1)])
def test_one_view_is_no_film(views: list[BrowserCamera], frames: int):
    with pytest.raises(S3DError, match="make no film"):
        path_through(views, frames)


def test_names_are_not_used_twice(tmp_path: Path):
    assert free_name(tmp_path).name == "film-1"
    (tmp_path / "film-1.mp4").touch()
    (tmp_path / "film-2").mkdir()
    assert free_name(tmp_path).name == "film-3"


def images() -> list[np.ndarray]:
    return [np.full((33, 65, 3), (200, 40 * number, 30), dtype=np.uint8) for number in range(5)]


def test_a_video_holds_every_frame(tmp_path: Path):
    av = pytest.importorskip("av")
    told: list[int] = []
    path = write_film(tmp_path / "films" / "film-1", iter(images()), 24, told.append)
    assert path == tmp_path / "films" / "film-1.mp4"
    assert told == [1, 2, 3, 4, 5]
    with av.open(str(path)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert [frame.shape for frame in frames] == [(32, 64, 3)] * 5
    assert [frame[16, 32, 1] for frame in frames] == pytest.approx([0, 40, 80, 120, 160], abs=12)
    assert list(path.parent.iterdir()) == [path]


def test_without_pyav_it_becomes_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "av", None)
    path = write_film(tmp_path / "film-1", iter(images()), 24, lambda _: None)
    assert sorted(file.name for file in path.iterdir()) == [f"{number:05d}.png" for number in range(1, 6)]
    assert np.array_equal(read_colours(path / "00003.png", where="here"), images()[2])
