"""Questions answered from the state alone: why, which, how long, and what if. No CRM is written to."""
