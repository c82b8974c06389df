"""Indicators: SQL per number, run by DuckDB over the store."""
