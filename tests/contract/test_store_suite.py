"""All stores keep the promises that every state store makes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crmbridge.ports import StateStore
from crmbridge.store import open_store
from crmbridge.store.memory import MemoryStore
from crmbridge.store.sql.store import SqlStore
from crmbridge.testing.stores.suite import StoreSuite


class TestSqlite(StoreSuite):
    """The store on disk."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[StateStore]:
        """Open a new file."""
        store = open_store(f"sqlite:///{tmp_path}/state.db")
        yield store
        store.close()

    @pytest.fixture
    def again(self, store: StateStore, tmp_path: Path) -> Iterator[StateStore]:
        """Open the file once more."""
        again = open_store(f"sqlite:///{tmp_path}/state.db")
        yield again
        again.close()


class TestWholeSqlite(StoreSuite):
    """The store on disk, of which SQLAlchemy answers all, as it does with PostgreSQL."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[StateStore]:
        """Open a new file."""
        store = SqlStore.open(f"sqlite:///{tmp_path}/state.db")
        yield store
        store.close()

    @pytest.fixture
    def again(self, store: StateStore, tmp_path: Path) -> Iterator[StateStore]:
        """Open the file once more."""
        again = SqlStore.open(f"sqlite:///{tmp_path}/state.db")
        yield again
        again.close()


class TestMemory(StoreSuite):
    """The store in memory."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        """Make a new one."""
        return MemoryStore()

    @pytest.fixture
    def again(self, store: MemoryStore) -> StateStore:
        """Open it once more."""
        return store.again()
