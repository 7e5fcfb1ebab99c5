"""The brain, as one department uses it: every call answers or raises BrainUnusable, and none takes long.

A brain that cannot be reached is tried again only after a while, and then asked first whether it is ready.
One that answers "later" (429, or 503 with Retry-After) is waited for. One that refuses the key is asked again
only after a minute: a key may be made while a worker runs, and until then nothing is gained by asking.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import httpx

from gather_clients.brain_client import BrainClient
from gather_clients.brain_errors import BrainNotFound, BrainRejected, BrainUnauthorized, BrainUnavailable
from gather_clients.configuration import ConfigurationError
from gather_clients.http_calls.addresses import checked_address
from gather_clients.notes.note import Note
from gather_contracts import brain as bodies
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.meters import Timer
from gather_worker.attempt import Attempt
from gather_worker.documents.note_node import NODE_TYPE, node_of
from gather_worker.duplicates.candidates import NEIGHBOUR_COSINE_MIN, NEIGHBOURS
from gather_worker.errors import BrainKeyRefused, BrainUnusable, InvalidInput
from gather_worker.metrics import metered
from gather_worker.services.brain_nodes import BrainNodes

T = TypeVar("T")

CALL_DEADLINE_S: Final = 20.0
"""For one call with the client's own retries; 3 s are promised, a busy machine takes longer."""
INDEX_BATCH: Final = 20
INDEX_DEADLINE_S: Final = 30.0
"""50 nodes may take 8 s by promise; a brain that has just come back and serves all its workers takes
longer."""
PATIENCE_S: Final = 90.0
"""For a brain that answers "later": the slowest limit, 5 coverage analyses a minute, frees a place in 12 s.
"""
EARLY_S: Final = 10.0
EARLY_QUIET_S: Final = 0.5
"""In a process's first seconds, until the brain has answered once: a pod's way to it may be opened only then,
since network policies are set up for pods that run."""
QUIET_S: Final = 5.0
"""How long an unavailable brain is not tried again."""
REFUSED_QUIET_S: Final = 60.0
"""How long a brain that refuses the key is not asked again."""
TRUSTED_S: Final = 1.0
"""How long after an answer the brain counts as available. Later it is asked first whether it is ready, which
takes milliseconds: a call to an unavailable brain takes its whole deadline."""
CONTEXT_NODES: Final = 20
RELATED_NODES: Final = 50
"""More than a prompt shows, since some of them stand in it already."""

_LOGGER = logging.getLogger(__name__)


def brain_client(url: str, key: str, **options: Any) -> BrainClient:
    """Return a client of the brain; raises InvalidInput for an address or a key that can never work."""
    if not is_key(key):
        # Sent, it would look like a brain that cannot be reached.
        raise InvalidInput("settings: BRAIN_SERVICE_API_KEY: it has characters that no key has")
    try:
        return BrainClient(checked_address(url, has_user=False), key, **options)
    except httpx.InvalidURL:
        raise InvalidInput("settings: BRAIN_SERVICE_BASE_URL: is not an http or https URL") from None
    except ValueError as error:
        raise InvalidInput(f"settings: BRAIN_SERVICE_BASE_URL: {error}") from None
    except ConfigurationError as error:
        raise InvalidInput(f"settings: {error}") from None


def is_key(key: str) -> bool:
    """Return whether it can be sent."""
    return key.isascii() and key.isprintable()


class Brain:
    """One project's brain; all texts of a call belong to the project."""

    def __init__(
        self, client: BrainClient, attempt: Attempt, project_id: str, key_now: Callable[[], str] | None = None
    ) -> None:
        """`key_now` returns the key that is set now, in case the one that the client has was replaced."""
        self._client = client
        self._key_now = key_now
        self._attempt = attempt
        self._project_id = project_id
        self._quiet_until: float | None = None
        self._trouble = BrainUnusable("the brain was unavailable a moment ago")
        self._answered_at = float("-inf")
        self._early_until = time.monotonic() + EARLY_S
        self._readiness = asyncio.Lock()

    @property
    def nodes(self) -> BrainNodes:
        """Return the project's notes in the brain, for comparing them with MongoDB's."""
        return BrainNodes(self._client, self._attempt, self._project_id)

    async def is_usable(self) -> bool:
        """Return whether it is worth calling now."""
        try:
            await self._check_ready()
        except BrainUnusable:
            return False
        return True

    async def wait_for_way(self) -> None:
        """In the process's first seconds, ask until the brain is ready: a score not measured stays out.

        A model that answers at once ends an iteration before a pod's way to the brain is open.
        """
        while time.monotonic() < self._early_until and not isinstance(self._trouble, BrainKeyRefused):
            try:
                await self._check_ready()
            except BrainUnusable:
                await self._attempt.sleep(max(0.0, (self._quiet_until or 0.0) - time.monotonic()))

    @property
    def refusal(self) -> str:
        """Return what the brain refuses and which setting to change, "" where it does not."""
        return str(self._trouble) if isinstance(self._trouble, BrainKeyRefused) else ""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def neighbours(self, texts: Sequence[str]) -> list[list[bodies.Duplicate]]:
        """Return each text's nearest saved notes of the project, if any are near."""
        return await self._search(texts, NEIGHBOUR_COSINE_MIN, NEIGHBOURS)

    async def nearest(
        self, texts: Sequence[str], excluded_ids: Sequence[str]
    ) -> list[list[bodies.Duplicate]]:
        """Return each text's nearest saved notes of the project, however near they are."""
        return await self._search(texts, 0.0, RELATED_NODES, excluded_ids)

    async def _search(
        self, texts: Sequence[str], threshold: float, limit: int, excluded_ids: Sequence[str] = ()
    ) -> list[list[bodies.Duplicate]]:
        request = bodies.DuplicatesBatchRequest(
            project_id=self._project_id, contents=list(texts), threshold=threshold,
            limit=limit, type=NODE_TYPE, exclude_node_ids=list(excluded_ids),
        )  # fmt: skip
        answer = await self._ask(
            lambda: self._client.find_duplicates_batch(request, deadline_s=CALL_DEADLINE_S)
        )
        return [result.duplicates for result in answer.results] if answer else [[] for _ in texts]

    async def compare(self, pairs: Sequence[tuple[str, str]]) -> tuple[str, list[float]]:
        """Return the embedding model's name and the pairs' raw cosines, 0 to 1; at least one pair."""
        model, cosines = "", list[float]()
        for start in range(0, len(pairs), bodies.SIMILARITY_PAIRS_MAX):
            request = bodies.SimilarityRequest(
                project_id=self._project_id,
                pairs=[
                    bodies.SimilarityPair(a=one, b=other)
                    for one, other in pairs[start : start + bodies.SIMILARITY_PAIRS_MAX]
                ],
            )
            answer = await self._ask(partial(self._client.compare, request, deadline_s=CALL_DEADLINE_S))
            if answer is None:
                raise self._key_refused(f"the key may not use the project {self._project_id}")
            model, cosines = answer.model, cosines + answer.similarities
        return model, cosines

    async def earlier_context(
        self, department: str, previous: Sequence[str]
    ) -> bodies.ContextResponse | None:
        """Return what earlier departments offer; None where the project has nothing yet."""
        return await self._ask(
            lambda: self._client.department_context(
                self._project_id, department, previous, limit=CONTEXT_NODES, deadline_s=CALL_DEADLINE_S
            )
        )

    async def coverage(
        self, department: ResolvedDepartment, items: Sequence[Note]
    ) -> bodies.CoverageResponse | None:
        """Return how well the department's newest notes cover its purpose."""
        return await self._coverage(department, items)

    async def treating(self, department: ResolvedDepartment, items: Sequence[Note]) -> list[str] | None:
        """Return the ids of those of up to 100 notes that treat the department, the nearest first.

        None where the brain knows nothing of the project yet.
        """
        answer = await self._coverage(department, items, finds_treating=True)
        return None if answer is None else answer.analysis.treating

    async def _coverage(
        self, department: ResolvedDepartment, items: Sequence[Note], *, finds_treating: bool = False
    ) -> bodies.CoverageResponse | None:
        newest = items[-bodies.COVERAGE_ITEMS_MAX :]
        request = bodies.CoverageRequest(
            project_id=self._project_id,
            department=department.slug,
            gather_items=[_coverage_item(note) for note in newest],
            department_description=department.description,
            # A brain of an older version refuses the field; it is sent only where it is needed.
            **({"find_treating": True} if finds_treating else {}),
        )
        return await self._ask(lambda: self._client.analyze_coverage(request, deadline_s=CALL_DEADLINE_S))

    async def index(self, items: Sequence[Note]) -> None:
        """Write up to `INDEX_BATCH` notes; writing one again changes nothing but its properties."""
        nodes = [node_of(item) for item in items]
        try:
            written = await self._call(lambda: self._client.create_nodes(nodes, deadline_s=INDEX_DEADLINE_S))
        except BrainRejected as error:
            # It would be refused every time; the notes stay in MongoDB.
            _LOGGER.error("the brain refuses %d notes: %s", len(nodes), error.code)  # noqa: TRY400 - no trace needed
            return
        if written is None:
            # A project without nodes may be written to, so another's is meant.
            raise self._key_refused(f"the key may not write to the project {self._project_id}")

    async def _ask(self, send: Callable[[], Awaitable[T]]) -> T | None:
        """Return the answer; a refusal counts as unavailable."""
        try:
            return await self._call(send)
        except BrainRejected as error:
            _LOGGER.error("the brain refuses a request: %s", error.code)  # noqa: TRY400 - no trace needed
            raise BrainUnusable(str(error)) from error

    async def _call(self, send: Callable[[], Awaitable[T]]) -> T | None:
        """Return the answer, None for a project without nodes; raises BrainUnusable and BrainRejected."""
        await self._check_ready()
        patience_ends_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await self._answered(send())
            except BrainNotFound:
                return None
            except BrainUnauthorized as error:
                if self._took_new_key():
                    _LOGGER.info("the brain refuses the key, and another one is set by now")
                    continue
                said = f"the brain refuses the key ({error.status} {error.code})"
                raise self._key_refused(said) from error
            except BrainUnavailable as error:
                wait_s = error.retry_after_s
                if wait_s is None or time.monotonic() + wait_s > patience_ends_at:
                    raise self._unavailable(str(error)) from error
            _LOGGER.info("the brain limits requests; waiting %.0f s", wait_s)
            await self._attempt.sleep(wait_s)

    def _took_new_key(self) -> bool:
        key = self._key_now() if self._key_now else ""
        return bool(key) and is_key(key) and self._client.replace_key(key)

    @metered(Timer.BRAIN)
    async def _answered(self, work: Awaitable[T]) -> T:
        answer = await self._attempt.race(work)
        self._answered_at = time.monotonic()
        return answer

    async def _check_ready(self) -> None:
        """Raise BrainUnusable without a call if it was unavailable a moment ago, or is not ready.

        Of several calls at once one asks, and its answer is all of theirs.
        """
        async with self._readiness:
            now = time.monotonic()
            if self._quiet_until is not None and now < self._quiet_until:
                raise type(self._trouble)(str(self._trouble))
            if now - self._answered_at < TRUSTED_S:
                return
            if not await self._attempt.race(self._client.is_ready()):
                raise self._unavailable("it is not ready")
            self._answered_at = time.monotonic()
            self._early_until = float("-inf")
            if self._quiet_until is not None:
                self._quiet_until = None
                if not isinstance(self._trouble, BrainKeyRefused):
                    _LOGGER.info("the brain is available again")

    def _unavailable(self, message: str) -> BrainUnusable:
        is_early = time.monotonic() < self._early_until
        self._keep_quiet("the brain is unavailable: %s", message, EARLY_QUIET_S if is_early else QUIET_S)
        self._trouble = BrainUnusable("the brain was unavailable a moment ago")
        return BrainUnusable(message)

    def _key_refused(self, message: str) -> BrainKeyRefused:
        self._keep_quiet("%s; it is done without", f"BRAIN_SERVICE_API_KEY: {message}", REFUSED_QUIET_S)
        self._trouble = BrainKeyRefused(f"BRAIN_SERVICE_API_KEY: {message}")
        return self._trouble

    def _keep_quiet(self, text: str, message: str, duration_s: float) -> None:
        if self._quiet_until is None:
            _LOGGER.error(text, message)
        self._quiet_until = time.monotonic() + duration_s
        self._answered_at = float("-inf")


def _coverage_item(note: Note) -> bodies.CoverageItem:
    return bodies.CoverageItem(
        id=note.id, content=note.content[: bodies.CONTENT_MAX], summary=note.summary
    )  # fmt: skip
