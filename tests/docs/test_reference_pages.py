"""The reference pages name everything that the code has, and nothing that it has not."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crmbridge import errors, hookspecs
from crmbridge.model.records import STANDARD_FIELDS
from crmbridge.ports import Adapter, Capabilities
from crmbridge.sandbox import FAULTS, SandboxOptions

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("crmbridge_")}
ERRORS = {
    name: error
    for name, error in vars(errors).items()
    if inspect.isclass(error) and issubclass(error, errors.CrmbridgeError)
}


def page(name: str) -> str:
    """Give a reference page's text."""
    return (REFERENCE / name).read_text("utf-8")


def rows(text: str) -> dict[str, str]:
    """Give the rows of a page's tables by the code word that they start with."""
    return dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", text, re.MULTILINE))


def test_every_hook_is_documented_with_its_arguments() -> None:
    """As a heading that reads like the hook's signature."""
    expected = {f"{name}({', '.join(inspect.signature(hook).parameters)})" for name, hook in HOOKS.items()}

    assert expected == set(re.findall(r"^## `(crmbridge_\w+\([^)]*\))`$", page("hooks.md"), re.MULTILINE))


def test_every_hook_says_when_it_is_called() -> None:
    """Under its heading, with the version that brought it."""
    sections = re.split(r"^## `", page("hooks.md"), flags=re.MULTILINE)[1:]

    assert [] == [s.split("(")[0] for s in sections if "**Called**" not in s or "**Since** 0.1" not in s]


def test_every_error_is_documented_with_its_exit_code() -> None:
    """The table has a row per class, with the code that the command line ends with."""
    documented = {name: row.split(" | ")[0] for name, row in rows(page("errors.md")).items() if name in ERRORS}
    never_an_exit = {"RefusedError", "StaleError", "UnclearError"}

    assert documented == {
        name: "an outcome" if name in never_an_exit else str(error.exit_code) for name, error in ERRORS.items()
    }


def test_no_error_is_documented_that_is_not_there() -> None:
    """A class that was renamed would live on in the page."""
    assert set(re.findall(r"\b\w+Error\b", page("errors.md"))) == set(ERRORS)


def test_every_fault_is_documented_as_the_code_says() -> None:
    """With the same words, so that there is one description of each."""
    assert {name: means for name, means in rows(page("sandbox.md")).items() if name in FAULTS} == dict(FAULTS)


def test_every_sandbox_option_is_documented() -> None:
    """Each field of SandboxOptions has a row."""
    names = set(inspect.signature(SandboxOptions).parameters)

    assert names == names & set(rows(page("sandbox.md")))


@pytest.mark.parametrize("port", [Adapter, Capabilities])
def test_the_port_is_documented_whole(port: type) -> None:
    """Each operation of an adapter, and each thing that it can say of itself."""
    names = {name for name in {**vars(port), **port.__annotations__} if not name.startswith("_")}

    assert set() == names - {re.split(r"\W", name)[0] for name in rows(page("adapter-port.md"))}


def test_the_standard_fields_are_documented_with_their_types() -> None:
    """Per kind, in the order of the code."""
    found = {kind: row for kind, row in rows(page("adapter-port.md")).items() if kind in STANDARD_FIELDS}

    assert found == {
        str(kind): ", ".join(f"`{name}` {type_}" for name, type_ in fields.items())
        for kind, fields in STANDARD_FIELDS.items()
    }


def test_the_values_are_documented_with_what_they_are_made_of() -> None:
    """Whoever writes an adapter makes them, of all that they need and nothing else."""
    found = re.findall(r"^\| `([A-Z]\w+)\(([^)]*)\)` \| `([\w.]+)` \|", page("adapter-port.md"), re.MULTILINE)

    assert {"Record", "Page", "Receipt"} <= {name for name, _, _ in found}
    for name, parts, module in found:
        assert parts == taken_by(getattr(import_module(f"crmbridge.{module}"), name)), name


def taken_by(kind: Any) -> str:
    """Name the parts of a value, first those that it needs."""
    if not issubclass(kind, msgspec.Struct):
        return ", ".join(kind._fields)
    known = sorted(msgspec.structs.fields(kind), key=lambda field: not field.required)
    return ", ".join(field.name if field.required else f"{field.name}=" for field in known)
