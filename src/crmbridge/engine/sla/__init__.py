"""SLA clocks: what may take how long, the cycles that are measured, and what is said of those that are late."""
