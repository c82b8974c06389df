"""A sandbox on a real loopback socket, in a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import uvicorn
from msgspec import Struct

from crmbridge.errors import ConfigurationError
from crmbridge.sandbox.kit import Sandbox

HOST = "127.0.0.1"


class Served(Struct, frozen=True):
    """A sandbox that is being served."""

    sandbox: Sandbox
    url: str

    @property
    def token(self) -> str:
        """The credential it accepts."""
        return self.sandbox.token


def listen(port: int) -> socket.socket:
    """Take a loopback port, or a free one for 0; raises ConfigurationError when it can't be had."""
    # Named as TCP, or asyncio leaves Nagle's algorithm on, which holds every answer back for 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()  # from now on callers wait for the server instead of being turned away
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Port {port} can't be used: {error.strerror or error}",
            advice="Choose another with --port, or 0 for a free one.",
        ) from error
    return listener


class _Server(uvicorn.Server):
    """A server that says when it serves: from then on signals are its own, and end it in good order."""

    def __init__(self, config: uvicorn.Config, serving: Callable[[], None]) -> None:
        super().__init__(config)
        self._serving = serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._serving()


def make_server(sandbox: Sandbox, serving: Callable[[], None] = lambda: None) -> uvicorn.Server:
    """Make the server of a sandbox; `run(sockets=[...])` serves until `should_exit` or a signal.

    `serving` is called once it does.
    """
    # Cut connections are faults on purpose, so the server's own complaints about them are not shown.
    config = uvicorn.Config(
        sandbox.app,
        log_level="critical",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        date_header=False,  # the machine's time is not the sandbox's; a vendor that sends one sets its own
    )
    return _Server(config, serving)


@contextlib.contextmanager
def serve(sandbox: Sandbox, port: int = 0) -> Iterator[Served]:
    """Serve a sandbox until the block ends."""
    listener = listen(port)
    server = make_server(sandbox)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        yield Served(sandbox, f"http://{HOST}:{listener.getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
