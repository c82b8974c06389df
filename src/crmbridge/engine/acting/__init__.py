"""Acting on findings: whom each is for, what is written about it, and which moves are taken back."""
