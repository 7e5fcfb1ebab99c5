"""Asks the brain now and then whether it is ready, once for all runs; nobody waits for it."""

import asyncio
import json
import logging
from typing import Final

import httpx

from gather_clients.bodies import read_body
from gather_clients.http_calls.ways import way_to
from gather_operator.decisions.facts import BrainFacts

logger = logging.getLogger(__name__)

INTERVAL_S: Final = 15.0
TIMEOUT_S: Final = 3.0
BODY_MAX_BYTES: Final = 16 * 1024
REASON_MAX: Final = 120
FAILURES_MIN: Final = 2
"""In a row, before the brain is called unavailable: one is a restart of a pod behind its Service."""


def reason_of(body: bytes) -> str:
    """Return what must be done, in the brain's own words; "" where it does not say."""
    try:
        said = json.loads(body)["reason"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return "".join(filter(str.isprintable, said))[:REASON_MAX] if isinstance(said, str) else ""


class BrainProbe:
    """The last answers of the brain's /readyz."""

    def __init__(self, url: str, interval_s: float = INTERVAL_S) -> None:
        """`url` as workers have it in BRAIN_SERVICE_BASE_URL; "" asks nobody and knows nothing."""
        self._url = url.rstrip("/")
        self._interval_s = interval_s
        self._failures = 0
        self.facts: BrainFacts | None = None
        """None until something is known."""

    async def run(self) -> None:
        """Ask until cancelled; whatever goes wrong is an answer."""
        if not self._url:
            return
        async with httpx.AsyncClient(
            timeout=TIMEOUT_S, follow_redirects=False, **way_to(self._url)
        ) as client:
            while True:
                self._note(await self._ask(client))
                await asyncio.sleep(self._interval_s)

    async def _ask(self, client: httpx.AsyncClient) -> str:
        """Return why the brain is not ready, "" if it is."""
        try:
            async with asyncio.timeout(TIMEOUT_S), client.stream("GET", f"{self._url}/readyz") as answer:
                if answer.is_success:
                    return ""
                said = reason_of(await read_body(answer, BODY_MAX_BYTES))
                return said or f"/readyz answers {answer.status_code}"
        except Exception as error:  # noqa: BLE001 - nothing optional is fatal
            return type(error).__name__

    def _note(self, failure: str) -> None:
        self._failures = self._failures + 1 if failure else 0
        if 0 < self._failures < FAILURES_MIN:
            return
        facts = BrainFacts(is_available=not failure, why=failure)
        if facts != self.facts:
            logger.info(
                "the brain is %s", "available" if not failure else "unavailable", extra={"why": failure}
            )
        self.facts = facts
