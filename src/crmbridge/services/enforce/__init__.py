"""The process held against deals: which wait to be judged, what is found, and what follows from it."""
