"""What differs between linked records, and what has to be written for it."""
