"""`crmbridge plugins`: what is installed, and what it offers."""

from __future__ import annotations

from crmbridge.cli.call import Call, Reply
from crmbridge.cli.grammar import as_command
from crmbridge.cli.output import Line, Part, dim, strong, table


@as_command("plugins", examples=[("plugins", "what there is to choose from, and where it comes from")])
def command(call: Call) -> Reply:  # noqa: ARG001  every command is given its call
    """List the installed plugins, and the adapters, sandboxes, sinks and indicators that they offer.

    A plugin is left out with CRMBRIDGE_BLOCK_PLUGINS=NAME.
    """
    from crmbridge.plugins import load_plugins  # noqa: PLC0415  imports are paid by the commands that use them

    plugins = load_plugins()
    adapters, sandboxes = plugins.adapters(), plugins.sandboxes()
    offers = [("adapter", name, spec.summary) for name, spec in sorted(adapters.items())]
    offers += [("sandbox", name, spec.summary) for name, spec in sorted(sandboxes.items())]
    offers += [("sink", name, "") for name in sorted(plugins.sinks())]
    offers += [("indicator", name, spec.title) for name, spec in sorted(plugins.indicators().items())]
    hooks = plugins.names()
    lines: list[Line] = [strong("Plugins")]
    lines += table([[name, dim(", ".join(used))] for name, used in hooks], indent=2) if hooks else ["  none"]
    rows: list[list[Part]] = [[kind, strong(name), summary] for kind, name, summary in offers]
    if rows:
        lines += ["", strong("What they offer"), *table(rows, indent=2)]
    result = {
        "plugins": [{"name": name, "hooks": list(used)} for name, used in hooks],
        "offers": [{"kind": kind, "name": name, "summary": summary} for kind, name, summary in offers],
    }
    return Reply(result=result, lines=lines)
