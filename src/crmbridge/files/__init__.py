"""The files that people write: reading them, and saying exactly where something in them is wrong."""
