"""Frozen values that every other part speaks in; nothing here reads a file, a clock or a network."""
