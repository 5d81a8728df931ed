"""viser's server gives away its own page and nothing else."""

import http.client
import socket
from collections.abc import Iterator

import pytest

from s3d_splat.errors import S3DError
from s3d_splat.viewer.guard import check_port, is_loopback, leaves_the_page

pytest.importorskip("viser")

OUTSIDE = (
    "/../_viser.py",
    "/../../_viser.py",
    "/assets/../../../_viser.py",
    "/%2e%2e/%2e%2e/_viser.py",
    "/..%2f..%2f_viser.py",
    "/%252e%252e/_viser.py",
    "/..\\_viser.py",
    "/../../../../../../../../../../../../etc/passwd",
    "//etc/passwd",
    "/../_viser.py?x=1",
    "/a%00b",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    from s3d_splat.viewer.viser_api import open_server

    port = free_port()
    server = open_server("127.0.0.1", port, "test")
    yield port
    server.stop()


def answer(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", f"127.0.0.1:{port}")
    connection.endheaders()
    reply = connection.getresponse()
    return reply.status, reply.read()


@pytest.mark.parametrize("path", ["/", "/index.html", "/?token=..", "/a.b/c..d/e", "/logo.svg"])
def test_paths_inside_the_page(path: str):
    assert not leaves_the_page(path)


@pytest.mark.parametrize("path", OUTSIDE)
def test_paths_outside_the_page_are_refused(port: int, path: str):
    assert leaves_the_page(path)
    status, body = answer(port, path)
    assert status == 404
    assert b"import" not in body
    assert b"root:" not in body


def test_the_page_is_served(port: int):
    status, body = answer(port, "/")
    assert status == 200
    assert b"<html" in body


@pytest.mark.parametrize(("origin", "opens"), [(None, True), ("http://127.0.0.1:{}", True), ("http://evil.example", False)])
def test_pages_of_other_sites_cannot_reach_the_web_socket(port: int, origin: str | None, opens: bool):
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    given = None if origin is None else origin.format(port)
    if opens:
        connect(f"ws://127.0.0.1:{port}", origin=given, max_size=None).close()
    else:
        with pytest.raises(InvalidStatus, match="403"):
            connect(f"ws://127.0.0.1:{port}", origin=given)


def test_a_browser_cannot_have_the_viewer_published(port: int):
    from s3d_splat.viewer.viser_api import open_server

    server = open_server("127.0.0.1", free_port(), "test")
    try:
        assert server.request_share_url() is None
    finally:
        server.stop()


def test_a_port_in_use_is_refused(port: int):
    with pytest.raises(S3DError, match=f"cannot listen on 127.0.0.1 port {port}") as error:
        check_port("127.0.0.1", port)
    assert f"--port {port + 1}" in error.value.fix
    with pytest.raises(S3DError, match="cannot listen"):
        check_port("192.0.2.1", 8080)  # an address of nobody (RFC 5737)
    with pytest.raises(S3DError, match="cannot listen"):
        check_port("127.0.0.1", 99999)


def test_loopback():
    assert is_loopback("127.0.0.1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
