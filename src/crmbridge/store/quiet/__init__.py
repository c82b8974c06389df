"""The state store in plain SQL on SQLite, for what a run asks that finds nothing new."""
