"""The SQLite index that answers listings, sizes and last commits without walking git.

All of it can be made again from the repositories on disk: losing the file loses nothing.
"""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from .errors import BadRequest, RepoNotFound
from .paths import shown
from .records import ListQuery, Page, RepoKey, RepoRecord, RepoType

SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE repos (
  id INTEGER PRIMARY KEY, type TEXT NOT NULL, name TEXT NOT NULL, author TEXT NOT NULL,
  private INTEGER NOT NULL, gated TEXT NOT NULL, sha TEXT NOT NULL, created_at TEXT NOT NULL,
  last_modified TEXT NOT NULL, sdk TEXT, pipeline_tag TEXT, library_name TEXT,
  card TEXT NOT NULL, config TEXT NOT NULL, tags TEXT NOT NULL, UNIQUE (type, name));
CREATE INDEX repos_by_time ON repos (type, last_modified, name);
CREATE TABLE repo_tags (
  repo INTEGER NOT NULL REFERENCES repos ON DELETE CASCADE, tag TEXT NOT NULL,
  PRIMARY KEY (tag, repo)) WITHOUT ROWID;
CREATE INDEX repo_tags_by_repo ON repo_tags (repo);
CREATE TABLE branches (
  repo INTEGER NOT NULL REFERENCES repos ON DELETE CASCADE, name TEXT NOT NULL, sha TEXT NOT NULL,
  PRIMARY KEY (repo, name)) WITHOUT ROWID;
CREATE TABLE last_commits (
  repo INTEGER NOT NULL REFERENCES repos ON DELETE CASCADE, branch TEXT NOT NULL,
  path TEXT NOT NULL, oid TEXT NOT NULL, PRIMARY KEY (repo, branch, path)) WITHOUT ROWID;
CREATE TABLE blobs (oid TEXT PRIMARY KEY, size INTEGER NOT NULL, sha256 TEXT) WITHOUT ROWID;
CREATE TABLE attachments (
  repo INTEGER NOT NULL REFERENCES repos ON DELETE CASCADE, sha256 TEXT NOT NULL,
  PRIMARY KEY (sha256, repo)) WITHOUT ROWID;
CREATE INDEX attachments_by_repo ON attachments (repo);
"""
_SORTS = {"last_modified": "last_modified", "created_at": "created_at", "id": "name"}
BlobFacts = Mapping[str, tuple[int, str | None]]  # oid → size of the contents in bytes, sha256


class Index:
    """Thread-safe: each use takes a connection from a pool; writes are one transaction each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._free: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._writing = threading.Lock()
        if not self._is_current():
            self._start_over()

    def close(self) -> None:
        """Close every connection that is not in use."""
        while not self._free.empty():
            self._free.get_nowait().close()

    # -- repositories ------------------------------------------------------------------------

    def get(self, key: RepoKey) -> RepoRecord | None:
        """A repository's record, None when it is not indexed."""
        with self._reading() as db:
            row = db.execute(
                "SELECT * FROM repos WHERE type = ? AND name = ?", (key.type, key.id)
            ).fetchone()
        return _record(row) if row else None

    def keys(self) -> set[RepoKey]:
        """Every indexed repository."""
        with self._reading() as db:
            rows = db.execute("SELECT type, name FROM repos").fetchall()
        return {RepoKey(row["type"], row["name"]) for row in rows}

    def put(self, record: RepoRecord) -> None:
        """Insert or replace a record and its tags."""
        key = record.key
        row = (
            key.type, key.id, key.namespace, record.private, json.dumps(record.gated), record.sha,
            _stamp(record.created_at), _stamp(record.last_modified), record.sdk,
            record.pipeline_tag, record.library_name, json.dumps(record.card_data),
            json.dumps(record.config), json.dumps(record.tags),
        )  # fmt: skip
        with self._transaction() as db:
            repo = db.execute(_UPSERT, row).fetchone()[0]
            db.execute("DELETE FROM repo_tags WHERE repo = ?", (repo,))
            db.executemany(
                "INSERT INTO repo_tags (repo, tag) VALUES (?, ?)",
                [(repo, tag) for tag in dict.fromkeys(record.tags)],
            )

    def rename(self, old: RepoKey, new: RepoKey) -> None:
        """Give a repository another name; everything known about it stays."""
        with self._transaction() as db:
            db.execute(
                "UPDATE repos SET name = ?, author = ? WHERE type = ? AND name = ?",
                (new.id, new.namespace, old.type, old.id),
            )

    def remove(self, key: RepoKey) -> list[str]:
        """Forget a repository; gives the LFS objects that no repository uses any more."""
        with self._transaction() as db:
            repo = _repo_id(db, key)
            rows = db.execute(_ORPHANS, (repo, repo)).fetchall()
            db.execute("DELETE FROM repos WHERE id = ?", (repo,))
        return [row[0] for row in rows]

    def list(self, type: RepoType, query: ListQuery) -> Page[RepoRecord]:
        """One page of the repositories that match."""
        where, values = _conditions(type, query)
        column = _SORTS.get(query.sort, "last_modified")
        if query.cursor:
            where.append(f"({column}, name) {'<' if query.descending else '>'} (?, ?)")
            values += _parse_cursor(query.cursor)
        order = "DESC" if query.descending else "ASC"
        sql = (
            f"SELECT * FROM repos WHERE {' AND '.join(where)} "  # noqa: S608 - fixed texts only
            f"ORDER BY {column} {order}, name {order} LIMIT ?"
        )
        with self._reading() as db:
            rows = db.execute(sql, [*values, query.limit + 1]).fetchall()
        items = [_record(row) for row in rows[: query.limit]]
        if len(rows) <= query.limit or not items:
            return Page(items)
        last = rows[query.limit - 1]
        return Page(items, json.dumps([last[column], last["name"]]))

    def count(self, type: RepoType, query: ListQuery) -> int:
        """How many repositories match, on all pages together."""
        where, values = _conditions(type, query)
        sql = f"SELECT COUNT(*) FROM repos WHERE {' AND '.join(where)}"  # noqa: S608
        with self._reading() as db:
            return int(db.execute(sql, values).fetchone()[0])

    # -- last commits ------------------------------------------------------------------------

    def branches(self, key: RepoKey) -> dict[str, str]:
        """Branch → the commit for which last commits are indexed."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT branches.name, branches.sha FROM branches JOIN repos ON id = repo "
                "WHERE type = ? AND repos.name = ?",
                (key.type, key.id),
            ).fetchall()
        return {row[0]: row[1] for row in rows}

    def last_commits(self, key: RepoKey, branch: str) -> dict[str, str]:
        """Path → last commit, for the indexed head of a branch."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT path, oid FROM last_commits JOIN repos ON id = repo "
                "WHERE type = ? AND repos.name = ? AND branch = ?",
                (key.type, key.id, branch),
            ).fetchall()
        return {row[0]: row[1] for row in rows}

    def advance(
        self, key: RepoKey, branch: str, sha: str, touched: Iterable[str], gone: Iterable[str]
    ) -> None:
        """Move a branch to a commit that touched some paths and removed others."""
        with self._transaction() as db:
            repo = _repo_id(db, key)
            db.executemany(
                "INSERT OR REPLACE INTO last_commits VALUES (?, ?, ?, ?)",
                [(repo, branch, path, sha) for path in touched],
            )
            db.executemany(
                "DELETE FROM last_commits WHERE repo = ? AND branch = ? AND path = ?",
                [(repo, branch, path) for path in gone],
            )
            db.execute("INSERT OR REPLACE INTO branches VALUES (?, ?, ?)", (repo, branch, sha))

    def replace_branch(self, key: RepoKey, branch: str, sha: str, last: Mapping[str, str]) -> None:
        """Set all that is known of a branch."""
        with self._transaction() as db:
            repo = _repo_id(db, key)
            _drop_branch(db, repo, branch)
            db.executemany(
                "INSERT INTO last_commits VALUES (?, ?, ?, ?)",
                [(repo, branch, path, oid) for path, oid in last.items()],
            )
            db.execute("INSERT INTO branches VALUES (?, ?, ?)", (repo, branch, sha))

    def drop_branch(self, key: RepoKey, branch: str) -> None:
        """Forget a branch."""
        with self._transaction() as db:
            _drop_branch(db, _repo_id(db, key), branch)

    # -- blobs and attachments ---------------------------------------------------------------

    def blobs(self, oids: Sequence[str]) -> dict[str, tuple[int, str | None]]:
        """Known blobs: oid → size of the contents in bytes, and sha256 when it is in LFS."""
        found = {}
        with self._reading() as db:
            for start in range(0, len(oids), 500):
                part = oids[start : start + 500]
                marks = ",".join("?" * len(part))
                sql = f"SELECT oid, size, sha256 FROM blobs WHERE oid IN ({marks})"  # noqa: S608
                found.update({row[0]: (row[1], row[2]) for row in db.execute(sql, part)})
        return found

    def add_blobs(self, facts: BlobFacts) -> None:
        """Remember blobs; they never change."""
        with self._transaction() as db:
            db.executemany(
                "INSERT OR IGNORE INTO blobs VALUES (?, ?, ?)",
                [(oid, size, sha256) for oid, (size, sha256) in facts.items()],
            )

    def attach(self, key: RepoKey, sha256s: Iterable[str]) -> None:
        """Say that a repository may use these LFS objects."""
        with self._transaction() as db:
            repo = _repo_id(db, key)
            db.executemany(
                "INSERT OR IGNORE INTO attachments VALUES (?, ?)", [(repo, s) for s in sha256s]
            )

    def is_used(self, sha256: str) -> bool:
        """Whether any repository may use an LFS object."""
        with self._reading() as db:
            sql = "SELECT 1 FROM attachments WHERE sha256 = ? LIMIT 1"
            return db.execute(sql, (sha256,)).fetchone() is not None

    def is_attached(self, key: RepoKey, sha256: str) -> bool:
        """Whether a repository may use an LFS object."""
        with self._reading() as db:
            sql = (
                "SELECT 1 FROM attachments JOIN repos ON id = repo "
                "WHERE type = ? AND name = ? AND sha256 = ?"
            )
            return db.execute(sql, (key.type, key.id, sha256)).fetchone() is not None

    # -- connections -------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            db = self._free.get_nowait()
        except queue.Empty:
            db = self._connect()
        try:
            yield db
        finally:
            self._free.put(db)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing, self._reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30)
        db.row_factory = sqlite3.Row
        db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
        )
        return db

    def _is_current(self) -> bool:
        try:
            with self._reading() as db:
                version = db.execute("PRAGMA user_version").fetchone()[0]
                return bool(version == SCHEMA_VERSION)
        except sqlite3.DatabaseError:
            return False

    def _start_over(self) -> None:
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        with self._reading() as db:
            db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


_ORPHANS = """
SELECT sha256 FROM attachments WHERE repo = ?
EXCEPT SELECT sha256 FROM attachments WHERE repo != ?
"""
_UPSERT = """
INSERT INTO repos (type, name, author, private, gated, sha, created_at, last_modified, sdk,
                   pipeline_tag, library_name, card, config, tags)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (type, name) DO UPDATE SET
  private = excluded.private, gated = excluded.gated, sha = excluded.sha,
  created_at = excluded.created_at, last_modified = excluded.last_modified, sdk = excluded.sdk,
  pipeline_tag = excluded.pipeline_tag, library_name = excluded.library_name,
  card = excluded.card, config = excluded.config, tags = excluded.tags
RETURNING id
"""


def _record(row: sqlite3.Row) -> RepoRecord:
    return RepoRecord(
        key=RepoKey(row["type"], row["name"]),
        private=bool(row["private"]),
        gated=json.loads(row["gated"]),
        sha=row["sha"],
        created_at=datetime.fromisoformat(row["created_at"]),
        last_modified=datetime.fromisoformat(row["last_modified"]),
        sdk=row["sdk"],
        pipeline_tag=row["pipeline_tag"],
        library_name=row["library_name"],
        card_data=json.loads(row["card"]),
        config=json.loads(row["config"]),
        tags=tuple(json.loads(row["tags"])),
    )


def _conditions(type: RepoType, query: ListQuery) -> tuple[list[str], list[object]]:
    where, values = ["type = ?"], list[object]([type])
    if not query.include_private:
        where.append("private = 0")
    for column, value in (("author", query.author), ("pipeline_tag", query.pipeline_tag)):
        if value:
            where.append(f"{column} = ? COLLATE NOCASE")
            values.append(value)
    for word in query.search.split():
        where.append("instr(lower(name), lower(?)) > 0")
        values.append(word)
    for tag in query.filters:
        where.append("id IN (SELECT repo FROM repo_tags WHERE tag = ?)")
        values.append(tag)
    return where, values


def _parse_cursor(cursor: str) -> list[object]:
    try:
        values = json.loads(cursor)
    except ValueError:
        values = None
    if not isinstance(values, list) or len(values) != 2:
        raise BadRequest(f"{shown(cursor)} is no cursor of this listing.")
    return [str(value) for value in values]


def _repo_id(db: sqlite3.Connection, key: RepoKey) -> int:
    row = db.execute(
        "SELECT id FROM repos WHERE type = ? AND name = ?", (key.type, key.id)
    ).fetchone()
    if row is None:
        raise RepoNotFound(f"Repository not found: {key}.")
    return int(row[0])


def _drop_branch(db: sqlite3.Connection, repo: int, branch: str) -> None:
    db.execute("DELETE FROM last_commits WHERE repo = ? AND branch = ?", (repo, branch))
    db.execute("DELETE FROM branches WHERE repo = ? AND name = ?", (repo, branch))


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
