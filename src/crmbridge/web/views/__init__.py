"""What each page shows: one function per address."""
