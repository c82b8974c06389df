"""One deal and its past: its visits, moves, fields and activities, and the verdicts of its rules."""
