"""Fast local stand-ins for the three vendors: only the calls of a pull and of updates, and never the bottleneck."""
