"""viser's server, kept to what it must serve: its own page to this machine's own browser windows."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from s3d_splat.errors import S3DError

_NOWHERE = "/no-such-file"
_SERVERS = ("websockets.server", "websockets.asyncio.server")  # viser 0.2 uses the first, later ones the second
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens there."""
    return host in _LOOPBACK


def leaves_the_page(path: str) -> bool:
    """Whether a URL's path could name a file outside the folder of viser's page, however it is written."""
    plain = path.partition("?")[0]
    for _ in range(3):  # written once, twice or three times in percents
        plain = unquote(plain)
    return "\\" in plain or "\0" in plain or plain.startswith("//") or ".." in plain.split("/")


def check_port(host: str, port: int) -> None:
    """Check that one can listen there; viser would quietly take another port.

    Raises:
        S3DError: the port is in use, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as error:
        raise S3DError(
            f"cannot listen on {host} port {port} ({error})",
            why="another program, such as another viewer, may be listening there, or the host is not this machine's",
            fix=f"close it, or give --port {port + 1 if port < 65535 else 8080}",
        ) from error


@contextlib.contextmanager
def guarded(host: str, port: int) -> Iterator[None]:
    """While this is open, servers that viser starts refuse paths that leave its page, and pages of other sites.

    viser 0.2 joins the path of a URL to its folder as it is: `/../../etc/passwd` would be served. No version looks at who
    opens its web socket: any page in the user's browser could send edits to a viewer on this machine.
    """
    modules = [importlib.import_module(name) for name in _SERVERS]
    originals = [module.serve for module in modules]
    try:
        for module, original in zip(modules, originals, strict=True):
            module.serve = _guarded_serve(original, _origins(host, port))  # type: ignore[attr-defined]
        yield
    finally:
        for module, original in zip(modules, originals, strict=True):
            module.serve = original  # type: ignore[attr-defined]


def _origins(host: str, port: int) -> Sequence[str | None] | None:
    """Who may open the web socket; None: everybody, for who listens to a network is known under names that we are not."""
    if not is_loopback(host):
        return None
    return [None, *(f"http://{'[::1]' if name == '::1' else name}:{port}" for name in _LOOPBACK)]


def _guarded_serve(original: Callable[..., Any], origins: Sequence[str | None] | None) -> Callable[..., Any]:
    def serve(*arguments: Any, **options: Any) -> Any:
        process = options.get("process_request")
        if process is not None:
            options["process_request"] = _fenced(process)
        return original(*arguments, origins=origins, **options)

    return serve


def _fenced(process: Callable[..., Any]) -> Callable[..., Any]:
    """The same request handler, asked for a file that does not exist where a path leaves the page."""

    def old(path: str, headers: Any) -> Any:
        return process(_NOWHERE if leaves_the_page(path) else path, headers)

    def new(connection: Any, request: Any) -> Any:
        if leaves_the_page(request.path):
            request = dataclasses.replace(request, path=_NOWHERE)
        return process(connection, request)

    def either(first: Any, second: Any) -> Any:
        return old(first, second) if isinstance(first, str) else new(first, second)

    return either
