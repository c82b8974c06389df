"""Every command by name: the part of the help it stands in, the module that has it, and what it does in one line."""

from __future__ import annotations

from typing import NamedTuple

SECTIONS = {
    "start": "Start",
    "daily": "Every day",
    "look": "Look",
    "build": "Build",
}


class Entry(NamedTuple):
    """Where a command is found. The module is imported when the command is called, and not before."""

    section: str
    module: str
    summary: str


_HERE = "crmbridge.cli.commands"

COMMANDS = {
    "demo": Entry("start", f"{_HERE}.demo", "Show a whole cycle on sandbox CRMs of your own, without an account"),
    "init": Entry("start", f"{_HERE}.init", "Start a project: commented settings and the seven-stage process"),
    "check": Entry("start", f"{_HERE}.check", "Check the settings and the process, without a network"),
    "doctor": Entry("start", f"{_HERE}.doctor", "See whether each connection works and fits the process"),
    "connections": Entry("start", f"{_HERE}.connections", "List the connections, describe an account, or set it up"),
    "run": Entry("daily", f"{_HERE}.run", "Do the whole cycle, or what the schedule says is due: for cron"),
    "pull": Entry("daily", f"{_HERE}.pull", "Bring the state up to date with the CRMs"),
    "plan": Entry("daily", f"{_HERE}.plan", "Show what would be written to the CRMs, and why"),
    "apply": Entry("daily", f"{_HERE}.apply", "Make a plan, show it, ask, and write it; or write a saved plan"),
    "undo": Entry("daily", f"{_HERE}.undo", "Restore what a run changed, except what people changed since"),
    "conflicts": Entry("daily", f"{_HERE}.conflicts", "List what waits for a person, and decide on it"),
    "serve": Entry("daily", f"{_HERE}.serve", "Serve the page, and receive the CRMs' webhooks"),
    "enforce": Entry("daily", f"{_HERE}.enforce", "Act on findings only; keep nothing in step"),
    "explain": Entry("look", f"{_HERE}.explain", "Say why a deal stands as it does: rules, SLA, fields, journal"),
    "findings": Entry("look", f"{_HERE}.findings", "List what does not hold: broken rules, SLAs at risk"),
    "slas": Entry("look", f"{_HERE}.slas", "Count how SLAs were kept, and judge what ended by today's process"),
    "report": Entry("look", f"{_HERE}.report", "Show the indicators, save them, or push them to their sinks"),
    "manual": Entry("look", f"{_HERE}.manual", "Build the manual: the process as pages that people work from"),
    "sql": Entry("look", f"{_HERE}.sql", "Ask the indicators' views anything in SQL, and save the answer"),
    "review": Entry("look", f"{_HERE}.review", "Is each step needed? What the history says, with sample sizes"),
    "history": Entry("look", f"{_HERE}.history", "List the runs, what one wrote, or all that was written to one deal"),
    "links": Entry("look", f"{_HERE}.links", "List which records belong together; join them, or split them"),
    "schedule": Entry("look", f"{_HERE}.schedule", "Show what runs next, and the crontab line that drives it"),
    "export-rules": Entry(
        "build", f"{_HERE}.export_rules", "Write exit rules as a CRM's own enforcement, where it has one"
    ),
    "simulate-rules": Entry(
        "build", f"{_HERE}.simulate_rules", "Try a changed process on the stored history: what it would find"
    ),
    "sandbox": Entry("build", f"{_HERE}.sandbox", "Run a local server that speaks one CRM's own API"),
    "plugins": Entry("build", f"{_HERE}.plugins", "List the installed plugins and what they offer"),
    "schema": Entry("build", f"{_HERE}.schema", "Print the JSON Schema of a file, for editors"),
}
