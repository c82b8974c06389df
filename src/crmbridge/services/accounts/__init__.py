"""How accounts are: signed in, fit for the process, and made so."""
