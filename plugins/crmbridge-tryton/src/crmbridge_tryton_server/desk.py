"""Works in Tryton through proteus, line by line as told. It runs in the server's environment, where proteus is.

Each line on standard input is one piece of work as JSON, `{"make" | "edit" | "click": …}`; each line that comes back
is what became of it. What a form does when a person fills it in, proteus does too: it asks the server what follows
from each value, and saves only a record that nobody else has saved since it was opened.
"""

import json
import os
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from proteus import Model, config  # type: ignore[import-not-found]

DEAL = "sale.opportunity"
READ: dict[str, Callable[[str], object]] = {"numeric": Decimal, "date": date.fromisoformat}


def main() -> None:
    """Work until there is no more to do."""
    url, user, password = (os.environ[f"DESK_{name}"] for name in ("URL", "USER", "PASSWORD"))
    with config.set_xmlrpc_session(url, user, password) as session:
        session.set_context(Model.get("res.user").get_preferences(True, session.context))
        for line in sys.stdin:
            print(json.dumps(_done(json.loads(line))), flush=True)  # noqa: T201  it is a conversation


def _done(work: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"deal": _do(**work)}
    except Exception as error:  # noqa: BLE001  whatever the server says is said to whoever asked
        return {"error": f"{type(error).__name__}: {error}"}


def _do(what: str, deal: int | None, values: dict[str, Any], button: str = "") -> int:
    """Make or edit a deal, or click a button of it, and give its id."""
    form = Model.get(DEAL)(deal)
    for name, value in values.items():
        setattr(form, name, _value(form._fields[name], value))
    if what == "click":
        form.click(button)
    else:
        form.save()
    return int(form.id)


def _value(field: dict[str, Any], value: Any) -> Any:
    """Give a value as proteus takes it: it is told as text, and another record by its id."""
    if value is None:
        return None
    if field["type"] == "many2one":
        return Model.get(field["relation"])(value)
    read = READ.get(field["type"])
    return read(value) if read else value


if __name__ == "__main__":
    main()
