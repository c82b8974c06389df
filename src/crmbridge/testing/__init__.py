"""Tests that plugin authors inherit.

Importing a name loads its module; importing this package loads nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmbridge.testing.adapter_suite import AdapterSuite
    from crmbridge.testing.adapter_workbench import AdapterWorkbench, Exemption, SuiteConfig, plugin_workbench
    from crmbridge.testing.store_suite import StoreSuite

__all__ = ["AdapterSuite", "AdapterWorkbench", "Exemption", "StoreSuite", "SuiteConfig", "plugin_workbench"]

_HOMES = {
    "AdapterSuite": "adapter_suite",
    "AdapterWorkbench": "adapter_workbench",
    "Exemption": "adapter_workbench",
    "StoreSuite": "store_suite",
    "SuiteConfig": "adapter_workbench",
    "plugin_workbench": "adapter_workbench",
}
_WITH_ASSERTIONS = (
    "adapter_archiving", "adapter_associations", "adapter_capabilities", "adapter_changes", "adapter_counterparts",
    "adapter_faults", "adapter_hostile", "adapter_incremental",
    "adapter_kinds", "adapter_reading", "adapter_replies", "adapter_signing", "adapter_suite", "adapter_values",
    "adapter_walks", "adapter_workbench", "adapter_writing", "store_record_suite", "store_suite", "store_sync_suite",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load a public name from its module, so that pytest shows the values in its failed assertions."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  only when a name is asked for

    import pytest  # noqa: PLC0415  the same

    pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _WITH_ASSERTIONS))
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
