"""Serves an application on a socket until it is told to stop."""

from __future__ import annotations

import socket

import uvicorn
from starlette.applications import Starlette

from crmbridge.errors import ConfigurationError

CONNECTIONS = 200  # at once; more are answered with 503
IDLE_SECONDS = 5  # how long a connection may stay without a request


def listen(host: str, port: int) -> socket.socket:
    """Take a port of an address, or a free one for 0; raises ConfigurationError when it can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio leaves Nagle's algorithm on, which holds every answer back for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Port {port} of {host} can't be used: {error.strerror or error}",
            advice="Choose another with --port, or 0 for a free one; --host names an address of this machine.",
        ) from error
    return listener


def make_server(app: Starlette) -> uvicorn.Server:
    """Make the server; `run(sockets=[...])` serves until `should_exit` or a signal."""
    config = uvicorn.Config(
        app,
        log_level="critical",  # what matters is logged by us, and a request line may hold a secret
        access_log=False,
        lifespan="off",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    return uvicorn.Server(config)
