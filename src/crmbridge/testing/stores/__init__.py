"""The StoreSuite: what every state store must do, part by part, and what its tests fill a store with."""
