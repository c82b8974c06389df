"""Tests that plugin authors inherit.

Importing a name loads its module; importing this package loads nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmbridge.testing.adapters.suite import AdapterSuite
    from crmbridge.testing.adapters.workbench import AdapterWorkbench, Exemption, SuiteConfig, plugin_workbench
    from crmbridge.testing.stores.suite import StoreSuite

__all__ = ["AdapterSuite", "AdapterWorkbench", "Exemption", "StoreSuite", "SuiteConfig", "plugin_workbench"]

_HOMES = {
    "AdapterSuite": "adapters.suite",
    "AdapterWorkbench": "adapters.workbench",
    "Exemption": "adapters.workbench",
    "StoreSuite": "stores.suite",
    "SuiteConfig": "adapters.workbench",
    "plugin_workbench": "adapters.workbench",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  only when a name is asked for

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
