"""A proxy between an operator and the API server: it names each write, list and watch event, and breaks one.

Names are stable over runs: the method, the kind, and how often that came before; for an event of a watch
also the department and the event's type. `film-a` and `film-b` stand before the names of two runs at once.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Self

import aiohttp
from aiohttp import web

from dev.service_process import HOST
from gather_contracts import names
from tests.support.kubernetes.control_plane import bearer

Json = dict[str, Any]

DELAY_S: Final = 2.0
SWAP_MAX_S: Final = 1.0
"""An event that is to come after the next one waits no longer for it."""
RETRY_AFTER_S: Final = 1
USER: Final = "operator"
PASSED_ON: Final = ("Content-Type", "Accept")

REFUSALS: Final = {
    "409": (409, "Conflict"),
    "429": (429, "TooManyRequests"),
    "500": (500, "InternalError"),
    "503": (503, "ServiceUnavailable"),
    "403": (403, "Forbidden"),
}
"""Answers to a write that the API server never sees."""
WRITE_FAULTS: Final = (*REFUSALS, "504", "drop-before", "drop-after", "delay")
KILLS: Final = ("kill-before", "kill-after")
STREAM_FAULTS: Final = ("close", "reset", "410", "error", "torn", "silent")
"""What ends a watch at an event, which it does not bring."""
EVENT_FAULTS: Final = ("lose", "double", "swap")
STALE: Final = "stale"
"""A list is answered with what there was at the start: nothing, at that version."""
WRITE: Final = re.compile(r"(film-[ab]-)?(post|patch|put|delete)-")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at one point, once."""

    kind: str
    point: str


class ApiProxy:
    """One operator's way to the API server; `url` is where it listens."""

    def __init__(
        self, server: str, namespace: str, fault: Fault | None, kill: Callable[[], Awaitable[None]]
    ) -> None:
        """`kill` ends the operator process, and makes another start soon."""
        self._server = server
        self._fault = fault
        self._kill = kill
        self._list_of_runs = f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{namespace}/{names.PLURAL}"
        self._counts: Counter[str] = Counter()
        self._first_version = ""
        self._closing = asyncio.Event()
        self.points: list[str] = []
        """Writes, lists and events since the start, in order."""
        self._watched: set[str] = set()
        self._watching = asyncio.Condition()
        self.has_fired = False
        self.errors: list[str] = []

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers=bearer(USER),
            connector=aiohttp.TCPConnector(ssl=False, limit=0),
            read_bufsize=2**18,
            max_line_size=2**23,
            auto_decompress=False,
        )
        async with self._session.get(f"{self._server}{self._list_of_runs}") as answer:
            self._first_version = (await answer.json())["metadata"]["resourceVersion"]
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        await self._runner.cleanup()
        await self._session.close()

    async def until_watched(self, kinds: set[str]) -> None:
        """Return once all these kinds have been watched."""
        async with self._watching:
            await self._watching.wait_for(lambda: self._watched >= kinds)

    # --- one request

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            if request.method != "GET":
                # What has begun is carried out, whether or not its operator is still there.
                return await asyncio.shield(asyncio.create_task(self._write(request, body)))
            if request.query.get("watch") == "true":
                return await self._watch(request)
            return await self._read(request)
        except (aiohttp.ClientError, ConnectionResetError):
            return _cut(request)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        answer = await self._pass_on(request, b"")
        kind = request.path.rsplit("/", 1)[1]
        if "labelSelector" not in request.query and kind != names.PLURAL:
            return answer
        of_run = "run-" if names.LABEL_RUN_UID in request.query.get("labelSelector", "") else ""
        if not self._reached(f"list-{of_run}{kind}"):
            return answer
        listed = json.loads(answer.body) if isinstance(answer.body, bytes) else {}
        listed["items"] = []
        listed["metadata"] = {"resourceVersion": self._first_version}
        return web.json_response(listed)

    async def _write(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if not self._reached(_name_of_write(request, body)):
            return await self._pass_on(request, body)
        assert self._fault is not None
        kind = self._fault.kind
        if kind in REFUSALS:
            return _refusal(*REFUSALS[kind])
        if kind == "delay":
            await asyncio.sleep(DELAY_S)
        if kind == "drop-before":
            return _cut(request)
        if kind == "kill-before":
            await self._kill()
            return _cut(request)
        answer = await self._pass_on(request, body)
        if kind == "504":
            return _refusal(504, "Timeout")
        if kind == "kill-after":
            await self._kill()
        return answer if kind == "delay" else _cut(request)

    async def _pass_on(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        url = f"{self._server}{request.path_qs}"
        async with self._session.request(request.method, url, data=body or None, headers=headers) as answer:
            return web.Response(
                body=await answer.read(), status=answer.status,
                headers={"Content-Type": answer.headers.get("Content-Type", "application/json")},
            )  # fmt: skip

    # --- one watch

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        kind = request.path.rsplit("/", 1)[1]
        limits = aiohttp.ClientTimeout(total=None)
        headers = {"Accept": "application/json"}
        url = f"{self._server}{request.path_qs}"
        async with self._session.get(url, headers=headers, timeout=limits) as answer:
            stream = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
            await stream.prepare(request)
            async with self._watching:
                self._watched.add(kind)
                self._watching.notify_all()
            relay = _Relay(request, stream)
            async for line in answer.content:
                if not await self._bring(kind, line, relay):
                    return stream
            await relay.bring(b"")
        return stream

    async def _bring(self, kind: str, line: bytes, relay: "_Relay") -> bool:
        """Bring one line to the operator, or break at it; return whether the watch goes on."""
        if not self._reached(_name_of_event(kind, line)):
            await relay.bring(line)
            return True
        assert self._fault is not None
        return await relay.break_at(line, self._fault.kind, self._closing)

    # --- points

    def _reached(self, name: str) -> bool:
        """Count what happens by its name, and return whether it is where the fault is."""
        if not name:
            return False
        self._counts[name] += 1
        point = f"{name}-{self._counts[name]}"
        self.points.append(point)
        is_it = self._fault is not None and not self.has_fired and point == self._fault.point
        self.has_fired |= is_it
        return is_it


class _Relay:
    """The operator's end of one watch."""

    def __init__(self, request: web.Request, stream: web.StreamResponse) -> None:
        self._request = request
        self._stream = stream
        self._held = b""
        self._release: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def bring(self, line: bytes) -> None:
        """Send a line, and after it the one that was held back."""
        held, self._held = self._held, b""
        if line or held:
            await self._stream.write(line + held)

    async def break_at(self, line: bytes, how: str, closing: asyncio.Event) -> bool:
        """Do it, and return whether the watch goes on."""
        if how in EVENT_FAULTS:
            if how == "double":
                await self._stream.write(line + line)
            if how == "swap":
                self._held = line
                asyncio.get_running_loop().call_later(SWAP_MAX_S, self._release_held)
            return True
        if how == "silent":
            await closing.wait()
        if how in {"410", "error"}:
            code, reason = (410, "Expired") if how == "410" else (500, "InternalError")
            error = {"type": "ERROR", "object": _status(code, reason)}
            await self._stream.write(json.dumps(error).encode() + b"\n")
        if how == "torn":
            await self._stream.write(line[: len(line) // 2])
            await asyncio.sleep(0.05)
        if how in {"reset", "torn"}:
            _cut(self._request)
        return False

    def _release_held(self) -> None:
        task = asyncio.ensure_future(self._bring_held())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bring_held(self) -> None:
        try:
            await self.bring(b"")
        except (ConnectionError, RuntimeError):
            return  # the watch has ended meanwhile


# --- names


def _name_of_write(request: web.Request, body: bytes) -> str:
    """Return a write's name, such as `film-b-post-jobs` or `patch-gatherruns-status`; "" for a Lease's."""
    parts = request.path.split("/namespaces/", 1)[-1].split("/")[1:]
    kind = "-".join([parts[0], *parts[2:]])
    if kind == "leases":
        return ""  # renewed by the clock, whatever runs do
    name = parts[1] if len(parts) > 1 else _named_in(body)
    return f"{_run_of(name)}{request.method.lower()}-{kind}"


def _named_in(body: bytes) -> str:
    made = json.loads(body)
    involved = made.get("involvedObject") or made.get("regarding") or made["metadata"]
    return str(involved.get("name", ""))


def _name_of_event(kind: str, line: bytes) -> str:
    """Return a watch event's name, such as `watch-pods-story-modified`; "" for a bookmark or an error."""
    event = json.loads(line)
    if event["type"] in {"BOOKMARK", "ERROR"}:
        return ""
    metadata = event["object"]["metadata"]
    department = (metadata.get("labels") or {}).get(names.LABEL_DEPARTMENT)
    middle = f"{kind}-{department}" if department else kind
    return f"{_run_of(metadata['name'])}watch-{middle}-{event['type'].lower()}"


def _run_of(name: str) -> str:
    return next((f"{run}-" for run in ("film-a", "film-b") if name.startswith(run)), "")


# --- answers


def _status(code: int, reason: str) -> Json:
    return {
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason,
        "message": f"made to fail: {reason}",
    }  # fmt: skip


def _refusal(code: int, reason: str) -> web.Response:
    headers = {"Retry-After": str(RETRY_AFTER_S)} if code == 429 else None
    return web.json_response(_status(code, reason), status=code, headers=headers)


def _cut(request: web.Request) -> web.Response:
    """Break the connection off."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def is_write(point: str) -> bool:
    """Return whether the point is a write."""
    return WRITE.match(point) is not None


def is_event(point: str) -> bool:
    """Return whether the point is an event of a watch."""
    return "watch-" in point


def is_list(point: str) -> bool:
    """Return whether the point is a list."""
    return point.startswith("list-")
