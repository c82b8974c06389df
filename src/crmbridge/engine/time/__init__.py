"""Business time and moments: calendars, open time as a line, and what "now" and "today" are."""
