"""Cancels a run through the HTTP door, inside the cluster: this process has no token for Kubernetes."""

from enum import StrEnum
from typing import Final
from urllib.parse import quote

import httpx

from gather_clients.configuration import secret_now
from gather_clients.http_calls.tls import tls_for

TIMEOUT_S: Final = 10.0


class Outcome(StrEnum):
    """What came of it."""

    ACCEPTED = "accepted"
    ENDED = "ended"
    """The run had ended by then."""
    UNKNOWN = "unknown"
    """The door knows no such run."""
    REFUSED = "refused"
    """The door does not take the page's key."""
    UNAVAILABLE = "unavailable"


class DoorClient:
    """Calls the door."""

    def __init__(self, url: str, key: str, namespace: str | None) -> None:
        """`url` is scheme, host and port; `namespace` None: all runs that are shown are the door's."""
        self._url = url
        self._key = key
        self._namespace = namespace

    def reaches(self, namespace: str) -> bool:
        """Return whether runs of that namespace are the door's: it knows them by name alone."""
        return self._namespace in {None, namespace}

    async def cancel(self, run: str, project_id: str) -> Outcome:
        """Ask the door to cancel a project's run by its name; twice is no error.

        The page shows runs that have gone, and the name of one may be another project's by now, which the
        page's own key opens too.
        """
        address = f"{self._url}/api/v1/tasks/{quote(run, safe='')}"
        headers = {"X-API-Key": secret_now("GATHER_BRIDGE_DOOR_KEY", self._key)}
        try:
            async with httpx.AsyncClient(
                timeout=TIMEOUT_S, headers=headers, verify=tls_for(httpx.URL(address)), trust_env=False
            ) as client:
                answer = await client.get(f"{address}/status")
                if answer.is_success:
                    if str(answer.json()["project_id"]).lower() != project_id.lower():
                        return Outcome.UNKNOWN
                    answer = await client.delete(f"{address}/cancel")
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return Outcome.UNAVAILABLE
        if answer.is_success:
            return Outcome.ACCEPTED
        by_status = {404: Outcome.UNKNOWN, 409: Outcome.ENDED, 401: Outcome.REFUSED, 403: Outcome.REFUSED}
        return by_status.get(answer.status_code, Outcome.UNAVAILABLE)
