"""The client of the brain API; the only place outside the brain that knows its paths.

It retries what may pass (429, 5xx, a broken connection) within the caller's deadline and obeys Retry-After,
so that a brain that restarts is a pause to its callers and not an error.
"""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from gather_clients.backoff import Backoff
from gather_clients.bodies import ACCEPT_ENCODING, BodyTooLong, read_body
from gather_clients.brain_errors import BrainRejected, BrainUnavailable, failure_of
from gather_clients.http_calls.ways import way_to
from gather_contracts import brain as bodies

MAX_RESPONSE_BYTES: Final = 16 * 1024 * 1024
"""No realistic answer reaches it: 50 duplicates of 8,000 characters for each of 20 texts is half of it."""

BACKOFF: Final = Backoff(0.25, 10.0, jitter=(0, 1))
"""Full jitter, so that workers do not come back all at once; added to what the brain asks for."""

NODES_PATH: Final = "/api/v1/nodes"
READINESS_TIMEOUT_S: Final = 5.0

AnswerT = TypeVar("AnswerT", bound=BaseModel)


class BrainClient:
    """Typed calls to one brain; open it with `async with`, or call `aclose`.

    `timeout_s` limits one attempt, `deadline_s` a call with all its attempts and waits.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_s: float = 15.0,
        deadline_s: float = 60.0,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._deadline_s = deadline_s
        self._clock = clock
        self._sleep = sleep
        self._http = httpx.AsyncClient(
            base_url=base_url.rstrip("/"),
            headers={"Authorization": f"Bearer {api_key}", **ACCEPT_ENCODING},
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 5.0)),
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=10),
            **way_to(base_url, transport),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def replace_key(self, api_key: str) -> bool:
        """Send this key from now on; return whether it is another one."""
        said = f"Bearer {api_key}"
        is_new = self._http.headers["Authorization"] != said
        self._http.headers["Authorization"] = said
        return is_new

    async def create_nodes(
        self, nodes: Sequence[bodies.NodeIn], *, deadline_s: float | None = None
    ) -> bodies.BatchResponse:
        """Write 1 to 50 nodes of one project.

        A node without an id gets one here, so that an attempt whose answer was lost is not written twice.
        """
        named = [node if node.id else node.model_copy(update={"id": str(uuid.uuid4())}) for node in nodes]
        request = self._post("/api/v1/nodes/batch", bodies.BatchRequest(nodes=named))
        return await self._call(request, bodies.BatchResponse, deadline_s)

    async def node_pages(
        self,
        project_id: str,
        *,
        type: str | None = None,  # noqa: A002 - as the API names it
        department: str | None = None,
        page_size: int = bodies.NODES_PAGE_MAX,
        with_content: bool = False,
        cursor: str | None = None,
        deadline_s: float | None = None,
    ) -> AsyncIterator[bodies.NodesPage]:
        """Yield a project's nodes page by page, in the order of their ids; `deadline_s` is for each page.

        `cursor` goes on after a page whose `next_cursor` it is.
        """
        filters = {"type": type, "department": department, "include": "content" if with_content else None}
        asked = {name: value for name, value in filters.items() if value is not None}
        while True:
            query = {"projectId": project_id, "limit": str(page_size), **asked}
            query |= {} if cursor is None else {"cursor": cursor}
            page = await self._call(
                self._http.build_request("GET", NODES_PATH, params=query), bodies.NodesPage, deadline_s
            )
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    async def list_nodes(
        self,
        project_id: str,
        *,
        type: str | None = None,  # noqa: A002 - as the API names it
        department: str | None = None,
        page_size: int = bodies.NODES_PAGE_MAX,
        with_content: bool = False,
        deadline_s: float | None = None,
    ) -> AsyncIterator[bodies.StoredNode]:
        """Yield a project's nodes one by one; at most a page of them is held."""
        pages = self.node_pages(
            project_id, type=type, department=department, page_size=page_size,
            with_content=with_content, deadline_s=deadline_s,
        )  # fmt: skip
        async for page in pages:
            for node in page.nodes:
                yield node

    async def get_node(
        self, project_id: str, node_id: str, *, deadline_s: float | None = None
    ) -> bodies.StoredNode:
        """Return a node with its content.

        Raises:
            BrainNotFound: the project has no such node.
        """
        path = f"{NODES_PATH}/{_path_part(node_id)}"
        sent = self._http.build_request("GET", path, params={"projectId": project_id})
        return await self._call(sent, bodies.StoredNode, deadline_s)

    async def delete_nodes(
        self, project_id: str, ids: Sequence[str], *, deadline_s: float | None = None
    ) -> bodies.NodesDeleted:
        """Delete any number of nodes, some at a time; `deadline_s` is for each request."""
        deleted = not_found = 0
        wanted = list(dict.fromkeys(ids))
        for start in range(0, len(wanted), bodies.DELETED_IDS_MAX):
            some = wanted[start : start + bodies.DELETED_IDS_MAX]
            query = httpx.QueryParams([("projectId", project_id), *(("ids", each) for each in some)])
            sent = self._http.build_request("DELETE", NODES_PATH, params=query)
            answer = await self._call(sent, bodies.NodesDeleted, deadline_s)
            deleted += answer.deleted
            not_found += answer.not_found
        return bodies.NodesDeleted(deleted=deleted, not_found=not_found)

    async def delete_project(
        self, project_id: str, *, confirm: str, deadline_s: float | None = None
    ) -> bodies.ProjectErased:
        """Erase everything of a project, in as many requests as it takes; `confirm` is its id once more.

        `deadline_s` is for each request.

        Raises:
            BrainNotFound: nothing is kept of it; after an answer that was lost, nothing any more.
        """
        deleted = profiles = 0
        path = f"/api/v1/projects/{_path_part(project_id)}"
        while True:
            sent = self._http.build_request("DELETE", path, params={"confirm": confirm})
            answer = await self._call(sent, bodies.ProjectErased, deadline_s)
            deleted += answer.deleted
            profiles += answer.profiles
            if not answer.remaining:
                return answer.model_copy(update={"deleted": deleted, "profiles": profiles})

    async def find_duplicates(
        self, request: bodies.DuplicatesRequest, *, deadline_s: float | None = None
    ) -> bodies.DuplicatesResponse:
        """Find the nodes nearest to one text; `similarity` and `threshold` are raw cosine."""
        sent = self._post("/api/v1/search/duplicates", request)
        return await self._call(sent, bodies.DuplicatesResponse, deadline_s)

    async def find_duplicates_batch(
        self, request: bodies.DuplicatesBatchRequest, *, deadline_s: float | None = None
    ) -> bodies.DuplicatesBatchResponse:
        """Find the nodes nearest to each of 1 to 50 texts, in one request."""
        sent = self._post("/api/v1/search/duplicates/batch", request)
        return await self._call(sent, bodies.DuplicatesBatchResponse, deadline_s)

    async def compare(
        self, request: bodies.SimilarityRequest, *, deadline_s: float | None = None
    ) -> bodies.SimilarityResponse:
        """Return the raw cosine of 1 to 50 pairs of texts; the project may be empty."""
        sent = self._post("/api/v1/search/similarity", request)
        return await self._call(sent, bodies.SimilarityResponse, deadline_s)

    async def department_context(
        self,
        project_id: str,
        department: str,
        previous_departments: Sequence[str] = (),
        *,
        limit: int = 20,
        deadline_s: float | None = None,
    ) -> bodies.ContextResponse:
        """Return what the earlier departments offer `department`; `limit` is nodes per department."""
        query: list[tuple[str, str | int | float | bool | None]] = [
            ("projectId", project_id),
            ("department", department),
            ("limit", limit),
            *(("previousDepartments[]", slug) for slug in previous_departments),
        ]
        sent = self._http.build_request("GET", "/api/v1/context/department", params=httpx.QueryParams(query))
        return await self._call(sent, bodies.ContextResponse, deadline_s)

    async def analyze_coverage(
        self, request: bodies.CoverageRequest, *, deadline_s: float | None = None
    ) -> bodies.CoverageResponse:
        """Measure how well the items cover the department's purpose."""
        return await self._call(
            self._post("/api/v1/analyze/coverage", request), bodies.CoverageResponse, deadline_s
        )

    async def limits(self, project_id: str, *, deadline_s: float | None = None) -> bodies.LimitsResponse:
        """Return what of the key's limits for a project is used; reading them uses none of them."""
        sent = self._http.build_request("GET", "/api/v1/limits", params={"projectId": project_id})
        return await self._call(sent, bodies.LimitsResponse, deadline_s)

    async def is_ready(self) -> bool:
        """Return whether the brain says now that it can serve; asks once, and an absent brain is False."""
        try:
            return (await self._http.get("/readyz", timeout=READINESS_TIMEOUT_S)).is_success
        except httpx.HTTPError:
            return False

    async def readiness(self) -> bodies.ReadinessBody:
        """Return what the brain says of itself, ready or not and why; asks once.

        Raises:
            BrainUnavailable: nothing answers, or something else than the brain.
        """
        try:
            answer = await self._http.get("/readyz", timeout=READINESS_TIMEOUT_S)
        except httpx.HTTPError as failure:
            raise BrainUnavailable(f"the brain cannot be reached: {type(failure).__name__}") from failure
        return _parsed(answer.content, bodies.ReadinessBody)

    def _post(self, path: str, body: BaseModel) -> httpx.Request:
        content = body.model_dump_json(by_alias=True, exclude_unset=True).encode()
        return self._http.build_request(
            "POST", path, content=content, headers={"Content-Type": "application/json"}
        )

    async def _call(self, request: httpx.Request, answer: type[AnswerT], deadline_s: float | None) -> AnswerT:
        ends_at = self._clock() + (self._deadline_s if deadline_s is None else deadline_s)
        for attempt in itertools.count(1):
            try:
                async with asyncio.timeout(max(ends_at - self._clock(), 0.001)):
                    return await self._attempt(request, answer)
            except BrainUnavailable as failure:
                wait_s = BACKOFF.wait_s(attempt) + (failure.retry_after_s or 0)
                if self._clock() + wait_s >= ends_at:
                    raise
            except TimeoutError as failure:
                raise BrainUnavailable("the brain did not answer within the deadline") from failure
            await self._sleep(wait_s)
        raise AssertionError("unreachable: the count has no end")

    async def _attempt(self, request: httpx.Request, answer: type[AnswerT]) -> AnswerT:
        try:
            response = await self._http.send(request, stream=True)
            try:
                content = await read_body(response, MAX_RESPONSE_BYTES)
            finally:
                await response.aclose()
        except BodyTooLong as failure:
            message = "the brain's answer is too long"
            raise BrainRejected(response.status_code, "too_large", message) from failure
        except httpx.HTTPError as failure:
            raise BrainUnavailable(f"the brain cannot be reached: {type(failure).__name__}") from failure
        if response.is_success:
            return _parsed(content, answer)
        raise failure_of(response, content)


def _path_part(value: str) -> str:
    """Return a value as it stands in a path; a dot is encoded, since "." and ".." would be resolved away."""
    return quote(value, safe="").replace(".", "%2E")


def _parsed(content: bytes, answer: type[AnswerT]) -> AnswerT:
    try:
        return answer.model_validate_json(content)
    except ValidationError as failure:
        raise BrainUnavailable("something else than the brain answered: the body is not its own") from failure
