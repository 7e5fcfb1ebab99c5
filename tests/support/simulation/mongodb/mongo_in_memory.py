"""A MongoDB in memory: collections, transactions with write conflicts, sessions that can be ended.

It is one server for all workers of a simulation. With `has_transactions` it is a replica set, else a single
server, which has none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from bson import ObjectId
from pymongo.errors import OperationFailure

from tests.support.simulation.mongodb.mongo_documents import Document, matches, projected, stored, updated
from tests.support.simulation.processes import Process
from tests.support.simulation.wire import Blocked

NO_TRANSACTIONS: Final = 20
WRITE_CONFLICT: Final = 112
NO_SUCH_TRANSACTION: Final = 251
TYPES: Final[tuple[Any, ...]] = ((int, float), str, dict, list, ObjectId, bool, datetime)
"""In MongoDB's order."""
LIFETIME_S: Final = 60.0
"""Of a transaction that nobody ends."""

Place = tuple[str, Any]
Witness = Callable[[Process | None, str, Document | None, Document | None], None]
"""Gets each change as it becomes visible: who, which collection, before and after."""


@dataclass
class Transaction:
    """What a session has written and not committed."""

    process: Process | None
    began_s: float
    snapshot: int
    changes: dict[Place, Document | None] = field(default_factory=dict)


def transient(message: str, code: int) -> OperationFailure:
    """Return an error after which the whole transaction is worth another try."""
    return OperationFailure(message, code, {"code": code, "errorLabels": ["TransientTransactionError"]})


class MongoInMemory:
    """The server's side: every method is one command, and happens at once."""

    def __init__(
        self, now_s: Callable[[], float], now: Callable[[], datetime], *, has_transactions: bool
    ) -> None:
        self.has_transactions = has_transactions
        self.collections: dict[str, dict[Any, Document]] = {}
        self.witness: Witness = lambda *_: None
        self._now_s, self._now = now_s, now
        self._versions: dict[Place, int] = {}
        self._version = 0
        self._open: dict[bytes, Transaction] = {}
        self._committed: set[tuple[bytes, int]] = set()
        self.indexed: set[str] = set()

    # --- reading

    def find(  # noqa: PLR0917 - as a query has it
        self,
        collection: str,
        query: Mapping[str, Any],
        projection: Any = None,
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
        session: bytes | None = None,
    ) -> list[Document]:
        """Return copies of what a query finds."""
        found = self._found(collection, session, query)
        for name, direction in reversed(sort):
            found.sort(key=lambda document: order(document.get(name)), reverse=direction < 0)
        return [projected(document, projection) for document in (found[:limit] if limit else found)]

    def _found(self, collection: str, session: bytes | None, query: Mapping[str, Any]) -> list[Document]:
        """Return what a query finds, by the index of `_id` where it names some."""
        there = self.collections.get(collection, {})
        if session is not None and (transaction := self._open.get(session)) is not None:
            own = {key: d for (name, key), d in transaction.changes.items() if name == collection}
            there = {key: d for key, d in {**there, **own}.items() if d is not None}
        wanted = query.get("_id")
        if wanted is None or (isinstance(wanted, Mapping) and set(wanted) != {"$in"}):
            return [d for d in there.values() if matches(d, query)]
        rest = {name: value for name, value in query.items() if name != "_id"}
        if not isinstance(wanted, Mapping):
            one = there.get(wanted)
            return [one] if one is not None and matches(one, rest) else []
        asked = frozenset(wanted["$in"])
        return [d for key, d in there.items() if key in asked and matches(d, rest)]

    # --- writing

    def update(
        self,
        collection: str,
        query: Mapping[str, Any],
        change: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        process: Process | None,
        is_upsert: bool = False,
        is_many: bool = False,
        session: bytes | None = None,
    ) -> list[tuple[Document | None, Document]]:
        """Change what the query finds; return each document before and after."""
        found = self._found(collection, session, query)
        targets: list[Document | None] = [*(found if is_many else found[:1])]
        if not targets and is_upsert:
            targets = [None]
        done: list[tuple[Document | None, Document]] = []
        for before in targets:
            after = updated(before, query, change, self._now())
            self._check_free((collection, after["_id"]), session)
            done.append((before, after))
        for before, after in done:
            if before != after:
                self._write(process, (collection, after["_id"]), after, session)
        return done

    def put_new(self, collection: str, document: Mapping[str, Any], process: Process | None) -> None:
        """Write a document unless its `_id` is taken, as `$merge` with keepExisting does."""
        place = (collection, document["_id"])
        self._check_free(place, None)
        if document["_id"] not in self.collections.get(collection, {}):
            self._write(process, place, stored(document), None)

    def delete(self, collection: str, ids: Sequence[Any]) -> None:
        """Delete documents, as a person does."""
        for key in ids:
            self._check_free((collection, key), None)
        for key in ids:
            self._write(None, (collection, key), None, None)

    def _check_free(self, place: Place, session: bytes | None) -> None:
        """Raise if another transaction holds the document, or has changed it since this one began."""
        self._expire()
        holder = next((key for key, t in self._open.items() if place in t.changes), None)
        if session is None:
            if holder is not None:
                raise Blocked
            return
        transaction = self._transaction(session)
        is_newer = self._versions.get(place, 0) > transaction.snapshot
        if (holder is not None and holder != session) or (is_newer and holder != session):
            raise transient("WriteConflict", WRITE_CONFLICT)

    def _write(
        self, process: Process | None, place: Place, after: Document | None, session: bytes | None
    ) -> None:
        if session is not None:
            self._transaction(session).changes[place] = after
            return
        collection, key = place
        there = self.collections.setdefault(collection, {})
        before = there.get(key)
        self._version += 1
        self._versions[place] = self._version
        if after is None:
            there.pop(key, None)
        else:
            there[key] = after
        self.witness(process, collection, before, after)

    # --- transactions

    def begin(self, session: bytes, process: Process | None) -> None:
        """Begin a transaction with its first command."""
        if not self.has_transactions:
            raise OperationFailure("Transaction numbers are only allowed on a replica set", NO_TRANSACTIONS)
        self._open[session] = Transaction(process, self._now_s(), self._version)

    def commit(self, session: bytes, number: int) -> None:
        """Make what a session has written visible; once is enough."""
        self._expire()
        if (session, number) in self._committed:
            return
        transaction = self._transaction(session)
        del self._open[session]
        self._committed.add((session, number))
        for place, after in transaction.changes.items():
            self._write(transaction.process, place, after, None)

    def abort(self, session: bytes) -> None:
        """Forget what a session has written."""
        self._open.pop(session, None)

    def abort_all(self, sessions: Sequence[bytes]) -> None:
        """Forget what some sessions have written."""
        for session in sessions:
            self.abort(session)

    def _transaction(self, session: bytes) -> Transaction:
        found = self._open.get(session)
        if found is None:
            raise transient("the transaction is over", NO_SUCH_TRANSACTION)
        return found

    def _expire(self) -> None:
        now_s = self._now_s()
        for session in [key for key, t in self._open.items() if now_s - t.began_s > LIFETIME_S]:
            del self._open[session]


def order(value: Any) -> tuple[int, Any]:
    """Return a key by which values are sorted as MongoDB does: by their types, what is missing first."""
    if value is None:
        return (0, 0)
    return (next(rank for rank, kind in enumerate(TYPES, start=1) if isinstance(value, kind)), value)
