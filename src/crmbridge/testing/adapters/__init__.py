"""The AdapterSuite: what every adapter must do, kind by kind, and what its tests work with."""
