"""Use cases: pull, plan, apply, evaluate, the cycle, reports."""
