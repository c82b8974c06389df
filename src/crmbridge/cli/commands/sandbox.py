"""`crmbridge sandbox`: run one sandbox in the foreground."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, dim, strong
from crmbridge.cli.stopping import Terminated

if TYPE_CHECKING:
    from socket import socket

    from crmbridge.plugins import SandboxSpec
    from crmbridge.sandbox import Sandbox


@as_command(
    "sandbox",
    examples=[
        ("sandbox NAME", "an account on a free port; `crmbridge plugins` lists the names"),
        ("sandbox NAME --port 8700 --fault limit=0.1", "one request in ten is limited"),
        ("sandbox NAME --json", 'one line {"url", "token"} before it serves, for scripts'),
    ],
)
@click.argument("name")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free one.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed gives the same account.")
@click.option(
    "--deals", type=click.IntRange(0, 1_000_000), default=300, show_default=True, help="How many deals it has."
)
@click.option(
    "--latency-ms", type=click.IntRange(0, 60_000), default=0, show_default=True, help="Wait before each answer."
)
@click.option(
    "--limit", type=click.Choice(["vendor", "none"]), default="vendor", show_default=True, help="Rate limits."
)
@click.option(
    "--fault", "faults", multiple=True, metavar="NAME=SHARE", help="Let a share (0 to 1) of requests go wrong."
)
def command(call: Call, name: str, port: int, faults: tuple[str, ...], **shape: Any) -> Reply:
    """Run a local server that speaks one CRM's own API, until Ctrl-C. It holds a believable sales team's deals.

    Point a connection's `base_url`, or any other client of that CRM, at it. Nothing is kept when it ends.
    """
    from crmbridge.sandbox import SandboxOptions  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.sandbox.server import HOST, listen  # noqa: PLC0415  the same

    spec = _spec(name)
    sandbox = spec.build(SandboxOptions(**shape, faults=_faults(faults)))
    with contextlib.closing(listen(port)) as listener:
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        return Reply(printed=True, exit_code=_serve(call, sandbox, spec, url, listener))


def _serve(call: Call, sandbox: Sandbox, spec: SandboxSpec, url: str, listener: socket) -> int:
    """Serve until a signal, and give the exit code. What was announced is the whole answer, so no more is said."""
    from crmbridge.sandbox.server import make_server  # noqa: PLC0415  imports are paid by the commands that use them

    try:
        # It is announced once it serves: whoever reads that may end it at once, and no signal meets it half made.
        server = make_server(sandbox, lambda: _announce(call, sandbox, spec, url))
        server.run(sockets=[listener])  # it ends its connections first, then gives the signal back
    except Terminated:
        return Terminated.exit_code
    except KeyboardInterrupt:  # how it is meant to end
        return 0
    return 0


def _spec(name: str) -> SandboxSpec:
    from crmbridge.errors import ConfigurationError  # noqa: PLC0415  imports are paid by the commands that use them
    from crmbridge.plugins import load_plugins  # noqa: PLC0415  the same

    offered = load_plugins().sandboxes()
    if name not in offered:
        known = f"Installed: {', '.join(sorted(offered))}." if offered else f"pip install crmbridge-{name}"
        raise ConfigurationError(f"There is no sandbox {name!r}", advice=known)
    return offered[name]


def _faults(given: tuple[str, ...]) -> Mapping[str, float]:
    """Read NAME=SHARE pairs; what can't be read is a typing error."""
    from crmbridge.sandbox import FAULTS  # noqa: PLC0415  imports are paid by the commands that use them

    found: dict[str, float] = {}
    for text in given:
        name, _, share = text.partition("=")
        if name not in FAULTS:
            raise click.UsageError(f"There is no fault {name!r}; there are: {', '.join(FAULTS)}.")
        try:
            found[name] = float(share)
        except ValueError:
            raise click.UsageError(f"Write --fault {name}=0.1 for one request in ten, not {text!r}.") from None
        if not 0 <= found[name] <= 1:
            raise click.UsageError(f"The share of {name} lies between 0 and 1, not at {share}.")
    return found


def _announce(call: Call, sandbox: Sandbox, spec: SandboxSpec, url: str) -> None:
    """Say where it is and how to get in."""
    from crmbridge.engine.text import fill  # noqa: PLC0415  imports are paid by the commands that use them

    if call.json:
        call.out.write(json.dumps({"url": url, "token": sandbox.token}) + "\n")
        return
    variable = f"{spec.name.replace('-', '_').upper()}_SANDBOX_TOKEN"  # one each, as several may run side by side
    settings = f"{{adapter: {spec.name}, base_url: {url}, {spec.credential}: {{env: {variable}}}}}"
    example = fill(spec.example, {"url": url, "token": sandbox.token})
    lines: list[Line] = [
        [strong(spec.name), f" sandbox: {spec.summary}"],
        [dim("  url      "), url],
        [dim("  token    "), sandbox.token],
        [dim("  settings "), settings],
        [dim("  shell    "), f"export {variable}={sandbox.token}"],
    ]
    if example:
        lines.append([dim("  try      "), f"curl {example}"])
    call.out.show([*lines, "Ctrl-C ends it; nothing is kept."])
