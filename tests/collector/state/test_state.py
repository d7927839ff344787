"""The state database: migrated, durable, one transaction at a time."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, inspect, select, text
from sqlalchemy.exc import StatementError

from collector.errors import Conflict, Malformed, Unavailable
from collector.state import State, lease
from collector.state.migrate import migrations
from collector.state.tables import leases, metadata

T0 = datetime(2026, 11, 22, 3, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def url(tmp_path):
    """Give the URL of a database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture
def state(url):
    """Open a new database."""
    state = State(url)
    yield state
    state.close()


def put(tx, name, at=T0):
    """Write a row."""
    tx.execute(insert(leases).values(name=name, holder="h", expires_at=at))


def names(state):
    """Give the rows a new reader sees."""
    with state.read() as tx:
        return sorted(tx.execute(select(leases.c.name)).scalars())


def test_migrations_are_applied_once_and_remembered(url):
    """A second start finds the version and applies nothing."""
    first = State(url)
    with first.write() as tx:
        put(tx, "kept")
    first.close()
    second = State(url)

    assert second.version == migrations()[-1].version
    assert names(second) == ["kept"]
    second.close()


def test_migrations_are_numbered_without_gaps():
    """0001, 0002, … each with a name and statements."""
    assert [migration.version for migration in migrations()] == list(range(1, len(migrations()) + 1))
    assert all(migration.statements for migration in migrations())


def test_the_tables_are_what_the_sql_creates(state):
    """Names, order and nullability of columns agree between tables.py and schema/*.sql."""
    with state.read() as tx:
        created = inspect(tx)
        for table in metadata.sorted_tables:
            wanted = [(column.name, column.nullable and not column.primary_key) for column in table.columns]
            columns = created.get_columns(table.name)
            keys = created.get_pk_constraint(table.name)["constrained_columns"]
            assert [(c["name"], c["nullable"] and c["name"] not in keys) for c in columns] == wanted
            assert keys == [column.name for column in table.primary_key]
        assert set(created.get_table_names()) == {*metadata.tables, "schema_version"}


def test_a_database_of_a_newer_program_is_refused(url, state):
    """An older program does not touch it, and says what to do."""
    with state.write() as tx:
        tx.execute(text("INSERT INTO schema_version (version, name) VALUES (999, 'future')"))

    with pytest.raises(Conflict, match="schema version 999") as refused:
        State(url)
    assert refused.value.code == "state_too_new"


@pytest.mark.parametrize("url", ["", "state.db", "nosuch://x/y"])
def test_a_url_that_is_none_is_refused(url):
    """The error says what to write."""
    with pytest.raises(Malformed, match="write sqlite:////path/state"):
        State(url)


def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path):
    """A missing folder and a file that is no database: one error class, the driver's words kept."""
    (tmp_path / "text.db").write_text("this is no database at all, whatever its name says" * 100)
    for name, words in (("no/such/folder.db", "unable to open"), ("text.db", "not a database")):
        with pytest.raises(Unavailable, match=words) as failed:
            State(f"sqlite:///{tmp_path / name}")
        assert failed.value.code == "state_unavailable"


def test_a_commit_is_on_the_disk_and_readers_do_not_wait(state):
    """WAL, synchronous=FULL (2) and foreign keys are on for every connection."""
    with state.read() as tx:
        values = {
            name: tx.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")
        }
        values["foreign_keys"] = tx.execute(text("PRAGMA foreign_keys")).scalar()

    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_an_error_undoes_the_transaction(state):
    """Nothing of a failed transaction is seen."""
    with pytest.raises(Unavailable, match="UNIQUE"), state.write() as tx:  # noqa: PT012 - the block is the promise
        put(tx, "undone")
        put(tx, "undone")

    assert names(state) == []


def test_a_reader_sees_one_snapshot_and_does_not_block_the_writer(state):
    """What is committed while a reader reads does not change what it reads."""
    with state.read() as reading:
        assert reading.execute(select(leases)).all() == []
        with state.write() as tx:
            put(tx, "new")
        assert reading.execute(select(leases)).all() == []

    assert names(state) == ["new"]


def test_writers_follow_one_another(state):
    """Two read-modify-write transactions at once lose no update."""
    with state.write() as tx:
        put(tx, "counter", T0)

    def count():
        for _ in range(20):
            with state.write() as tx:
                at = tx.execute(select(leases.c.expires_at)).scalar_one()
                tx.execute(leases.update().values(expires_at=at + timedelta(seconds=1)))

    threads = [threading.Thread(target=count) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with state.read() as tx:
        assert tx.execute(select(leases.c.expires_at)).scalar_one() == T0 + timedelta(seconds=40)


@pytest.mark.usefixtures("state")
def test_a_locked_database_is_unavailable(url, monkeypatch):
    """A foreign process that holds the database does not hang us for ever."""
    monkeypatch.setattr("collector.state.database.BUSY_TIMEOUT_MS", 50)
    holder = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable, match="locked"):
        State(url)
    holder.close()


def test_instants_keep_their_microseconds_and_refuse_naive_times(state):
    """What goes in as an aware datetime comes out equal; a naive one is a bug."""
    with state.write() as tx:
        put(tx, "exact", T0)
    with state.read() as tx:
        assert tx.execute(select(leases.c.expires_at)).scalar_one() == T0
    with state.write() as tx, pytest.raises(StatementError, match="offset-naive"):
        put(tx, "naive", T0.replace(tzinfo=None))


def test_a_lease_has_one_holder_until_it_ends(state):
    """Another takes it only after its time; the first holder then finds out."""

    def hold(holder, seconds):
        with state.write() as tx:
            return lease.hold(tx, "alerting", holder, T0 + timedelta(seconds=seconds), 15)

    assert hold("a", 0)
    assert not hold("b", 1)
    assert hold("a", 10)
    assert not hold("b", 24.9)
    assert hold("b", 25)
    assert not hold("a", 26)
    with state.write() as tx:
        lease.release(tx, "alerting", "b")
    assert hold("a", 27)


def test_a_restarted_holder_does_not_wait_for_itself(state):
    """The same name has the lease at once, also after its own clock went back."""
    for seconds in (0, 1, 100, -3600, 0):
        with state.write() as tx:
            assert lease.hold(tx, "alerting", "a", T0 + timedelta(seconds=seconds), 15)
    with state.write() as tx:
        assert lease.hold(tx, "alerting", "b", T0 + timedelta(seconds=15), 15)


def test_a_transaction_that_wrote_nothing_moves_no_mark(state):
    """Who looks at a lease that is still long writes nothing: nobody reads anything anew for that."""
    with state.write() as tx:
        lease.hold(tx, "alerting", "a", T0, 15)
    before = state.mark()
    with state.write() as tx:
        lease.hold(tx, "alerting", "a", T0 + timedelta(seconds=1), 15)

    assert state.mark() == before


def test_a_mark_moves_with_every_commit_of_whomever(state, url):
    """Whoever keeps something in memory sees by it that there is something to read; reading moves nothing."""
    marks = [state.mark()]
    with state.write() as tx:
        put(tx, "mine")
    marks.append(state.mark())
    names(state)
    read = state.mark()
    other = State(url)
    with other.write() as tx:
        put(tx, "theirs")
    marks.append(state.mark())
    other.close()

    assert None not in marks
    assert len(set(marks)) == 3
    assert read == marks[1]
