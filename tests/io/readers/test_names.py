"""Order of time and names in the scene folder."""

from __future__ import annotations

from pathlib import Path

from s3d_splat.io.readers.names import find_images, in_order, scene_names


def test_numbers_count() -> None:
    assert in_order(["b2.png", "b10.png", "B1.png", "a3.png"]) == ["a3.png", "B1.png", "b2.png", "b10.png"]


def test_only_images_are_found(tmp_path: Path) -> None:
    for name in ("10.JPG", "9.jpeg", "sub/1.png", ".hidden.png", ".cache/1.png", "notes.txt", "clip.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_images(tmp_path) == ["9.jpeg", "10.JPG", "sub/1.png"]
    assert find_images(tmp_path / "nowhere") == []


def test_links_to_folders_are_followed(tmp_path: Path) -> None:
    for name in ("elsewhere/1.png", "elsewhere/.thumbs/1.png", "images/2.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for link, target in (("left", "../elsewhere"), ("right", "../elsewhere"), ("loop", "../images"), ("gone", "../no")):
        (tmp_path / "images" / link).symlink_to(target)
    assert find_images(tmp_path / "images") == ["2.png", "left/1.png", "right/1.png"]


def test_names_are_kept() -> None:
    assert scene_names(["images/1.JPG", "images/2.jpeg"]) == {"images/1.JPG": "1.JPG", "images/2.jpeg": "2.jpeg"}
    assert scene_names(["rgb/a/1.png", "rgb/a/2.png"]) == {"rgb/a/1.png": "1.png", "rgb/a/2.png": "2.png"}
    assert scene_names(["x.png"]) == {"x.png": "x.png"}
    assert scene_names([]) == {}


def test_folders_join_the_names() -> None:
    """`images/` is never said, even if all images lie in one folder below it, as a scene folder names its frames."""
    assert scene_names(["images/left/1.png"]) == {"images/left/1.png": "left_1.png"}
    assert list(scene_names(["seq-01/1.png", "seq-02/1.png"]).values()) == ["seq-01_1.png", "seq-02_1.png"]


def test_clashes_get_numbers() -> None:
    """Depth and masks share the stem, so that names must differ in more than the suffix or the case."""
    paths = ["images/a.jpg", "images/a.png", "images/A.PNG", "images/a_2.png", "images/b/1.png", "images/b_1.png"]
    names = list(scene_names(paths).values())
    assert names == ["a.jpg", "a_3.png", "A_4.PNG", "a_2.png", "b_1.png", "b_1_2.png"]
    assert len({Path(name).stem.lower() for name in names}) == len(paths)
