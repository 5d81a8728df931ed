"""Point clouds: round trip, headers that lie, values that are missing or not finite."""

from pathlib import Path

import numpy as np
import pytest
import torch
from plyfile import PlyData, PlyElement

from s3d_splat.errors import S3DError
from s3d_splat.io.ply import read_proxy, write_proxy
from s3d_splat.types import ProxyGeometry


def random_proxy(everything: bool) -> ProxyGeometry:
    generator = torch.Generator().manual_seed(3)
    points = torch.randn(9, 3, generator=generator)
    colours = torch.randint(0, 256, (9, 3), generator=generator) / 255
    if not everything:
        return ProxyGeometry(points, colours)
    normals = torch.nn.functional.normalize(torch.randn(9, 3, generator=generator), dim=1)
    return ProxyGeometry(points, colours, normals, torch.rand(9, generator=generator), torch.arange(9, dtype=torch.int32))


@pytest.mark.parametrize("everything", [False, True])
def test_round_trip(tmp_path: Path, everything: bool) -> None:
    proxy = random_proxy(everything)
    write_proxy(tmp_path / "a.ply", proxy)
    found = read_proxy(tmp_path / "a.ply")
    for name in ("points", "colours", "normals", "confidence", "instances"):
        have, want = getattr(found, name), getattr(proxy, name)
        assert (have is None) == (want is None)
        if want is not None:
            assert torch.equal(have, want)


def test_text_files_and_float_colours(tmp_path: Path) -> None:
    header = "ply\nformat ascii 1.0\nelement vertex 2\n"
    properties = "".join(f"property float {name}\n" for name in ("x", "y", "z", "red", "green", "blue"))
    (tmp_path / "a.ply").write_text(header + properties + "end_header\n1 2 3 0 0.5 1\n-1 0 0.25 1 1 1")
    proxy = read_proxy(tmp_path / "a.ply")
    assert proxy.points.tolist() == [[1, 2, 3], [-1, 0, 0.25]]
    assert proxy.colours.tolist() == [[0, 0.5, 1], [1, 1, 1]]


def test_a_mesh_gives_its_vertices(tmp_path: Path) -> None:
    write_proxy(tmp_path / "a.ply", random_proxy(False))
    faces = np.array([([0, 1, 2],)], dtype=[("vertex_indices", "i4", (3,))])
    PlyData([PlyData.read(tmp_path / "a.ply", mmap=False)["vertex"], PlyElement.describe(faces, "face")]).write(
        tmp_path / "b.ply"
    )
    assert len(read_proxy(tmp_path / "b.ply").points) == 9


@pytest.mark.parametrize("count", ["8", "10", "1000000000000", "nine", "-3"])
@pytest.mark.parametrize("text", [False, True])
def test_a_header_that_lies(tmp_path: Path, count: str, text: bool) -> None:
    write_proxy(tmp_path / "a.ply", random_proxy(True))
    if text:
        data = PlyData.read(tmp_path / "a.ply", mmap=False)
        data.text = True
        data.write(tmp_path / "a.ply")
    content = (tmp_path / "a.ply").read_bytes()
    (tmp_path / "a.ply").write_bytes(content.replace(b"element vertex 9", b"element vertex " + count.encode()))
    with pytest.raises(S3DError, match=r"a.ply cannot be read as a point cloud"):
        read_proxy(tmp_path / "a.ply")


@pytest.mark.parametrize("line", ["element", "element vertex", "property", "property float", "property list", "format"])
def test_a_header_with_a_broken_line(tmp_path: Path, line: str) -> None:
    write_proxy(tmp_path / "a.ply", random_proxy(True))
    content = (tmp_path / "a.ply").read_bytes()
    (tmp_path / "a.ply").write_bytes(content.replace(b"end_header", line.encode() + b"\nend_header", 1))
    with pytest.raises(S3DError, match=r"a.ply cannot be read as a point cloud"):
        read_proxy(tmp_path / "a.ply")


@pytest.mark.parametrize(("count", "why"), [(2_000_000_000, "cannot be read"), (-1, "cannot be read"), (5, "x is a list")])
def test_positions_that_are_lists(tmp_path: Path, count: int, why: str) -> None:
    others = "".join(f"property float {name}\n" for name in ("y", "z", "red", "green", "blue"))
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty list int double x\n{others}end_header\n"
    (tmp_path / "a.ply").write_bytes(header.encode() + count.to_bytes(4, "little", signed=True) + bytes(60))
    with pytest.raises(S3DError, match=why):
        read_proxy(tmp_path / "a.ply")


def test_points_need_colours(tmp_path: Path) -> None:
    vertices = np.zeros(2, dtype=[("x", "f4"), ("y", "f4"), ("z", "f4")])
    PlyData([PlyElement.describe(vertices, "vertex")]).write(tmp_path / "a.ply")
    with pytest.raises(S3DError, match="lacks x y z or red green blue"):
        read_proxy(tmp_path / "a.ply")


def test_float_colours_are_not_0_to_255(tmp_path: Path) -> None:
    kinds = [(name, "f4") for name in ("x", "y", "z", "red", "green", "blue")]
    PlyData([PlyElement.describe(np.full(2, 7, dtype=kinds), "vertex")]).write(tmp_path / "a.ply")
    with pytest.raises(S3DError, match=r"colours outside 0..1"):
        read_proxy(tmp_path / "a.ply")


def test_nan_normals(tmp_path: Path) -> None:
    proxy = random_proxy(False)
    normals = torch.zeros(9, 3)
    normals[4, 1] = float("nan")
    write_proxy(tmp_path / "a.ply", ProxyGeometry(proxy.points, proxy.colours, normals))
    with pytest.raises(S3DError, match=r"point 4 has nx ny nz that are not finite \(one of 1\)"):
        read_proxy(tmp_path / "a.ply")
