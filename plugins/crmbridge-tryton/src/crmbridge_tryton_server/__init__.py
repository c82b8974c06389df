"""A real Tryton server on this machine, for tests, benchmarks and the demo: no part of the adapter."""
