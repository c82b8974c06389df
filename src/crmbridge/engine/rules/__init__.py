"""Exit rules, compiled once per process: what each check looks at, how it decides, and how it says so."""
