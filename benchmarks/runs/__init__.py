"""What the benchmark scripts share: a stand-in in a process of its own, a project, a child that is measured, tables."""
