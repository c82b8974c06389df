"""`crmbridge serve`: the page in a browser, and the receiver of webhooks."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, Part, dim, strong, table
from crmbridge.cli.stopping import Terminated

if TYPE_CHECKING:
    from socket import socket

    import uvicorn
    from starlette.types import ASGIApp

    from crmbridge.services.pull.hinting import Receiver
    from crmbridge.services.workspace import Progress, Workspace
    from crmbridge.web.gate import Hosts
    from crmbridge.web.keys import Keys

PORT = 8750


@as_command(
    "serve",
    examples=[
        ("serve", f"on port {PORT} of this machine; the first time, it shows a token to sign in with"),
        (
            "serve --public-url https://crm.example.com",
            "behind a proxy that speaks HTTPS; signatures cover this address",
        ),
        ("serve --port 0 --json", 'one line {"url", "webhooks", "tokens"} before it serves, for scripts'),
        ("serve --new-tokens", "make other tokens; the ones before open nothing any more"),
    ],
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes a free one.")
@click.option("--public-url", metavar="URL", help="How others call it, without the path.  [default: host and port]")
@click.option("--new-tokens", is_flag=True, help="Make new tokens in place of the ones that were made before.")
def command(call: Call, *, host: str, port: int, public_url: str | None, new_tokens: bool) -> Reply:
    """Serve the page and receive the CRMs' webhooks, until Ctrl-C.

    The page shows how things are, what needs a person, which deals are held and why, and the plan, which those who may
    act can write. Whoever looks signs in with a token. Webhooks come in at /webhooks/CONNECTION, for each connection
    with `webhook:` in the settings; they are hints which records the next pull re-reads, and no more.
    """
    from crmbridge.services.pull.hinting import receivers  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.web.keys import keys_of  # noqa: PLC0415  the same
    from crmbridge.web.server import listen, make_server  # noqa: PLC0415  the same

    public = _public(public_url)
    with call.workspace() as workspace:
        hosts = _hosts(workspace, host, public)
        with contextlib.closing(listen(host, port)) as listener:
            url = public or _local(listener)
            port = listener.getsockname()[1]
            webhooks = receivers(workspace)
            # Last, as tokens that are made are known only now: what fails before this must not cost them.
            keys = keys_of(workspace.project, anew=new_tokens)
            with _application(call, workspace, keys, hosts, webhooks, url=url, port=port) as app:
                server = make_server(app)
                _announce(call, url, webhooks, keys)
                return Reply(printed=True, exit_code=_serve(server, listener))


def _hosts(workspace: Workspace, host: str, public: str | None) -> Hosts:
    """Give the names it may be called by; raises ConfigurationError where others could reach it unprepared."""
    from crmbridge.errors import ConfigurationError  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.loopback import is_loopback  # noqa: PLC0415  the same
    from crmbridge.web.gate import hosts_of  # noqa: PLC0415  the same

    serve = workspace.project.settings.serve
    reached = not is_loopback(f"http://[{host}]" if ":" in host else f"http://{host}")
    if reached and not serve.tokens:
        raise ConfigurationError(
            f"Others can reach {host}, and the settings say nothing of who may sign in",
            advice="Give tokens: `serve: {tokens: [{name: anna, role: act, token: {env: ANNA_TOKEN}}]}`.",
        )
    if reached and public is None and not serve.hosts:
        raise ConfigurationError(
            f"Others can reach {host}, and nothing says by which name they call it",
            advice="Give --public-url https://crm.example.com, or `serve: {hosts: [crm.example.com]}`.",
        )
    return hosts_of(host, public, serve.hosts)


@contextlib.contextmanager
def _application(
    call: Call, workspace: Workspace, keys: Keys, hosts: Hosts, webhooks: Mapping[str, Receiver], *, url: str, port: int
) -> Iterator[ASGIApp]:
    """Put the page and the receiver together; what is at work on the page is waited for at the end."""
    from crmbridge.app import open_workspace  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.cli.progress import patient_clock  # noqa: PLC0415  the same
    from crmbridge.services.workspace import silent  # noqa: PLC0415  the same
    from crmbridge.web.access import Access  # noqa: PLC0415  the same
    from crmbridge.web.opening import serving  # noqa: PLC0415  the same
    from crmbridge.web.receiver import Reception, webhook_app  # noqa: PLC0415  the same
    from crmbridge.web.routes import site_app  # noqa: PLC0415  the same

    clock = call.clock or patient_clock(call.stop)

    def opens(progress: Progress = silent) -> contextlib.AbstractContextManager[Workspace]:
        return open_workspace(call.project, progress, clock=clock, patience=call.patience)

    access, secure = Access(keys.keys, workspace.clock.now), url.startswith("https://")
    with serving(workspace, opens, access, hosts, secure=secure, port=port) as site:
        yield site_app(site, webhook_app(Reception(workspace, webhooks, url)))


def _public(url: str | None) -> str | None:
    """Check how others call it; what can't be an address is a typing error."""
    if url is None:
        return None
    address = url.rstrip("/")
    try:
        parts = urlsplit(address)
        whole = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is none, or half an address in brackets
        whole, parts = False, urlsplit("")
    if not whole or parts.query or parts.fragment or parts.username is not None:
        raise click.UsageError(f"Write --public-url https://crm.example.com, not {url!r}.")
    if parts.path:
        raise click.UsageError(
            f"Write --public-url without the path {parts.path}: the page and the webhooks are at the address's root."
        )
    return address


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


def _announce(call: Call, url: str, connections: Iterable[str], keys: Keys) -> None:
    """Say where it is, before it serves."""
    addresses = {name: f"{url}/webhooks/{name}" for name in connections}
    if call.json:
        body = {"url": url, "webhooks": addresses, "tokens": {role.value: text for role, text in keys.made.items()}}
        call.out.write(json.dumps(body) + "\n")
        return
    rows: list[list[Part]] = [[strong("page"), f"{url}/"]]
    rows += [[strong(name), address] for name, address in addresses.items()]
    lines: list[Line] = [*table(rows)]
    if keys.made:
        means = {"act": "may look, decide, plan and apply", "read": "may look"}
        tokens: list[list[Part]] = [
            [strong(f"token: {role}"), text, dim(means[role])] for role, text in keys.made.items()
        ]
        lines += ["", *table(tokens), dim("They are shown this once. `crmbridge serve --new-tokens` makes others.")]
    elif not keys.from_settings:
        lines += [dim("Sign in with a token of the first start; `crmbridge serve --new-tokens` makes others.")]
    call.out.show([*lines, dim("Ctrl-C ends it.")])
