"""A project's files: made, checked, tried by their cases, and shown as a manual."""
