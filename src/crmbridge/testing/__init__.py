"""Tests that plugin authors inherit."""
