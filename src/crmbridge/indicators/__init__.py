"""Indicators: SQL per number, run by DuckDB over the store."""

from crmbridge.indicators.compute import compute
from crmbridge.indicators.options import Options, Period

__all__ = ["Options", "Period", "compute"]
