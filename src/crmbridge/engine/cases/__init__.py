"""Cases: a deal with its history, written down in a file and held against the process."""
