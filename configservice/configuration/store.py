"""The rows of layered configuration. A reading method is one statement; a writing one is one transaction behind the clock's row."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

from configservice.configuration.model import GLOBAL, Changes, Content, Entry, Layer, Revision
from configservice.database import AnyRow, Database
from configservice.tables import NOW, config_clock, config_entries, config_revisions
from gateway.errors import Conflict, NotFound

MAX_CHANGES = 1000
entries = config_entries.c
revisions = config_revisions.c

# Built once: building it costs more than running it. A user's value first, then a tenant's, then an environment's.
WINNER: Select[Any] = (
    select(config_entries)
    .where(
        entries.key == bindparam("key"),
        entries.environment.in_([GLOBAL, bindparam("environment")]),
        entries.tenant_id.in_(["", bindparam("tenant_id")]),
        entries.user_id.in_(["", bindparam("user_id")]),
        ~entries.deleted,
    )
    .order_by((entries.user_id != "").desc(), (entries.tenant_id != "").desc(), (entries.environment != GLOBAL).desc())
    .limit(1)
)


class ConfigurationStore:
    """Reads and writes values."""

    def __init__(self, database: Database, kept_versions: int) -> None:
        self._database = database
        self._kept_versions = kept_versions

    def get(self, key: str, asking: Layer) -> Entry:
        """The value that wins for whoever asks.

        Raises:
            NotFound: no layer has it. Unavailable.
        """
        row = self._database.read(lambda connection: connection.execute(WINNER, {"key": key, **asdict(asking)}).one_or_none())
        if row is None:
            raise NotFound(f"No layer has the key {key!r}")
        return _entry(row)

    def write(self, key: str, layer: Layer, content: Content) -> Entry:
        """Write a new version; the oldest ones beyond `kept_versions` go."""
        return self._database.write(lambda connection: _write(connection, key, layer, content, kept=self._kept_versions))

    def list_history(self, key: str, layer: Layer, *, limit: int, offset: int) -> tuple[list[Revision], int]:
        """The kept versions of a key in exactly this layer, newest first, and how many there are.

        Raises:
            NotFound: this layer never had the key.
        """
        statement = (
            select(config_revisions, func.count().over().label("total"))
            .join(config_entries, entries.id == revisions.entry_id)
            .where(*_exactly(key, layer))
            .order_by(revisions.version.desc())
        )
        rows = self._database.read(lambda connection: connection.execute(statement.limit(limit).offset(offset)).all())
        if not rows and offset == 0:
            raise NotFound(f"This layer has no key {key!r}")
        return [_revision(row) for row in rows], rows[0].total if rows else offset

    def rollback(self, key: str, layer: Layer, version: int) -> Entry:
        """Write the content of an old version as a new one.

        Raises:
            NotFound: this layer has no such key or version. Conflict: that version deleted the key.
        """
        return self._database.write(partial(_rollback, key=key, layer=layer, version=version, kept=self._kept_versions))

    def get_layer(self, layer: Layer) -> dict[str, Any]:
        """The layer as one object, key to value, without its secrets."""
        statement = select(entries.key, entries.value).where(*_of_layer(layer), ~entries.deleted, ~entries.is_secret).order_by(entries.key)
        rows = self._database.read(lambda connection: connection.execute(statement).all())
        return {row.key: row.value for row in rows}

    def replace_layer(self, layer: Layer, contents: Mapping[str, Content]) -> None:
        """Make the layer hold exactly these, besides its secrets that are not named. What does not change gets no new version."""
        self._database.write(partial(_replace_layer, layer=layer, contents=contents, kept=self._kept_versions))

    def revision(self) -> int:
        """The newest revision of all; 0 before the first write."""
        return self._database.read(lambda connection: connection.execute(select(config_clock.c.revision)).scalar_one_or_none() or 0)

    def changes_since(self, since: int) -> Changes:
        """The entries that changed after `since`, in the order of their last change, a thousand at the most."""
        statement = (
            select(config_clock.c.revision.label("newest"), config_entries)
            .join_from(config_clock, config_entries, entries.revision > since, isouter=True)
            .order_by(entries.revision)
            .limit(MAX_CHANGES + 1)
        )
        rows = self._database.read(lambda connection: connection.execute(statement).all())
        found = tuple(_entry(row) for row in rows if row.id is not None)
        if len(found) > MAX_CHANGES:
            return Changes(found[MAX_CHANGES - 1].revision, found[:MAX_CHANGES], more=True)
        return Changes(rows[0].newest if rows else 0, found)


def _advance_clock(connection: Connection, by: int = 1) -> int:
    """Move the one clock and return where it stands. Its row stays locked until the commit; `by` 0 only locks it."""
    statement = insert(config_clock).values(id=1, revision=by)
    statement = statement.on_conflict_do_update(index_elements=["id"], set_={"revision": config_clock.c.revision + by})
    return int(connection.execute(statement.returning(config_clock.c.revision)).scalar_one())


def _write(
    connection: Connection,
    key: str,
    layer: Layer,
    content: Content,
    *,
    kept: int,
    deleted: bool = False,
    restored_version: int | None = None,
) -> Entry:
    tags = None if content.tags is None else list(content.tags)
    optional = {"description": content.description, "tags": tags, "is_secret": content.is_secret}
    changed = {
        "revision": _advance_clock(connection),
        "type": content.type,
        "value": content.value,
        "deleted": deleted,
        **{name: given for name, given in optional.items() if given is not None or restored_version is not None},
    }
    statement = insert(config_entries).values(id=str(uuid.uuid4()), key=key, **asdict(layer), version=1, **changed)
    newer = {**changed, "version": entries.version + 1, "updated_at": NOW}
    statement = statement.on_conflict_do_update(constraint="uq_config_entries_layer", set_=newer)
    row = connection.execute(statement.returning(config_entries)).one()
    _record(connection, [row], kept=kept, restored_version=restored_version)
    return _entry(row)


def _record(connection: Connection, rows: Sequence[AnyRow], *, kept: int, restored_version: int | None = None) -> None:
    """Copy entries that this transaction wrote into their revisions, and drop their versions beyond the newest `kept`."""
    names = ("version", "revision", "type", "value", "description", "tags", "is_secret", "deleted")
    copies = [{"entry_id": row.id, "created_at": row.updated_at, **{name: getattr(row, name) for name in names}} for row in rows]
    connection.execute(config_revisions.insert().values(restored_version=restored_version), copies)
    written = (revisions.entry_id == entries.id, entries.revision >= min(row.revision for row in rows))
    connection.execute(config_revisions.delete().where(*written, revisions.version <= entries.version - kept))


def _rollback(connection: Connection, *, key: str, layer: Layer, version: int, kept: int) -> Entry:
    _advance_clock(connection, by=0)
    statement = select(config_revisions).join(config_entries, entries.id == revisions.entry_id)
    row = connection.execute(statement.where(*_exactly(key, layer), revisions.version == version)).one_or_none()
    if row is None:
        raise NotFound(f"This layer has no version {version} of {key!r}")
    old = _revision(row)
    if old.deleted:
        raise Conflict(f"Version {version} of {key!r} deleted it: there is no content to restore")
    content = Content(old.value, old.type, old.description, old.tags, old.is_secret)
    return _write(connection, key, layer, content, kept=kept, restored_version=version)


def _replace_layer(connection: Connection, *, layer: Layer, contents: Mapping[str, Content], kept: int) -> None:
    _advance_clock(connection, by=0)  # two of these at once must not mix
    current = {row.key: row for row in connection.execute(select(config_entries).where(*_of_layer(layer), ~entries.deleted))}
    gone = {key: Content(None, row.type) for key, row in current.items() if key not in contents and not row.is_secret}
    new = {key: content for key, content in contents.items() if not _holds(current.get(key), content)}
    changes = {**new, **gone}
    if changes:
        first = _advance_clock(connection, by=len(changes)) - len(changes) + 1
        rows = [
            {
                "id": str(uuid.uuid4()),
                "key": key,
                "revision": revision,
                "type": content.type,
                "value": content.value,
                "deleted": key in gone,
            }
            for revision, (key, content) in enumerate(changes.items(), first)
        ]
        _record(connection, connection.execute(_upsert(layer), rows).all(), kept=kept)


def _upsert(layer: Layer) -> ReturningInsert[Any]:
    """Many entries of a layer in one statement: a key at a time, a thousand would outlast the deadline of a connection."""
    statement = insert(config_entries).values(**asdict(layer), version=1)
    changed = {name: statement.excluded[name] for name in ("revision", "type", "value", "deleted")}
    newer = {**changed, "version": entries.version + 1, "updated_at": NOW}
    return statement.on_conflict_do_update(constraint="uq_config_entries_layer", set_=newer).returning(config_entries)


def _holds(row: AnyRow | None, content: Content) -> bool:
    return row is not None and (row.type, row.value) == (content.type, content.value)


def _of_layer(layer: Layer) -> tuple[Any, ...]:
    return (entries.environment == layer.environment, entries.tenant_id == layer.tenant_id, entries.user_id == layer.user_id)


def _exactly(key: str, layer: Layer) -> tuple[Any, ...]:
    return (entries.key == key, *_of_layer(layer))


def _entry(row: AnyRow) -> Entry:
    layer = Layer(row.environment, row.tenant_id, row.user_id)
    return Entry(row.id, row.key, layer, row.version, row.revision, row.type, row.value, row.is_secret, row.deleted, row.updated_at)


def _revision(row: AnyRow) -> Revision:
    return Revision(
        row.version,
        row.revision,
        row.type,
        row.value,
        row.description,
        tuple(row.tags),
        row.is_secret,
        row.deleted,
        row.restored_version,
        row.created_at,
    )
