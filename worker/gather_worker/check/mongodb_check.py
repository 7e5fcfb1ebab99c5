"""MongoDB: reach, authentication, rights in the project's database, validator, indexes, majority writes.

Nothing is left behind. Each right is tried by a command that MongoDB refuses for want of the right before it
looks at the rest, and that could not change anything if it were allowed: a document whose `_id` may not be, a
change of no document, an index without fields. Whether the validator takes our notes is asked as a query.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bson import ObjectId
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    ConfigurationError,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WriteError,
    WTimeoutError,
)
from pymongo.write_concern import WriteConcern

from gather_clients.mongodb.refusals import NO_RIGHT, UNAUTHORIZED, refusal_of
from gather_contracts import names
from gather_worker.check.findings import Finding, fail, fail_now, ok, skip, warn
from gather_worker.check.note_rules import Document, blocking_indexes, named, rules_of, sample_note

NAME: Final = "MongoDB"
SELECT_TIMEOUT_MS: Final = 4_000
MAJORITY_TIMEOUT_MS: Final = 3_000
VERSION_MIN: Final = (5, 0)
RIGHTS: Final = ("find", "insert", "update", "createIndex")
COLLECTIONS: Final = (names.ITEMS_COLLECTION, names.CHECKPOINTS_COLLECTION)


@dataclass(slots=True)
class StoreFacts:
    """What MongoDB said; None for what was not asked or not said."""

    where: str = ""
    problem: str | None = None
    is_unreachable: bool = False
    is_refused: bool = False
    """The user or the password is not accepted."""
    is_malformed: bool = False
    version: tuple[int, ...] = ()
    is_replicated: bool = False
    missing: list[tuple[str, str]] = field(default_factory=list)
    """Rights, and the collections that they are missing for."""
    majority: str | None = None
    """Why no majority confirmed a write; None if one did."""
    collection_type: str = ""
    """Of `gather`; empty if it does not exist."""
    is_capped: bool = False
    has_validator: bool = False
    is_only_warned: bool = False
    refused_by: list[tuple[str, str]] | None = None
    """Fields and rules of the validator that our notes break; None: it could not be asked."""
    blocking: list[str] = field(default_factory=list)


async def check_mongodb(uri: str, project_id: str | None) -> list[Finding]:
    """Return what was found."""
    return mongodb_findings(await _gather(uri, project_id), project_id)


async def _gather(uri: str, project_id: str | None) -> StoreFacts:
    facts = StoreFacts()
    try:
        client: AsyncMongoClient[Document] = AsyncMongoClient(
            uri,
            serverSelectionTimeoutMS=SELECT_TIMEOUT_MS,
            connectTimeoutMS=SELECT_TIMEOUT_MS,
            socketTimeoutMS=SELECT_TIMEOUT_MS,
            appname=names.WORKER_NAME,
        )
    except (PyMongoError, ValueError) as error:
        # The library's text may quote the address, and with it the password.
        facts.is_malformed, facts.problem = True, type(error).__name__
        return facts
    async with client:
        try:
            await _look(client, project_id, facts)
        except OperationFailure as error:
            refusal = refusal_of(error)
            facts.is_refused = refusal is not None and refusal.is_of_credentials
            facts.problem = f"{error.code} {_text_of(error)}"
        except ConfigurationError as error:
            facts.problem, facts.is_unreachable = str(error)[:200], True
        except PyMongoError as error:
            facts.problem, facts.is_unreachable = _text_of(error), True
    return facts


async def _look(client: AsyncMongoClient[Document], project_id: str | None, facts: StoreFacts) -> None:
    await client.admin.command("connectionStatus")  # needs no right, and authenticates
    hello = await client.admin.command("hello")
    facts.is_replicated = "setName" in hello or hello.get("msg") == "isdbgrid"
    info = await client.server_info()
    facts.version = tuple(info.get("versionArray", ())[:2])
    if project_id is None:
        return
    database = client[names.gather_database(project_id)]
    for name in COLLECTIONS:
        facts.missing += [(right, name) for right in await _missing_rights(database, name)]
    if not any(right == "update" for right, _ in facts.missing):
        facts.majority = await _majority_problem(database)
    await _look_at_collection(database, project_id, facts)


async def _missing_rights(database: AsyncDatabase[Document], name: str) -> list[str]:
    nowhere = {"_id": ObjectId()}
    tries: dict[str, Document] = {
        "find": {"find": name, "filter": nowhere, "limit": 1},
        "insert": {"insert": name, "documents": [{"_id": []}]},
        "update": {"update": name, "updates": [{"q": nowhere, "u": {"$set": {"content": ""}}}]},
        "createIndex": {"createIndexes": name, "indexes": [{"key": {}, "name": "gather_check"}]},
    }
    return [right for right in RIGHTS if not await _is_allowed(database.command(tries[right]))]


async def _is_allowed(command: Awaitable[Any]) -> bool:
    try:
        await command
    except OperationFailure as error:
        return not _is_forbidden(error)
    return True


def _is_forbidden(error: OperationFailure) -> bool:
    return error.code == UNAUTHORIZED or str(refusal_of(error)) == NO_RIGHT


async def _majority_problem(database: AsyncDatabase[Document]) -> str | None:
    concern = WriteConcern(w="majority", j=True, wtimeout=MAJORITY_TIMEOUT_MS)
    items = database.get_collection(names.ITEMS_COLLECTION, write_concern=concern)
    try:
        await items.update_one({"_id": ObjectId()}, {"$set": {"content": ""}})
    except (WTimeoutError, WriteConcernError) as error:
        return _text_of(error)
    except WriteError:
        return None  # a view, for example, which is told elsewhere
    return None


async def _look_at_collection(database: AsyncDatabase[Document], project_id: str, facts: StoreFacts) -> None:
    try:
        async with await database.list_collections(filter={"name": names.ITEMS_COLLECTION}) as found:
            listed = await found.to_list()
    except OperationFailure as error:
        if not _is_forbidden(error):
            raise
        facts.missing.append(("listCollections", names.ITEMS_COLLECTION))
        return
    if not listed:
        return
    options = listed[0].get("options", {})
    facts.collection_type = str(listed[0].get("type", "collection"))
    facts.is_capped = bool(options.get("capped"))
    if facts.collection_type != "collection":
        return
    validator = options.get("validator")
    facts.has_validator = bool(validator)
    if validator:
        facts.is_only_warned = (
            options.get("validationAction") == "warn" or options.get("validationLevel") == "off"
        )
        facts.refused_by = await _refusing_rules(database, validator, project_id)
    try:
        async with await database[names.ITEMS_COLLECTION].list_indexes() as cursor:
            facts.blocking = blocking_indexes(await cursor.to_list())
    except OperationFailure:
        facts.missing.append(("listIndexes", names.ITEMS_COLLECTION))


async def _refusing_rules(
    database: AsyncDatabase[Document], validator: Mapping[str, Any], project_id: str
) -> list[tuple[str, str]] | None:
    """Return the rules that our notes break, asked of MongoDB itself; nothing is written."""
    note = sample_note(project_id)
    try:
        if await _matches(database, note, validator):
            return []
        rules = list(rules_of(validator))
        matches = await asyncio.gather(*(_matches(database, note, query) for _, _, query in rules))
    except PyMongoError:
        return None
    broken = [(name, rule) for (name, rule, _), is_kept in zip(rules, matches, strict=True) if not is_kept]
    return broken or [("the document", "a rule of several fields")]


async def _matches(database: AsyncDatabase[Document], note: Document, query: Mapping[str, Any]) -> bool:
    stages: list[Document] = [{"$documents": [{"$literal": note}]}, {"$match": dict(query)}]
    async with await database.aggregate(stages) as cursor:
        return bool(await cursor.to_list(1))


def _text_of(error: PyMongoError) -> str:
    details = getattr(error, "details", None)
    text = details.get("errmsg") if isinstance(details, Mapping) else None
    return f"{type(error).__name__}: {str(text or error).split(', Timeout:')[0][:200]}"


def mongodb_findings(facts: StoreFacts, project_id: str | None) -> list[Finding]:
    """Return what the facts mean."""
    if facts.problem:
        return [_refusal(facts)]
    version = ".".join(map(str, facts.version))
    found = [ok(NAME, f"reached, version {version}")]
    if facts.version and facts.version < VERSION_MIN:
        found = [warn(NAME, f"reached, but version {version} is old", "run MongoDB 5.0 or later")]
    if not facts.is_replicated:
        text = "a single server: what its disk loses is lost, and it has no transactions"
        found.append(warn("MongoDB copies", text, "run a replica set in production"))
    if project_id is None:
        return [*found, skip("MongoDB rights", "no project named: --run-file or --project looks at one")]
    found.append(_rights_finding(facts.missing, names.gather_database(project_id)))
    if facts.majority:
        text = f"no majority confirms writes: {facts.majority}"
        fix = "bring back the members of the replica set that are down"
        found.append(fail_now("MongoDB majority", text, fix))
    return found + _collection_findings(facts)


def _refusal(facts: StoreFacts) -> Finding:
    if facts.is_malformed:
        fix = (
            "write mongodb://USER:PASSWORD@HOST:27017/?authSource=admin; special characters of a password "
            "need %-codes"
        )
        return fail(NAME, f"MONGODB_URI is malformed ({facts.problem})", fix)
    if facts.is_refused:
        fix = "mend user, password and authSource in MONGODB_URI, or create the user"
        return fail(NAME, "MongoDB does not accept the user or its password", fix)
    if facts.is_unreachable:
        fix = "mend host, port and TLS in MONGODB_URI; see that MongoDB runs and that workers can reach it"
        return fail_now(NAME, f"MongoDB cannot be reached: {facts.problem}", fix)
    return fail(NAME, f"MongoDB refuses: {facts.problem}", "mend MONGODB_URI or the user's roles")


def _rights_finding(missing: Sequence[tuple[str, str]], database: str) -> Finding:
    if not missing:
        return ok("MongoDB rights", f"may find, insert, update and createIndex in {database}")
    lists = ", ".join(f"{right} on {name}" for right, name in missing)
    fix = f"grant it the role readWrite on {database}, or readWriteAnyDatabase for all projects"
    return fail("MongoDB rights", f"the user may not {lists} in {database}", fix)


def _collection_findings(facts: StoreFacts) -> list[Finding]:
    name = f"MongoDB {names.ITEMS_COLLECTION}"
    if not facts.collection_type:
        return [ok(name, "the collection does not exist yet; the first run makes it")]
    if facts.collection_type != "collection":
        return [fail(name, f"`{names.ITEMS_COLLECTION}` is a {facts.collection_type}",
                     "it must be an ordinary collection: rename this one")]  # fmt: skip
    found: list[Finding] = []
    if facts.refused_by:
        text = f"the collection's validator refuses our notes: {named(facts.refused_by)}"
        fix = "change these rules with collMod; docs/items.md has the form of notes"
        found.append(
            warn(name, f"{text}; it only warns", fix) if facts.is_only_warned else fail(name, text, fix)
        )
    elif facts.has_validator and facts.refused_by is None:
        found.append(warn(name, "the collection has a validator that could not be asked",
                          "compare it with the form of notes in docs/items.md"))  # fmt: skip
    if facts.blocking:
        found.append(fail(name, f"unique indexes let only one of our notes in: {', '.join(facts.blocking)}",
                          "drop them, or make them partial to isAutomated: false"))  # fmt: skip
    if facts.is_capped:
        found.append(warn(name, "the collection is capped: its oldest notes vanish",
                          "turn it into an ordinary collection"))  # fmt: skip
    taken = "its validator takes our notes" if facts.has_validator else "it has no validator"
    return found or [ok(name, f"the collection exists; {taken}")]
