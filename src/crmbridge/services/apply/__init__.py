"""Plans written to CRMs, the only way that anything is: chosen, checked, sent, noted, and looked up where unclear."""
