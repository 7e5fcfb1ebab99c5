"""This door among Celery's workers: it hears revokes, learns those that it has missed, and is seen by Flower.

Celery's revoke is a broadcast that nobody stores; other workers remember it and answer `hello` with it.
All of it is kombu's and synchronous, so it has a thread of its own, which starts again when its connection
breaks.
"""

import logging
import os
import resource
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import kombu
from celery.utils.sysinfo import load_average  # type: ignore[import-untyped]
from celery.worker.state import SOFTWARE_INFO  # type: ignore[import-untyped]

from gather_bridge.celery_door.celery_app import open_app
from gather_bridge.celery_door.celery_settings import CelerySettings
from gather_bridge.celery_door.task_message import is_id

logger = logging.getLogger(__name__)

DRAIN_S: Final = 0.25
HEARTBEAT_S: Final = 5.0
AGAIN_S: Final = (1.0, 15.0)
"""Before the connection is opened again, at first and at most."""
NEIGHBOURS_S: Final = 60.0
"""How often others are greeted, and those on the same queues looked for."""
REPLIES_S: Final = 1.0
GREETING_S: Final = 3.0
"""For answers to the first greeting, which brings revokes that came while no door ran."""
IDS_MAX: Final = 1000
"""Ids in one command; a longer list is not of our senders."""


class Panel:
    """What this door answers to Celery's remote control."""

    def __init__(
        self,
        settings: CelerySettings,
        hostname: str,
        *,
        on_revoked: Callable[[Sequence[str]], None],
        revoked: Callable[[], Sequence[str]],
        active: Callable[[], Sequence[dict[str, Any]]],
    ) -> None:
        """`on_revoked` and the others are called in this object's thread."""
        self.settings = settings
        self.hostname = hostname
        self.on_revoked = on_revoked
        self.revoked = revoked
        self.active = active
        self.processed = 0
        self.begun_s = time.time()

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return the commands by name; an unknown one is answered with an error."""
        return {
            "ping": lambda _, **__: {"ok": "pong"},
            "hello": self._hello,
            "revoke": self._revoke,
            "terminate": lambda _, signal=None, task_id=(), **__: self._revoke(_, task_id),  # noqa: ARG005
            "revoke_by_stamped_headers": lambda _, **__: {"error": "not taken: revoke by task id"},
            "active": lambda _, **__: list(self.active()),
            "reserved": lambda _, **__: [],
            "scheduled": lambda _, **__: [],
            "revoked": lambda _, **__: list(self.revoked()),
            "registered": lambda _, **__: [self.settings.task],
            "active_queues": self._queues,
            "stats": self._stats,
            "conf": lambda _, **__: {"task_default_queue": self.settings.queues[0]},
            "report": lambda _, **__: {"ok": "gather-bridge celery"},
            "clock": lambda app, **__: {"clock": app.clock.value},
            "query_task": self._query,
            "enable_events": lambda _, **__: {"ok": "task events already enabled"},
            "heartbeat": lambda _, **__: None,
        }

    def heartbeat(self) -> dict[str, Any]:
        """Return the fields of a worker's heartbeat."""
        return {
            "freq": HEARTBEAT_S,
            "active": len(self.active()),
            "processed": self.processed,
            "loadavg": load_average(),
            **SOFTWARE_INFO,
        }

    def _hello(
        self, app: Any, from_node: str = "", revoked: object = None, **_: Any
    ) -> dict[str, Any] | None:
        if from_node == self.hostname:
            return None
        self.take_revoked(revoked)
        return {"revoked": list(self.revoked()), "clock": app.clock.forward()}

    def take_revoked(self, ids: object) -> None:
        """Take what another worker remembers: a list, of older versions an object by id."""
        known = list(ids) if isinstance(ids, list | dict) else []
        self.on_revoked(list(filter(is_id, known)))

    def _revoke(self, _: Any, task_id: object = (), **__: Any) -> dict[str, str]:
        given = [task_id] if isinstance(task_id, str) else task_id
        ids = list(filter(is_id, given)) if isinstance(given, list | tuple) else []
        if len(ids) > IDS_MAX:
            return {"error": f"more than {IDS_MAX} ids"}
        self.on_revoked(ids)
        return {"ok": f"tasks {', '.join(ids)} flagged as revoked"}

    def _query(self, _: Any, ids: object = (), **__: Any) -> dict[str, Any]:
        wanted = [ids] if isinstance(ids, str) else ids
        known = {each["id"]: each for each in self.active()}
        return {i: ("active", known[i]) for i in wanted if i in known} if isinstance(wanted, list) else {}

    def _queues(self, _: Any, **__: Any) -> list[dict[str, Any]]:
        untyped: Any = kombu
        return [
            dict(untyped.Queue(name, untyped.Exchange(name), routing_key=name).as_dict(recurse=True))
            for name in self.settings.queues
        ]

    def _stats(self, app: Any, **_: Any) -> dict[str, Any]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "total": {self.settings.task: self.processed},
            "pid": os.getpid(),
            "clock": str(app.clock.value),
            "uptime": round(time.time() - self.begun_s),
            "pool": {
                "implementation": "GatherRuns",
                "max-concurrency": self.settings.runs_max,
                "processes": [],
            },
            "prefetch_count": 0,
            "broker": {"transport": "redis", "hostname": "", "virtual_host": ""},
            "rusage": {"utime": usage.ru_utime, "stime": usage.ru_stime, "maxrss": usage.ru_maxrss},
        }


class RemoteControl:
    """The thread that listens, and looks for neighbours that would drop our tasks."""

    def __init__(self, panel: Panel, on_droppers: Callable[[Sequence[str]], None]) -> None:
        """`on_droppers` gets the workers on our queues that do not know the task."""
        self._panel = panel
        self._on_droppers = on_droppers
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="remote-control", daemon=True)
        self.is_listening = threading.Event()
        self._events: Any = None
        self._events_lock = threading.Lock()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; returns once the thread has ended, or after some seconds."""
        self._ended.set()
        self._thread.join(2 * DRAIN_S + GREETING_S + 2 * REPLIES_S)

    def send_event(self, kind: str, **fields: Any) -> None:
        """Send an event as a worker does, if anybody can be reached; events are for looking on."""
        with self._events_lock:
            if self._events is None:
                return
            try:
                self._events.send(kind, **fields)
            except Exception as error:  # noqa: BLE001 - kombu has many; nothing depends on events
                logger.debug("an event was not sent", extra={"error": str(error)})

    def _run(self) -> None:
        wait_s = AGAIN_S[0]
        while not self._ended.is_set():
            begun_s = time.monotonic()
            try:
                self._listen()
            except Exception as error:  # noqa: BLE001 - a thread that ends would be noticed by nobody
                logger.warning("Celery's remote control is not heard", extra={"error": str(error)[:300]})
            self.is_listening.clear()
            with self._events_lock:
                self._events = None
            wait_s = AGAIN_S[0] if time.monotonic() - begun_s > AGAIN_S[1] else min(2 * wait_s, AGAIN_S[1])
            self._ended.wait(wait_s)

    def _listen(self) -> None:
        app = open_app(self._panel.settings)
        with app, app.connection_for_read() as connection, app.connection_for_write() as writing:
            node = app.control.mailbox(connection).Node(
                self._panel.hostname, state=app, handlers=_Handlers(self._panel.handlers())
            )
            node.channel = connection.channel()
            node.listen()
            events = app.events.Dispatcher(writing, hostname=self._panel.hostname, buffer_while_offline=False)
            with self._events_lock:
                self._events = events
            self.send_event("worker-online", **self._panel.heartbeat())
            self._drain(connection, 0.2)  # the subscription stands before others are asked
            self.is_listening.set()
            self._serve(app, connection)
            self.send_event("worker-offline", **self._panel.heartbeat())

    def _serve(self, app: Any, connection: Any) -> None:
        beat_s = looked_s = 0.0
        while not self._ended.is_set():
            self._drain(connection, DRAIN_S)
            now_s = time.monotonic()
            if now_s - beat_s >= HEARTBEAT_S:
                beat_s = now_s
                self.send_event("worker-heartbeat", **self._panel.heartbeat())
            if now_s - looked_s >= NEIGHBOURS_S:
                self._greet(app, REPLIES_S if looked_s else GREETING_S)
                looked_s = now_s
                self._on_droppers(self._droppers(app))

    @staticmethod
    def _drain(connection: Any, timeout_s: float) -> None:
        try:
            connection.drain_events(timeout=timeout_s)
        except TimeoutError:
            return

    def _greet(self, app: Any, timeout_s: float) -> None:
        """Ask the other workers which ids they remember as revoked."""
        own = list(self._panel.revoked())
        replies = app.control.inspect(timeout=timeout_s).hello(self._panel.hostname, own) or {}
        for node, reply in replies.items():
            if node != self._panel.hostname and isinstance(reply, dict):
                self._panel.take_revoked(reply.get("revoked"))

    def _droppers(self, app: Any) -> list[str]:
        inspect = app.control.inspect(timeout=REPLIES_S)
        consumed, known = inspect.active_queues() or {}, inspect.registered() or {}
        return [
            node
            for node, queues in consumed.items()
            if any(queue.get("name") in self._panel.settings.queues for queue in queues or ())
            and not any(str(task).split()[0] == self._panel.settings.task for task in known.get(node) or ())
        ]


class _Handlers(dict[str, Callable[..., Any]]):
    """Answers what it does not know, instead of raising with a traceback."""

    def __missing__(self, name: str) -> Callable[..., Any]:
        return lambda _, **__: {"error": f"not taken: {name[:64]}"}
