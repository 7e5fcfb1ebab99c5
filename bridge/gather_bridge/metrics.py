"""The bridge's Prometheus metrics. Labels are words from closed lists, never names of projects."""

from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

from gather_bridge.errors import RefusedWord
from gather_bridge.live.frames import CloseCode
from gather_bridge.live.replay import ReloadReason
from gather_clients.web.metric_series import begin_at_zero

WHY_DROPPED: Final = ("crowded", "late")
"""Of connections: one too many, or without a request in time."""
CLIENT: Final = "client"
"""Of sockets and streams: their client ended them."""
DELIVERY_RESULTS: Final = ("delivered", "failed", "refused", "given_up", "lost")
"""Of webhook calls, and of what was never called."""


class Metrics:
    """One set of metrics with a registry of its own, so that two bridges in one process share nothing."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.sockets = Gauge("gather_bridge_sockets", "Open WebSockets.", registry=self.registry)
        self.refused = Counter(
            "gather_bridge_handshakes_refused", "Refused handshakes.", ["error"], registry=self.registry
        )
        self.dropped = Counter(
            "gather_bridge_connections_dropped",
            "Connections without a request in time, or one too many of them.",
            ["why"],
            registry=self.registry,
        )
        self.closed = Counter(
            "gather_bridge_sockets_closed", "WebSockets that ended.", ["why"], registry=self.registry
        )
        self.frames = Counter("gather_bridge_frames_sent", "Frames sent.", registry=self.registry)
        self.replays = Counter(
            "gather_bridge_replays", "Greetings, by what came of them.", ["result"], registry=self.registry
        )
        self.resets = Counter(
            "gather_bridge_resets", "Feeds told to reload.", ["reason"], registry=self.registry
        )
        self.events = Counter("gather_bridge_events", "Events read from Redis.", registry=self.registry)
        self.foreign = Counter(
            "gather_bridge_foreign_events",
            "Messages and log entries that are no events, passed over.",
            registry=self.registry,
        )
        self.page_requests = Counter(
            "gather_bridge_page_requests",
            "Answers to browsers.",
            ["page", "status"],
            registry=self.registry,
        )
        self.sign_ins = Counter(
            "gather_bridge_page_sign_ins",
            "Tokens and tickets exchanged for a session, or refused.",
            ["how", "result"],
            registry=self.registry,
        )
        self.page_cancels = Counter(
            "gather_bridge_page_cancels", "Runs cancelled on the page.", ["result"], registry=self.registry
        )
        self.event_log_up = Gauge(
            "gather_bridge_event_log_up", "1 while events are heard live.", registry=self.registry
        )
        self.note_pages = Counter(
            "gather_bridge_note_pages", "Pages of notes that were sent.", registry=self.registry
        )
        self.exports = Counter(
            "gather_bridge_exports",
            "Exports of notes, by what became of them.",
            ["format", "result"],
            registry=self.registry,
        )
        self.webhooks = Gauge(
            "gather_bridge_webhooks",
            "Runs with events that their webhook does not have yet.",
            registry=self.registry,
        )
        self.delivers_webhooks = Gauge(
            "gather_bridge_delivers_webhooks",
            "1 in the process that delivers webhooks.",
            registry=self.registry,
        )
        self.deliveries = Counter(
            "gather_bridge_webhook_deliveries", "Webhook calls.", ["result"], registry=self.registry
        )
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Show what this process counts in any case; what only some do begins with who counts it."""
        begin_at_zero(self.refused, error=get_args(RefusedWord))
        begin_at_zero(self.dropped, why=WHY_DROPPED)
        begin_at_zero(self.closed, why=[CLIENT, *(code.name.lower() for code in CloseCode)])
        begin_at_zero(self.replays, result=["live", "recovered", *ReloadReason])
        begin_at_zero(self.resets, reason=ReloadReason)
        begin_at_zero(self.deliveries, result=DELIVERY_RESULTS)
