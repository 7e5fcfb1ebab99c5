"""Clients of the bridge, one for each project, that come back with their last id whenever a stream ends."""

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

AGAIN_S: Final = 1.0
SILENCE_S: Final = 45.0
"""Three heartbeats."""


@dataclass
class Listener:
    """Follows one project from its first event on."""

    bridge_uri: str
    project_id: str
    events: list[dict[str, Any]] = field(default_factory=list)
    reloads: int = 0
    """How often it was told that what it has is not all there was."""
    connections: int = 0
    _last_id: str = ""
    _is_over: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Follow on a thread of its own."""
        threading.Thread(target=self._follow, daemon=True).start()

    def stop(self) -> None:
        """Let it go at the next line or heartbeat."""
        self._is_over.set()

    def places(self) -> list[tuple[str, int]]:
        """Return epoch and offset of what arrived, in its order."""
        return [(event["epoch"], event["offset"]) for event in list(self.events)]

    def _follow(self) -> None:
        address = f"{self.bridge_uri}/api/v1/projects/{self.project_id}/events/stream"
        timeout = httpx.Timeout(10, read=SILENCE_S)
        while not self._is_over.is_set():
            headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
            query = {} if self._last_id else {"offset": "0"}
            try:
                with httpx.stream("GET", address, params=query, headers=headers, timeout=timeout) as answer:
                    answer.raise_for_status()
                    self.connections += 1
                    self._read(answer)
            except httpx.HTTPError:
                pass
            time.sleep(AGAIN_S)

    def _read(self, answer: httpx.Response) -> None:
        body = ""
        for line in answer.iter_lines():
            if self._is_over.is_set():
                return
            if line.startswith("id: "):
                self._last_id = line[4:]
            elif line.startswith("data: "):
                body = line[6:]
            elif not line and body:
                self._take(json.loads(body))
                body = ""

    def _take(self, said: dict[str, Any]) -> None:
        if said.get("type") == "hello":
            # The first one has nothing to go on from.
            self.reloads += said.get("recovered") is False and bool(self.events)
        elif "offset" in said and "run" in said:
            self.events.append(said)
