"""Evaluating a deal: where it stands, what holds and what does not, now and at each earlier move."""
