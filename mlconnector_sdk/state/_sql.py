"""State in a database, by SQLAlchemy Core."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Row as SQLRow,
    Select,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from ..cursors import HighWaterMark
from ..errors import LeaseHeldError, LeaseLostError, StateError
from ..models import GONE, AuditEntry, Checkpoint, DeadLetter, Lease, Link, Note, Pruned, Seen, Suppression
from ._damage import told_damage, undamaged
from ._database import create_private_file, limit_waiting, open_engine, require_transactions, translated_errors
from ._lookups import LookUps, columns_of
from ._migration import migrate
from ._pruning import prune
from ._refusals import is_deadlock
from ._rows import (
    AUDIT_COLUMNS,
    DEAD_LETTER_COLUMNS,
    LINK_COLUMNS,
    NOTE_COLUMNS,
    checkpoint_rows,
    from_microseconds,
    load_audit_entry,
    load_dead_letter,
    load_link,
    load_mark,
    load_note,
    load_seen,
    load_suppressions,
    microseconds,
    require_lease_terms,
    require_prune_terms,
    require_secret_name,
    suppression_places,
)
from ._schema import Tables, kept_text
from ._sealing import Sealer, reseal
from ._vault import exchange, load_sealed
from ._writes import CheckpointWriter

if TYPE_CHECKING:
    from ..credentials import Key

__all__ = ["SQLStateStore", "SQLiteStateStore"]

_LOOK_UP = 500
_CHUNK = 1000
_TRIES = 5

_T = TypeVar("_T")


class SQLStateStore:
    """Keeps state in a database: PostgreSQL, MySQL, MariaDB, SQLite, and what else SQLAlchemy speaks to.

    Tables are created, or brought from an older version, with the first use, which needs the rights to do so;
    afterwards those to select, insert, update and delete rows are enough. Safe to use from several threads; several
    pipelines, processes and machines may share one database.

    Example:
        >>> store = SQLStateStore("sqlite://")
        >>> store.mark("acme", "customers") is None
        True

    Args:
        url_or_engine: an SQLAlchemy URL, or an engine of the caller's, which `close` then leaves open.
        table_prefix: what the names of all tables begin with.
        schema: the database schema that holds them; it must exist.
        key: seals what holds rows of the ERP or addresses in a payload (dead letters and notes); the same as for
            `EncryptedVault`: a `KeyRing`, a text of keys, or a function that gives either. What was kept in the clear
            before stays readable; `reseal` seals it too.

    Raises:
        ConfigurationError: the engine has no transactions, or the URL cannot be read.
        MissingDependencyError: the database driver is not installed.
        VaultError: the key is none; from any method, when a payload was sealed with another key than those given.
        StateError: from any method, when the database refuses, is out of reach, or was written by a newer version.
    """

    def __init__(
        self,
        url_or_engine: str | URL | Engine,
        *,
        table_prefix: str = "mlconnector_",
        schema: str | None = None,
        key: Key | None = None,
    ) -> None:
        self._owned = not isinstance(url_or_engine, Engine)
        given = url_or_engine
        self._engine = require_transactions(given) if isinstance(given, Engine) else open_engine(given)
        self._tables = Tables(table_prefix, schema)
        self._look_ups = LookUps(self._tables, self._engine.dialect.name)
        self._sealer = Sealer(key)
        self._opening = threading.Lock()
        self._writes: CheckpointWriter | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._engine.dialect.name}>"

    def acquire(self, pipeline: str, owner: str, *, now: datetime, duration: timedelta) -> Lease:
        """See `StateStore.acquire`."""
        require_lease_terms(pipeline, owner, now)
        expires_at = now + duration
        take = partial(self._take, pipeline, owner, now, expires_at)
        # When somebody else makes the pipeline's very first lease this moment, there is a row to wait for afterwards.
        fencing = self._transact(take, races=IntegrityError)
        return Lease(pipeline=pipeline, owner=owner, fencing=fencing, expires_at=expires_at)

    def _take(self, pipeline: str, owner: str, now: datetime, expires_at: datetime, connection: Connection) -> int:
        leases = self._tables.leases
        free = or_(leases.c.owner.is_(None), leases.c.owner == owner, leases.c.expires_at <= microseconds(now))
        taken = {"owner": owner, "expires_at": microseconds(expires_at)}
        take = update(leases).where(leases.c.pipeline == pipeline, free)
        look = select(leases.c.owner, leases.c.fencing, leases.c.expires_at).where(leases.c.pipeline == pipeline)
        # The write comes first: it takes the row's lock (on SQLite the database's) before anything is read.
        done = connection.execute(take.values(fencing=leases.c.fencing + 1, **taken)).rowcount
        row = connection.execute(look).one_or_none()
        if row is None:
            connection.execute(leases.insert().values(pipeline=pipeline, fencing=1, **taken))
            return 1
        if not done:
            until = from_microseconds(row.expires_at).isoformat()
            raise LeaseHeldError(f"pipeline {pipeline!r} is being run by {row.owner!r} until {until}")
        return int(row.fencing)

    def renew(self, lease: Lease, *, now: datetime, duration: timedelta) -> Lease:
        """See `StateStore.renew`."""
        require_lease_terms(lease.pipeline, lease.owner, now)
        renewed = attrs.evolve(lease, expires_at=now + duration)
        with self._writing() as connection:
            self._hold(connection, lease, expires_at=microseconds(renewed.expires_at))
        return renewed

    def release(self, lease: Lease) -> None:
        """See `StateStore.release`."""
        with self._writing() as connection:
            connection.execute(self._of_lease(lease).values(owner=None))

    def _of_lease(self, lease: Lease) -> Any:
        c = self._tables.leases.c
        mine = (c.pipeline == lease.pipeline, c.fencing == lease.fencing, c.owner == lease.owner)
        return update(self._tables.leases).where(*mine)

    def _hold(self, connection: Connection, lease: Lease, **values: int) -> None:
        """Lock the lease for this transaction: nobody takes it over before the commit."""
        values = values or {"fencing": lease.fencing}
        if not connection.execute(self._of_lease(lease).values(**values)).rowcount:
            raise LeaseLostError(f"the lease on pipeline {lease.pipeline!r} was lost; nothing was committed")

    def commit(self, checkpoint: Checkpoint, lease: Lease) -> None:
        """See `StateStore.commit`."""
        if checkpoint.pipeline != lease.pipeline:
            raise StateError(f"a lease on {lease.pipeline!r} cannot commit to {checkpoint.pipeline!r}")
        rows = checkpoint_rows(checkpoint, self._sealer.seal)

        def apply(connection: Connection) -> None:
            self._hold(connection, lease)
            if rows.dead_letters or rows.notes:
                self._sealer.recognise(connection, self._tables)
            self._open()(connection, checkpoint.pipeline, rows)

        self._transact(apply)

    def mark(self, pipeline: str, stream: str) -> HighWaterMark | None:
        """See `StateStore.mark`."""
        with self._reading() as connection:
            row = connection.execute(self._look_ups.mark, {"pipeline": pipeline, "stream": stream}).one_or_none()
            return None if row is None else undamaged(load_mark, self._tables.marks)(row)

    def links(self, pipeline: str, stream: str, keys: Sequence[str]) -> dict[str, Link]:
        """See `StateStore.links`."""
        known = {"pipeline": pipeline, "stream": stream}
        load = undamaged(load_link, self._tables.links)
        found = map(load, self._look_up(self._look_ups.links, keys, known))
        return {link.key: link for link in found}

    def seen(self, pipeline: str, stream: str, keys: Sequence[str]) -> dict[str, Seen]:
        """See `StateStore.seen`."""
        known = {"pipeline": pipeline, "stream": stream}
        return {row[0]: load_seen(row[1:]) for row in self._look_up(self._look_ups.seen, keys, known)}

    def links_to(self, pipeline: str, addresses: Sequence[str]) -> dict[str, tuple[Link, ...]]:
        """See `StateStore.links_to`; `""` is no address."""
        known = {"pipeline": pipeline}
        groups: dict[str, list[Link]] = {}
        load = undamaged(load_link, self._tables.links)
        for row in self._look_up(self._look_ups.links_to, [a for a in addresses if a], known):
            link = load(row)
            groups.setdefault(link.address, []).append(link)
        return {address: tuple(_in_order(links)) for address, links in groups.items()}

    def all_links(self, pipeline: str, stream: str) -> Iterator[Link]:
        """See `StateStore.all_links`."""
        c = self._tables.links.c
        wanted = select(*columns_of(c, LINK_COLUMNS)).where(c.pipeline == pipeline, c.stream == stream)
        return map(undamaged(load_link, self._tables.links), self._in_chunks(wanted, c.key))

    def member_keys(self, pipeline: str, stream: str) -> Iterator[str]:
        """See `StateStore.member_keys`."""
        c = self._tables.links.c
        wanted = select(c.key).where(c.pipeline == pipeline, c.stream == stream, c.target != "", c.reason != GONE)
        return (key for (key,) in self._in_chunks(wanted, c.key))

    def suppressions(self, pipeline: str, addresses: Sequence[str]) -> dict[str, Suppression]:
        """See `StateStore.suppressions`."""
        known = {"pipeline": pipeline}
        with self._reading() as connection:
            hides = connection.execute(self._look_ups.hidden, known).first() is not None
        # Hidden ones are kept under a hash, which for every address of a page is dear, and nobody may be hidden.
        places = suppression_places(addresses) if hides else dict(zip(addresses, addresses, strict=True))
        rows = self._look_up(self._look_ups.suppressions, [*places], known)
        with told_damage(self._tables.suppressions):
            return load_suppressions(rows, places)

    def dead_letters(
        self,
        pipeline: str,
        *,
        stream: str | None = None,
        keys: Sequence[str] | None = None,
        reason: str | None = None,
    ) -> Iterator[DeadLetter]:
        """See `StateStore.dead_letters`."""
        c = self._tables.dead_letters.c
        meant = [c.pipeline == pipeline, *([] if reason is None else [c.reason == kept_text(reason)])]
        wanted = select(*columns_of(c, DEAD_LETTER_COLUMNS)).where(*meant)
        open_letter = partial(load_dead_letter, pipeline=pipeline, unseal=self._sealer.unseal)
        load = undamaged(open_letter, self._tables.dead_letters)
        for name in self._dead_streams(*meant) if stream is None else [stream]:
            of_stream = wanted.where(c.stream == name)
            chunks = [of_stream] if keys is None else [of_stream.where(c.key.in_(chunk)) for chunk in _chunked(keys)]
            for chunk in chunks:
                # Some databases compare words loosely.
                rows = (row for row in self._in_chunks(chunk, c.key) if reason in (None, row.reason))
                yield from map(load, rows)

    def _dead_streams(self, *meant: ColumnElement[bool]) -> Sequence[str]:
        c = self._tables.dead_letters.c
        with self._reading() as connection:
            streams = select(c.stream).where(*meant).distinct().order_by(c.stream)
            return connection.scalars(streams).all()

    def notes(self, pipeline: str, kind: str, *, keys: Sequence[str] | None = None) -> Iterator[Note]:
        """See `StateStore.notes`."""
        c = self._tables.notes.c
        wanted = select(*columns_of(c, NOTE_COLUMNS)).where(c.pipeline == pipeline, c.kind == kind)
        load = undamaged(partial(load_note, pipeline=pipeline, unseal=self._sealer.unseal), self._tables.notes)
        for chunk in [wanted] if keys is None else [wanted.where(c.key.in_(some)) for some in _chunked(keys)]:
            yield from map(load, self._in_chunks(chunk, c.key))

    def audit(
        self, pipeline: str, *, stream: str | None = None, key: str | None = None, job_id: str | None = None
    ) -> Iterator[AuditEntry]:
        """See `StateStore.audit`."""
        c = self._tables.audit.c
        wanted = select(*columns_of(c, AUDIT_COLUMNS), c.id).where(c.pipeline == pipeline)
        for column, value in ((c.stream, stream), (c.key, key), (c.job_id, job_id)):
            wanted = wanted if value is None else wanted.where(column == value)
        load = undamaged(lambda row: load_audit_entry(row[:-1]), self._tables.audit)
        return map(load, self._in_chunks(wanted, c.id))

    def prune(self, pipeline: str, *, before: datetime, kinds: Collection[str] = (), most: int = 1000) -> Pruned:
        """See `StateStore.prune`."""
        require_prune_terms(before)
        moment = microseconds(before)
        return self._transact(
            lambda connection: prune(connection, self._tables, pipeline, before=moment, kinds=kinds, most=most)
        )

    def reseal(self) -> int:
        """Seal with the newest key what lies in the clear or was sealed with an older one, for all pipelines.

        Returns how many payloads that were. Runs may go on meanwhile, if they have the newest key as well; it may be
        broken off and repeated.

        Raises:
            VaultError: the store has no key, or some payloads cannot be read; all others are sealed anew.
        """
        return reseal(self._sealer, self._tables, self._writing)

    def sealed(self, names: Sequence[str] | None = None) -> dict[str, str]:
        """See `SealedStore.sealed`. The table is one for all pipelines."""
        c = self._tables.vault.c
        columns: list[Column[Any]] = [c.name, c.sealed]
        wanted = select(*columns)
        chunks = [wanted] if names is None else [wanted.where(c.name.in_(some)) for some in _chunked(names)]
        return dict(load_sealed(row) for chunk in chunks for row in self._in_chunks(chunk, c.name))

    def exchange_sealed(self, name: str, before: str | None, after: str | None) -> bool:
        """See `SealedStore.exchange_sealed`."""
        require_secret_name(name)
        try:
            with self._writing(passing=IntegrityError) as connection:
                return exchange(connection, self._tables.vault, name, before, after)
        except IntegrityError:
            # Somebody else has just added one.
            return False

    def close(self) -> None:
        """See `StateStore.close`; a caller's own engine stays open."""
        with self._opening:
            if self._owned:
                self._engine.dispose()
                # A database in memory went with its connection.
                self._writes = None

    def _look_up(self, statement: Select[Any], names: Sequence[str], known: dict[str, str]) -> Iterable[SQLRow[Any]]:
        for chunk in _chunked(names):
            with self._reading() as connection:
                rows = connection.execute(statement, {"names": self._look_ups.among(chunk), **known}).all()
            yield from rows

    def _in_chunks(self, wanted: Select[Any], by: Column[Any]) -> Iterator[SQLRow[Any]]:
        """All rows in the order of a unique column. Nothing stays open between chunks: commits go on meanwhile."""
        place = list(wanted.selected_columns).index(by)
        wanted = wanted.order_by(by).limit(_CHUNK)
        chunk = wanted
        while True:
            with self._reading() as connection:
                rows = connection.execute(chunk).all()
            yield from rows
            if len(rows) < _CHUNK:
                return
            chunk = wanted.where(by > rows[-1][place])

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with translated_errors(self):
            self._open()
            with self._engine.connect() as connection:
                yield connection

    @contextmanager
    def _writing(self, *, passing: type[Exception] | tuple[()] = ()) -> Iterator[Connection]:
        with translated_errors(self, passing=passing):
            self._open()
            with self._engine.begin() as connection:
                limit_waiting(connection)
                yield connection

    def _transact(self, work: Callable[[Connection], _T], *, races: type[Exception] | tuple[()] = ()) -> _T:
        """Do the work in one transaction; again from its start when that lost to another one, and left nothing."""
        tries = 1
        while True:
            try:
                with self._writing() as connection:
                    return work(connection)
            except StateError as error:
                lost = isinstance(error.__cause__, races) or is_deadlock(error.__cause__)
                if tries == _TRIES or not lost:
                    raise
            tries += 1

    def _open(self) -> CheckpointWriter:
        writes = self._writes
        if writes is None:
            with self._opening:
                if self._writes is None:
                    self._prepare()
                    migrate(self._engine, self._tables)
                    self._writes = CheckpointWriter(self._tables, self._engine.dialect)
                writes = self._writes
        return writes

    def _prepare(self) -> None:
        """What must be there before the first connection."""


class SQLiteStateStore(SQLStateStore):
    """Keeps state in one SQLite file, created for its owner's eyes only; `":memory:"` ends with the process.

    Every commit is on the disk when it returns (write-ahead log, full synchronisation). Several processes of one
    machine may share the file; on a network drive SQLite's locks are not to be trusted.

    Example:
        >>> store = SQLiteStateStore(":memory:")
        >>> store.mark("acme", "customers") is None
        True

    Args:
        path: the file; its directory must exist.
        key: seals payloads, see `SQLStateStore`.

    Raises:
        VaultError: the key is none; from any method, when a payload was sealed with another key than those given.
        StateError: from any method, when the directory is missing or cannot be written, or the file is no database.
    """

    def __init__(self, path: str | os.PathLike[str], *, key: Key | None = None) -> None:
        self._path = Path(path)
        super().__init__(URL.create("sqlite", database=os.fspath(path)), key=key)

    def __repr__(self) -> str:
        return f"<SQLiteStateStore {self._path}>"

    def _prepare(self) -> None:
        if str(self._path) != ":memory:":
            create_private_file(self._path)


def _in_order(links: list[Link]) -> list[Link]:
    return links if len(links) == 1 else sorted(links, key=lambda link: (link.stream, link.key))


def _chunked(names: Sequence[str]) -> Iterator[list[str]]:
    unique = sorted(set(names))
    for start in range(0, len(unique), _LOOK_UP):
        yield unique[start : start + _LOOK_UP]
