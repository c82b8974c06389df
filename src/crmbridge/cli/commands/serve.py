"""`crmbridge serve`: receive webhooks."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, dim, strong, table
from crmbridge.cli.stopping import Terminated

if TYPE_CHECKING:
    from socket import socket

    import uvicorn

PORT = 8750


@as_command(
    "serve",
    examples=[
        ("serve", f"on port {PORT} of this machine, behind a proxy that speaks HTTPS"),
        ("serve --public-url https://crm.example.com", "where the CRMs call it; signatures cover this address"),
        ("serve --port 0 --json", 'one line {"url", "webhooks"} before it serves, for scripts'),
    ],
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes a free one.")
@click.option("--public-url", metavar="URL", help="How the CRMs call it, without the path.  [default: host and port]")
def command(call: Call, host: str, port: int, public_url: str | None) -> Reply:
    """Receive the CRMs' webhooks, until Ctrl-C: hints which records the next pull re-reads.

    For each connection with `webhook:` in the settings, at /webhooks/CONNECTION. What is forged, stale or seen before
    has no effect, and nothing is ever written to a CRM. A lost hint costs nothing: the next pull brings the change.
    """
    from crmbridge.errors import ConfigurationError  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.services.hinting import receivers  # noqa: PLC0415  the same
    from crmbridge.web.receiver import Reception, webhook_app  # noqa: PLC0415  the same
    from crmbridge.web.server import listen, make_server  # noqa: PLC0415  the same

    public = _public(public_url)
    with call.workspace() as workspace:
        found = receivers(workspace)
        if not found:
            raise ConfigurationError(
                "No connection has webhooks to receive", advice="Give one `webhook:` under connections:."
            )
        with contextlib.closing(listen(host, port)) as listener:
            url = public or _local(listener)
            server = make_server(webhook_app(Reception(workspace, found, url)))
            _announce(call, url, found)
            return Reply(printed=True, exit_code=_serve(server, listener))


def _public(url: str | None) -> str | None:
    """Check how the CRMs call it; what can't be an address is a typing error."""
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise click.UsageError(f"Write --public-url https://crm.example.com, not {url!r}.")
    return url.rstrip("/")


def _local(listener: socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _serve(server: uvicorn.Server, listener: socket) -> int:
    try:
        server.run(sockets=[listener])  # it answers what it has taken, then gives the signal back
    except Terminated:
        return Terminated.exit_code
    except KeyboardInterrupt:  # how it is meant to end
        return 0
    return 0


def _announce(call: Call, url: str, connections: Iterable[str]) -> None:
    """Say where it is, before it serves."""
    addresses = {name: f"{url}/webhooks/{name}" for name in connections}
    if call.json:
        call.out.write(json.dumps({"url": url, "webhooks": addresses}) + "\n")
        return
    lines: list[Line] = [*table([[strong(name), address] for name, address in addresses.items()])]
    call.out.show([*lines, dim("Ctrl-C ends it.")])
