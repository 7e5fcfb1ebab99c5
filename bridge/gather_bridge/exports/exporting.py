"""One export as the answer to a request: a process makes it, and its bytes are handed on as they come."""

import asyncio
import contextlib
import json
import logging
import re
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gather_bridge.errors import SocketRefused
from gather_bridge.exports.export_slots import ExportSlots
from gather_bridge.metrics import Metrics
from gather_clients.background_tasks import end_tasks
from gather_clients.configuration import secret_now
from gather_clients.web.metric_series import begin_at_zero

logger = logging.getLogger(__name__)

PROCESS: Final = (sys.executable, "-m", "gather_bridge.exports.export_process")
EXPORT_S: Final = 300.0
"""For all of it, its way to the client too."""
PIECE_BYTES: Final = 64 * 1024
SAID_MAX: Final = 300
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9-]+")
MEDIA_TYPES: Final = {
    "jsonl": "application/x-ndjson; charset=utf-8",
    "csv": "text/csv; charset=utf-8; header=present",
    "md": "text/markdown; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
"""By format. The renderers are not imported here: they take memory."""
RESULTS: Final = ("sent", "gone", "refused", "failed", "late")


Held = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""Has its argument called where a client loses its right, as long as the block lasts."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be exported."""

    project_id: str
    format: str
    run: str = ""
    department: str = ""
    snapshot: Mapping[str, Any] | None = None

    @property
    def file_name(self) -> str:
        """Return a name that every system takes: its parts have only letters, digits, `-` and `.`."""
        department = _UNSAFE.sub("-", self.department)
        parts = ["gather", self.run or self.project_id, department]
        return f"{'-'.join(filter(None, parts))}.{self.format}"


class Exporter:
    """Makes exports, some at once."""

    def __init__(self, uri: str, timeout_s: float, slots: ExportSlots, metrics: Metrics) -> None:
        """`timeout_s` is for each call of MongoDB."""
        self._uri = uri
        self._timeout_s = timeout_s
        self._slots = slots
        self._metrics = metrics
        begin_at_zero(metrics.exports, format=MEDIA_TYPES, result=RESULTS)

    def answer(self, job: Job, held: Held) -> "Answer":
        """Return the answer; `held` has its argument called where the client loses its right to it."""
        return Answer(self, job, held)

    @asynccontextmanager
    async def running(self, job: Job) -> AsyncIterator[asyncio.subprocess.Process]:
        """Make an export as long as the block lasts; raises SocketRefused if there is none."""
        async with self._slots.taken(job.project_id):
            process = await asyncio.create_subprocess_exec(
                *PROCESS,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=PIECE_BYTES,
            )
            try:
                await self._begin(process, job)
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                # Not `wait()`: that never returns while a pipe holds what nobody has read.
                await process.communicate()

    def count(self, job: Job, result: str) -> None:
        """Count what has become of an export."""
        self._metrics.exports.labels(format=job.format, result=result).inc()

    async def _begin(self, process: asyncio.subprocess.Process, job: Job) -> None:
        assert process.stdin is not None  # noqa: S101 - asked for above
        assert process.stdout is not None  # noqa: S101
        asked = {
            "uri": secret_now("MONGODB_URI", self._uri), "timeout_s": self._timeout_s,
            "project_id": job.project_id, "format": job.format, "run": job.run,
            "department": job.department, "snapshot": job.snapshot,
        }  # fmt: skip
        with contextlib.suppress(ConnectionError):
            process.stdin.write(json.dumps(asked).encode())
            process.stdin.write_eof()
        line = await process.stdout.readline()
        said = json.loads(line) if line else await self._failed(process)
        if said["status"] != 200:  # noqa: PLR2004
            raise SocketRefused(said["status"], said["error"], said["message"])

    async def _failed(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        await self.log_failure(process)
        message = "the export could not be made; try again"
        return {"status": 503, "error": "unavailable", "message": message}

    async def log_failure(self, process: asyncio.subprocess.Process) -> None:
        """Log what a process that has failed said last: the kind of its error, no text of a note."""
        assert process.stderr is not None  # noqa: S101
        said = (await process.stderr.read()).decode("utf-8", "replace").strip().splitlines()
        last = said[-1].partition(":")[0] if said else ""
        code = await process.wait()
        logger.warning("an export failed", extra={"error": last[:SAID_MAX], "exit_code": code})


class Answer(Response):
    """Sends one export: a whole one, or one whose end the client misses."""

    def __init__(self, exporter: Exporter, job: Job, held: Held) -> None:
        super().__init__()
        self._has_begun = False
        self._is_whole = False
        self._exporter = exporter
        self._job = job
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send it; raises SocketRefused before the first byte."""
        sending = asyncio.create_task(self._send_all(send))
        hearing = asyncio.create_task(_until_gone(receive))
        try:
            with self._held(lambda: _end(sending)):
                await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks((hearing, sending))
        if self._is_whole:
            # Its client may have gone while the process was waited for.
            self._exporter.count(self._job, "sent")
        elif sending.cancelled():
            self._exporter.count(self._job, "gone")
            if not self._has_begun:
                raise SocketRefused(401, "unauthorized", "the token no longer allows this project")
        elif (error := sending.exception()) is not None:
            self._exporter.count(self._job, "refused" if isinstance(error, SocketRefused) else "failed")
            raise error
        else:
            self._exporter.count(self._job, sending.result())

    async def _send_all(self, send: Send) -> str:
        """Return what has become of it; raises SocketRefused."""
        try:
            async with asyncio.timeout(EXPORT_S), self._exporter.running(self._job) as process:
                self._has_begun = True
                await send({"type": "http.response.start", "status": 200, "headers": self._head()})
                return await self._hand_on(process, send)
        except TimeoutError:
            if not self._has_begun:
                raise SocketRefused(503, "unavailable", "the export took too long; try again") from None
            return "late"

    async def _hand_on(self, process: asyncio.subprocess.Process, send: Send) -> str:
        assert process.stdout is not None  # noqa: S101 - asked for where it was started
        while piece := await process.stdout.read(PIECE_BYTES):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if await process.wait():
            await self._exporter.log_failure(process)
            return "failed"
        self._is_whole = True
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return "sent"

    def _head(self) -> list[tuple[bytes, bytes]]:
        disposition = f'attachment; filename="{self._job.file_name}"'
        return [
            (b"content-type", MEDIA_TYPES[self._job.format].encode()),
            (b"content-disposition", disposition.encode()),
            (b"cache-control", b"no-store, no-transform"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-accel-buffering", b"no"),
        ]


def _end(task: "asyncio.Task[str]") -> None:
    task.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
