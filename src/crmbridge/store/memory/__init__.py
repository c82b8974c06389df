"""The state store in memory, for tests and the simulation."""

from crmbridge.store.memory.store import MemoryStore

__all__ = ["MemoryStore"]
