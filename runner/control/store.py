"""The control store: one transaction holds a state change and the events that tell it.

SQLite in the workspace by default (WAL, synchronous FULL), PostgreSQL by ``FLEETBOOK_CONTROL_URL``.
A transaction that raises leaves neither state nor event: decide inside, raise outside.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import msgspec
import sqlalchemy as sa
from sqlalchemy import event as sa_event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateColumn

from ingest.contract import Value, canonical_body, new_event_id, validate
from ingest.events import TYPE_BY_NAME
from ingest.log.writer import make_payload, utc_now
from ingest.payload_capture import ALWAYS_KEPT
from runner.control.assurance_tables import METADATA
from runner.control.content import Unkept, UnkeptIn, keep_all
from runner.control.prepared import Prepared, Row
from runner.control.queue import write_queue
from runner.control.sqlite_connections import Idle, transaction
from runner.control.tables import STORE_VERSION, outbox, relay_lock, runs, store_facts
from runner.errors import StoreError

Clock = Callable[[], dt.datetime]

# Events of a run that its end declares: what comes days later (a reading, a verdict) is not among them.
RUN_FAMILIES = frozenset({"runs", "turns", "tool_calls", "knowledge", "approvals"})

_PUT = Prepared(sa.insert(outbox), "event_id", "event", "payload")
_COUNT = Prepared(
    sa.update(runs)
    .where(runs.c.run_id == sa.bindparam("of_run"))
    .values(event_count=runs.c.event_count + sa.bindparam("more"))
)
_ENCODE_PAYLOAD = msgspec.json.Encoder()


class Subject(Protocol):
    """What the envelope of a run's events says: the run, its agent and the responsible person."""

    @property
    def run_id(self) -> str: ...
    @property
    def agent_id(self) -> str: ...
    @property
    def agent_version(self) -> int | None: ...
    @property
    def team_id(self) -> str: ...
    @property
    def requested_by(self) -> str: ...
    @property
    def parent_run_id(self) -> str | None: ...


def envelope(subject: Subject) -> dict[str, Value]:
    """The envelope columns of an event about ``subject``."""
    return {
        "run_id": subject.run_id,
        "parent_run_id": subject.parent_run_id,
        "agent_id": subject.agent_id,
        "agent_version": subject.agent_version,
        "team_id": subject.team_id,
        "actor_id": subject.requested_by,
    }


class Transaction:
    """One write transaction: SQL through :attr:`sql`, events through :meth:`emit`; both or neither."""

    def __init__(
        self, connection: Connection, now: dt.datetime, recorded_via: str, is_demo: bool, unkept_in: UnkeptIn
    ) -> None:
        self.sql = connection
        self.now = now
        self._unkept_in = unkept_in
        self._unkept: Unkept | None = None
        self._recorded_via = recorded_via
        self._is_demo = is_demo
        self._rows: list[dict[str, str | None]] = []
        self._run_events: Counter[str] = Counter()

    def emit(
        self,
        event_type: str,
        about: Mapping[str, Value] | None = None,
        *,
        text: str | None = None,
        kind: str = "message",
        **columns: Value,
    ) -> str:
        """Put one event with the columns ``about`` and ``columns`` into the outbox; returns its event_id.

        ``text`` becomes its payload, of ``kind`` (ingest.payloads.PAYLOAD_KINDS), unless the agent's or the
        team's texts are not kept: then the event says so.

        Raises ContractError when it does not meet the contract: then nothing of the transaction is kept.
        """
        event: dict[str, Value] = {
            "event_id": new_event_id(self.now),
            "event_type": event_type,
            "occurred_at": self.now,
            "recorded_via": self._recorded_via,
            "is_demo": self._is_demo,
            **(about or {}),
            **columns,
        }
        run_id = event.get("run_id")
        payload = self._take_text(event, text, kind) if text is not None else None
        validate(event)
        if run_id and TYPE_BY_NAME[event_type].family in RUN_FAMILIES:
            self._run_events[str(run_id)] += 1
        event_id = str(event["event_id"])
        self._rows.append({"event_id": event_id, "event": canonical_body(event).decode(), "payload": payload})
        return event_id

    def keeps_texts(self, about: Mapping[str, Value]) -> bool:
        """Whether texts of the run, agent and team in ``about`` are kept."""
        return self._rule()(about, "") is None

    def _take_text(self, event: dict[str, Value], text: str, kind: str) -> str | None:
        """Add to ``event`` what it says of ``text``; the encoded payload, or None when it is not kept."""
        # Model and tool texts can hold lone surrogates, which are no UTF-8.
        clean = text.encode("utf-8", "replace").decode()
        unkept = None if kind in ALWAYS_KEPT else self._rule()(event, clean)
        if unkept is not None:
            event.update(unkept)
            return None
        run_id, actor_id = event.get("run_id"), event.get("actor_id")
        made = make_payload(
            clean,
            kind=kind,
            occurred_at=self.now,
            run_id=str(run_id) if run_id else None,
            subject_id=str(actor_id) if actor_id else None,
        )
        event.update(made.columns)
        return _ENCODE_PAYLOAD.encode(made.payload).decode()

    def _rule(self) -> Unkept:
        if self._unkept is None:
            self._unkept = self._unkept_in(self.sql)
        return self._unkept

    def uncounted(self, run_id: str) -> int:
        """Events of the run in this transaction that its row does not count yet."""
        return self._run_events[run_id]

    def take_event_count(self, run_id: str) -> int:
        """Events of the run in this transaction, for a statement that counts them itself."""
        return self._run_events.pop(run_id, 0)

    def finish(self) -> None:
        """Write the collected events; called once, right before the commit."""
        if self._rows:
            _PUT.many(self.sql, self._rows)
        if self._run_events:
            _COUNT.many(self.sql, [{"of_run": run, "more": n} for run, n in self._run_events.items()])


class Store:
    """The control store behind an SQLAlchemy ``url``; tables are made when they are missing.

    ``unkept`` says which texts do not become payloads.

    Raises StoreError when the store belongs to a newer release.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock = utc_now,
        recorded_via: str = "runner",
        is_demo: bool = False,
        unkept: UnkeptIn = keep_all,
    ) -> None:
        self.clock = clock
        self._recorded_via = recorded_via
        self._is_demo = is_demo
        self._unkept = unkept
        self._engine = _engine(url)
        self._queue = write_queue(self._engine.url)
        self._idle = Idle(self._engine)
        # One snapshot for all statements of a reading; SQLite gives it anyway.
        is_server = self._engine.dialect.name != "sqlite"
        self._reading = (
            self._engine.execution_options(isolation_level="REPEATABLE READ") if is_server else self._engine
        )
        self._prepare()

    @property
    def is_blocking_cheap(self) -> bool:
        """True where a commit is a local file write, so that it may be made on the event loop's thread."""
        return self._engine.dialect.name == "sqlite"

    @contextmanager
    def write(self, recorded_via: str | None = None, *, is_durable: bool = True) -> Iterator[Transaction]:
        """A write transaction; commits at the end of the block, rolls back when the block raises.

        Without ``is_durable`` a power cut may undo it, and nothing else does.
        """
        with self._queue(), self._begin("BEGIN IMMEDIATE", is_durable=is_durable) as connection:
            transaction = Transaction(
                connection, self.clock(), recorded_via or self._recorded_via, self._is_demo, self._unkept
            )
            yield transaction
            transaction.finish()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view for reading."""
        with self._begin("BEGIN") as connection:
            yield connection

    def glance(self, statement: Prepared, values: Mapping[str, object]) -> Row | None:
        """The only row that one ``statement`` finds: one statement is a consistent view by itself."""
        if not self.is_blocking_cheap:
            with self.read() as connection:
                return statement.first(connection, values)
        with self._idle.one() as connection:
            return statement.first(connection, values)

    @contextmanager
    def _begin(self, sqlite_begin: str, *, is_durable: bool = True) -> Iterator[Connection]:
        """A transaction; on SQLite of the kind that ``sqlite_begin`` says."""
        if self.is_blocking_cheap:
            with (
                self._idle.one() as connection,
                transaction(connection, sqlite_begin, is_durable=is_durable),
            ):
                yield connection
        else:
            engine = self._reading if sqlite_begin == "BEGIN" else self._engine
            with engine.begin() as connection:
                yield connection

    def close(self) -> None:
        """Give up the connections."""
        self._idle.close()
        self._engine.dispose()

    def _prepare(self) -> None:
        with self._begin("BEGIN") as connection:
            exists = sa.inspect(connection).has_table("store_facts")
        if not exists:
            with self._begin("BEGIN IMMEDIATE") as connection:
                METADATA.create_all(connection)
                known = connection.execute(sa.select(store_facts.c.name)).scalar_one_or_none()
                if known is None:
                    fact = {"name": "store_version", "content": str(STORE_VERSION)}
                    connection.execute(sa.insert(store_facts), fact)
                    connection.execute(sa.insert(relay_lock), {"name": "relay"})
        with self.read() as connection:
            content = sa.select(store_facts.c.content).where(store_facts.c.name == "store_version")
            version = int(connection.execute(content).scalar_one())
        if version > STORE_VERSION:
            raise StoreError(
                f"Control store too new: {self._engine.url.render_as_string()} has version {version}, "
                f"this release reads up to {STORE_VERSION}. Update Fleetbook."
            )
        if version < STORE_VERSION:
            with self._begin("BEGIN IMMEDIATE") as connection:
                bring_up_to_date(connection)


def bring_up_to_date(connection: Connection) -> None:
    """Bring an older store to this release's tables: a release adds tables and nullable columns only."""
    facts = sa.select(store_facts.c.content).where(store_facts.c.name == "store_version")
    # Parts that start together wait here for the first of them, which does the work.
    if int(connection.execute(facts.with_for_update()).scalar_one()) >= STORE_VERSION:
        return
    METADATA.create_all(connection)
    inspector = sa.inspect(connection)
    for table in METADATA.tables.values():
        there = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                definition = CreateColumn(column).compile(dialect=connection.dialect)
                connection.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {definition}"))
    fact = sa.update(store_facts).where(store_facts.c.name == "store_version")
    connection.execute(fact.values(content=str(STORE_VERSION)))


def _engine(url: str) -> Engine:
    # The driver that the optional extra installs; SQLAlchemy's own default is the older one.
    url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)
    if not url.startswith("sqlite"):
        return sa.create_engine(url)
    # Idle keeps the connections and gives none back: a pool with a limit would wait for them in vain.
    engine = sa.create_engine(url, connect_args={"timeout": 30}, poolclass=sa.NullPool)
    sa_event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions by itself: transaction() says which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
