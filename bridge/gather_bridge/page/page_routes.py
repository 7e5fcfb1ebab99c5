"""The page's addresses: runs, projects, signing in, cancelling, and errors that say what to do."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

from fastapi import FastAPI
from fastapi.exception_handlers import http_exception_handler
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gather_bridge.access.asked import RUN
from gather_bridge.access.gate import Gate
from gather_bridge.access.permits import Access
from gather_bridge.access.sessions import Session, Sessions
from gather_bridge.access.token_file import Verdict
from gather_bridge.errors import SocketRefused
from gather_bridge.metrics import Metrics
from gather_bridge.page.cancelling import DoorClient, Outcome
from gather_bridge.page.project_view import project_view
from gather_bridge.page.rendering import HEADERS, Rendering
from gather_bridge.page.run_view import run_view
from gather_bridge.page.signing_in import SigningIn, local, read_form, require_own_form, sign_in_address
from gather_clients.event_log import EventLogUnavailable
from gather_clients.issued_secrets import ALL_PROJECTS
from gather_clients.snapshots.redis_snapshots import RunPlace
from gather_clients.web.metric_series import begin_at_zero
from gather_contracts.names import OBJECT_ID_PATTERN

T = TypeVar("T")

PROJECT: Final = re.compile(OBJECT_ID_PATTERN)
NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
READING_S: Final = 10.0
KINDS: Final = ("2xx", "3xx", "4xx", "5xx")
"""Of answers, as metrics name them."""
RETRY_AFTER: Final = {"Retry-After": "5"}


class Snapshots(Protocol):
    """Where runs are known."""

    async def place(self, namespace: str, run: str) -> RunPlace | None:
        """Return the newest run of that name."""

    async def of_run(self, project_id: str, run: str, run_uid: str | None = None) -> dict[str, Any] | None:
        """Return a run."""

    async def of_project(self, project_id: str) -> dict[str, Any]:
        """Return a project's newest runs."""


@dataclass(frozen=True, slots=True)
class PageParts:
    """What the page is made from."""

    gate: Gate
    access: Access
    sessions: Sessions
    snapshots: Snapshots
    metrics: Metrics
    rendering: Rendering
    door: DoorClient | None
    has_exports: bool
    """Whether notes can be read, so that links to them lead somewhere."""


@dataclass(frozen=True, slots=True)
class Found:
    """One run, and who looks at it."""

    visitor: Session
    document: dict[str, Any]
    here: str
    """Its address."""


class RunPage:
    """Answers browsers."""

    def __init__(self, parts: PageParts) -> None:
        self._parts = parts

    async def home(self, request: Request) -> Response:
        """Show the way to a project."""
        visitor = await self._visitor(request)
        rights = self._parts.access.rights_of(visitor.sha256) if visitor.sha256 else None
        projects = (
            {visitor.project_id} if visitor.project_id else rights.projects if rights else {ALL_PROJECTS}
        )
        project = request.query_params.get("project", "").strip()
        if PROJECT.fullmatch(project):
            return RedirectResponse(f"/projects/{project.lower()}", 303, headers=HEADERS)
        listed = sorted(each for each in projects if each != ALL_PROJECTS)
        return self._page("home.html", visitor, projects=listed, asked=project)

    async def project(self, request: Request) -> Response:
        """Show a project's runs."""
        visitor, project_id = await self._project(request)
        found = await self._read(self._parts.snapshots.of_project(project_id))
        part = request.url.path.endswith("/now")
        return self._page(
            "project_now.html" if part else "project.html",
            visitor,
            view=project_view(found, datetime.now(UTC)),
            project_id=project_id,
            here=f"/projects/{project_id}",
            has_exports=self._parts.has_exports,
        )

    async def run(self, request: Request) -> Response:
        """Show a run, or only what changes of it."""
        found = await self._run(request)
        view = run_view(found.document, datetime.now(UTC))
        part = request.url.path.endswith("/now")
        return self._page(
            "run_now.html" if part else "run.html",
            found.visitor,
            view=view,
            here=found.here,
            may_cancel=view.may_be_cancelled and self._may_cancel(found),
            has_exports=self._parts.has_exports,
            asked="cancelled" in request.query_params,
        )

    async def cancel(self, request: Request) -> Response:
        """Ask whether the run shall be cancelled; a form that says so does it."""
        found = await self._run(request)
        if not self._may_cancel(found):
            raise SocketRefused(403, "forbidden", "you may look at this run, but not cancel it")
        if request.method == "GET":
            return self._page("cancel.html", found.visitor, run=found.document["run"], here=found.here)
        require_own_form(request)
        if (await read_form(request)).get("sure") != "yes":
            return RedirectResponse(found.here, 303, headers=HEADERS)
        door, named = self._parts.door, (found.document["run"], found.document["project_id"])
        outcome = Outcome.UNAVAILABLE if door is None else await door.cancel(*named)
        self._parts.metrics.page_cancels.labels(result=outcome).inc()
        if outcome in {Outcome.ACCEPTED, Outcome.ENDED}:
            return RedirectResponse(f"{found.here}?cancelled", 303, headers=HEADERS)
        return self._problem(request, 404 if outcome is Outcome.UNKNOWN else 503, f"cancel_{outcome}")

    async def asset(self, request: Request) -> Response:
        """Return a script or a style sheet."""
        found = self._parts.rendering.file(request.path_params["version"], request.path_params["name"])
        return found or self._problem(request, 404, "not_found")

    def served(self, page: str, work: Callable[[Request], Awaitable[Response]]) -> Any:
        """Return the endpoint: what is refused becomes a page, and everything is counted."""

        async def endpoint(request: Request) -> Response:
            try:
                answer = await work(request)
            except SocketRefused as refused:
                answer = self._refusal(request, refused)
            kind = f"{answer.status_code // 100}xx"
            self._parts.metrics.page_requests.labels(page=page, status=kind).inc()
            return answer

        return endpoint

    def not_found(self, request: Request) -> Response:
        """Answer a browser that asks for what there is not."""
        return self._problem(request, 404, "not_found")

    async def _visitor(self, request: Request) -> Session:
        visitor = await self._parts.gate.visitor(request)
        if visitor is None:
            raise SocketRefused(401, "unauthorized", "sign in")
        return visitor

    def _opens(self, visitor: Session, project_id: str) -> bool:
        is_its_own = visitor.project_id in {None, project_id}
        return is_its_own and self._parts.access.verdict_of(visitor.sha256, project_id) is Verdict.ALLOWED

    async def _project(self, request: Request) -> tuple[Session, str]:
        visitor = await self._visitor(request)
        project_id = request.path_params["project_id"].lower()
        if not (PROJECT.fullmatch(project_id) and self._opens(visitor, project_id)):
            raise SocketRefused(404, "no_project", "no such project")
        return visitor, project_id

    async def _run(self, request: Request) -> Found:
        """Return the run that the address names: by its namespace, or by its project."""
        name, uid = request.path_params["name"], None
        if "namespace" in request.path_params:
            visitor, namespace = await self._visitor(request), request.path_params["namespace"]
            place = None
            if RUN.fullmatch(name) and NAMESPACE.fullmatch(namespace):
                place = await self._read(self._parts.snapshots.place(namespace, name))
            if place is None or not self._opens(visitor, place.project_id):
                raise SocketRefused(404, "no_run", "no such run")
            project_id, uid, here = place.project_id, place.run_uid, f"/runs/{namespace}/{name}"
        else:
            visitor, project_id = await self._project(request)
            here = f"/projects/{project_id}/runs/{name}"
        is_name = RUN.fullmatch(name)
        document = await self._read(self._parts.snapshots.of_run(project_id, name, uid)) if is_name else None
        if document is None:
            raise SocketRefused(404, "no_run", "no such run")
        return Found(visitor, document, here)

    async def _read(self, reading: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(READING_S):
                return await reading
        except (EventLogUnavailable, TimeoutError):
            raise SocketRefused(503, "unavailable", "runs cannot be read now") from None

    def _may_cancel(self, found: Found) -> bool:
        door = self._parts.door
        if door is None or not door.reaches(found.document["namespace"]) or not found.visitor.sha256:
            return False
        rights = self._parts.access.rights_of(found.visitor.sha256)
        return rights is not None and rights.may_cancel

    def _refusal(self, request: Request, refused: SocketRefused) -> Response:
        if refused.status != 401:  # noqa: PLR2004 - HTTP's
            return self._problem(request, refused.status, refused.error)
        if request.headers.get("hx-request"):
            address = sign_in_address(request).removesuffix("/now")
            return Response(status_code=401, headers={**HEADERS, "HX-Redirect": address})
        if request.headers.get("sec-fetch-site") == "cross-site" and request.method == "GET":
            # A link on another site: the browser kept the cookie back, and sends it when we ask ourselves.
            return self._parts.rendering.page("onward.html", after=local(request.url.path))
        return RedirectResponse(sign_in_address(request), 303, headers=HEADERS)

    def _problem(self, request: Request, status: int, kind: str) -> Response:
        headers = RETRY_AFTER if status == 503 else None  # noqa: PLR2004 - HTTP's
        return self._parts.rendering.page(
            "problem.html",
            status,
            headers,
            code=status,
            kind=kind,
            address=local(request.url.path),
            params=request.path_params,
        )

    def _page(self, template: str, visitor: Session, **values: Any) -> Response:
        return self._parts.rendering.page(template, is_signed_in=bool(visitor.sha256), **values)


def add_page(app: FastAPI, parts: PageParts) -> None:
    """Add the page's addresses to the application."""
    page, signing = RunPage(parts), SigningIn(parts.gate, parts.sessions, parts.rendering, parts.metrics)
    run, project = "/runs/{namespace}/{name}", "/projects/{project_id}"
    by_project = f"{project}/runs/{{name}}"
    routes = [
        ("/", "GET", "home", page.home),
        ("/sign-in", "GET", "sign_in", signing.ask),
        ("/sign-in", "POST", "sign_in", signing.enter),
        ("/sign-out", "POST", "sign_out", signing.leave),
        ("/assets/{version}/{name}", "GET", "asset", page.asset),
        *((f"{project}{end}", "GET", "project", page.project) for end in ("", "/now")),
    ]
    for address in (run, by_project):
        routes += [(f"{address}{end}", "GET", "run", page.run) for end in ("", "/now")]
        routes += [(f"{address}/cancel", method, "cancel", page.cancel) for method in ("GET", "POST")]
    begin_at_zero(parts.metrics.page_cancels, result=Outcome)
    begin_at_zero(parts.metrics.page_requests, page={name for _, _, name, _ in routes}, status=KINDS)
    for address, method, name, work in routes:
        app.router.routes.append(Route(address, page.served(name, work), methods=[method]))

    @app.exception_handler(HTTPException)
    async def not_found(request: Request, error: HTTPException) -> Response:
        """Answer browsers with a page, all others as before."""
        is_browser = "text/html" in request.headers.get("accept", "")
        if is_browser and error.status_code == 404 and not request.url.path.startswith("/api/"):  # noqa: PLR2004
            return page.not_found(request)
        return await http_exception_handler(request, error)
