"""Expressions of rules: a small typed subset of CEL, read, type-checked and compiled to Python functions."""
