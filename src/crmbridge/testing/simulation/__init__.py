"""Whole histories from a seed: people edit in several CRMs, requests go wrong and processes die; an oracle judges.

`crmbridge.testing.simulation.play.simulate` plays a seed on the sandboxes of the installed plugins, with the state in
a real SQLite file; `crmbridge.testing.simulation.fakes.simulate` on CRMs in memory, much faster and without a wire.
`crmbridge-sim` is the command line.
"""
