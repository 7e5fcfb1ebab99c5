"""The bridge's parts, put together, and the tasks that run as long as it does."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from gather_bridge.access.gate import Gate
from gather_bridge.access.permits import Access
from gather_bridge.access.proxy_users import ProxyUsers
from gather_bridge.access.sessions import Sessions
from gather_bridge.access.tickets import Tickets
from gather_bridge.access.token_store import TokenStore
from gather_bridge.exports.notes_source import open_notes
from gather_bridge.listeners import Listeners
from gather_bridge.live.follower import Follower, Limits
from gather_bridge.live.hub import Hub
from gather_bridge.live.pages import Pages
from gather_bridge.live.reader import Reader
from gather_bridge.metrics import Metrics
from gather_bridge.page.cancelling import DoorClient
from gather_bridge.page.page_routes import PageParts
from gather_bridge.page.rendering import Rendering
from gather_bridge.settings import Settings
from gather_bridge.snapshots.folded_logs import FoldedLogs
from gather_bridge.snapshots.run_snapshots import RunSnapshots
from gather_bridge.webhooks.delivery import Dispatcher
from gather_bridge.webhooks.lease import Lease
from gather_bridge.webhooks.outbox_runs import OutboxRuns
from gather_bridge.webhooks.registered_runs import RegisteredRuns
from gather_bridge.webhooks.registrations import Registrations
from gather_bridge.webhooks.signing_keys import SigningKeys
from gather_bridge.webhooks.sources import Source
from gather_bridge.webhooks.task_callbacks import TaskCallbacks
from gather_bridge.webhooks.webhook_client import WebhookClient
from gather_clients.background_tasks import ProcessTasks
from gather_clients.event_log import EventLog
from gather_clients.outbox.outbox_settings import open_outbox
from gather_clients.snapshots.opening import open_snapshots
from gather_clients.snapshots.redis_snapshots import RedisSnapshots

logger = logging.getLogger(__name__)

CLOSE_S: Final = 5.0
"""For a database's connections, at the process's end."""


class Bridge:
    """Everything that one process needs."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigurationError, also if nobody could connect."""
        self.settings = settings
        self.tokens = TokenStore(settings.redis, settings.redis_timeout_s)
        users = _proxy_users(settings)
        self.sessions = Sessions(settings.redis, settings.redis_timeout_s)
        self.access = Access(
            settings.tokens_file,
            users=users,
            sessions=self.sessions if settings.has_page else None,
            allow_anonymous=settings.allow_anonymous,
            store=self.tokens,
            is_file_needed="tokens_file" in settings.model_fields_set,
        )
        self.tickets = Tickets(settings.redis, settings.redis_timeout_s)
        self.gate = Gate(
            self.access,
            self.tickets,
            settings.allowed_origins,
            sessions=self.sessions if settings.has_page else None,
            users=users,
        )
        self.metrics = Metrics()
        self.log = EventLog(
            settings.redis, settings.redis_timeout_s, self.metrics.foreign.inc, is_compared=True
        )
        self.pages = Pages(self.log)
        self.snapshots_in_redis = RedisSnapshots(settings.redis, settings.redis_timeout_s)
        self.databases = open_snapshots(settings.mongodb_uri, settings.mongodb_timeout_s)
        self.snapshots = RunSnapshots(
            FoldedLogs(self.log, self.pages), self.snapshots_in_redis, self.databases
        )
        self.page = self._page() if settings.has_page else None
        self.notes = open_notes(
            settings.mongodb_uri, settings.mongodb_timeout_s, settings.exports_max, self.metrics
        )
        self.hub = Hub(self.log, self.metrics)
        self.listeners = Listeners(self.metrics, settings.max_sockets, settings.max_sockets_per_address)
        self.registrations = Registrations(settings.redis, settings.redis_timeout_s)
        self.outbox = open_outbox(settings)
        sender = WebhookClient(
            SigningKeys(settings.webhook_secret.get_secret_value(), settings.webhook_secrets_file),
            settings.webhook_timeout_s,
            settings.webhook_allowed_networks,
            settings.webhook_ca_file,
        )
        registered = RegisteredRuns(
            self.log, self.registrations, self.metrics, lambda: self.reader.subscriptions
        )
        self.callbacks = TaskCallbacks(settings.redis, settings.redis_timeout_s)
        sources: list[Source] = [registered, self.callbacks]
        self.dispatcher = Dispatcher(
            sources if self.outbox is None else [*sources, OutboxRuns(self.outbox)],
            Lease(self.registrations if self.outbox is None else self.outbox),
            sender,
            metrics=self.metrics,
            retry_base_s=settings.webhook_retry_base_s,
        )
        self.reader = Reader(self.log, self.hub, self.metrics, [self.dispatcher.heard])
        self.limits = Limits(settings.replay_limit, settings.heartbeat_interval_s, settings.send_timeout_s)
        self._tasks = ProcessTasks()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the tasks until the block ends."""
        works = {
            "reader": self.reader.run(),
            "check": self.reader.check(),
            "access": self.access.watch(),
            "webhooks": self.dispatcher.run(),
        }
        self._tasks.start(works)
        try:
            yield
        finally:
            await self._tasks.end()
            if self.outbox is not None:
                await self.outbox.close()
            for store in (
                self.registrations,
                self.callbacks,
                self.tokens,
                self.tickets,
                self.sessions,
                self.snapshots_in_redis,
            ):
                await store.close()
            for database in (self.databases, self.notes):
                if database is not None:
                    # The driver tells the server that its sessions end, and waits for tasks of its own.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(CLOSE_S):
                            await database.close()
            await self.log.close()

    def _page(self) -> PageParts:
        settings = self.settings
        door = None
        if settings.door_url and settings.door_key:
            door = DoorClient(
                settings.door_url, settings.door_key.get_secret_value(), settings.door_namespace
            )
        return PageParts(
            gate=self.gate,
            access=self.access,
            sessions=self.sessions,
            snapshots=self.snapshots,
            metrics=self.metrics,
            rendering=Rendering(settings.page_dir or Path()),
            door=door,
            has_exports=self.databases is not None,
        )

    def new_follower(self) -> Follower:
        """Return what leads one client along its project's events."""
        return Follower(
            self.hub,
            self.pages,
            metrics=self.metrics,
            limits=self.limits,
            is_live=lambda: self.reader.is_live,
        )

    def trouble(self) -> str | None:
        """Return which task has ended although none should, or None."""
        return self._tasks.trouble()

    def waits_for(self) -> str | None:
        """Return why no client should come now, or None: Redis takes no writes, or the process ends."""
        if self.listeners.is_draining:
            return "ending"
        return None if self.reader.is_live else f"waiting for Redis: {self.reader.trouble}"


def _proxy_users(settings: Settings) -> ProxyUsers | None:
    if settings.page_user_header is None or not settings.has_page:
        return None
    return ProxyUsers(settings.page_user_header, settings.page_users_file, settings.trusted_proxies)
