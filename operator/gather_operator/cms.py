"""The CMS (Payload), asked once at the start of a run which departments take part."""

import asyncio
import json
import logging
from typing import Any, Final

import httpx
from pydantic import ValidationError

from gather_clients.backoff import Backoff
from gather_clients.bodies import ACCEPT_ENCODING, BodyTooLong, read_body
from gather_contracts.departments import CmsDepartment
from gather_operator.decisions.facts import CmsReading
from gather_operator.errors import CmsUnavailable
from gather_operator.metrics import CMS_READS

logger = logging.getLogger(__name__)

PAGE_SIZE: Final = 100
PAGES_MAX: Final = 20
"""2,000 departments; a run can use 32."""
PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
ATTEMPTS: Final = 3
BACKOFF: Final = Backoff(0.3, 1.2)
"""Between attempts; a longer absence is waited out by the run, not here."""
MALFORMED_MAX: Final = 8
"""Malformed documents that are named one by one."""
UNTICKED: Final = {"gatherCheck": False, "isActive": False}
"""A box that was never ticked is null: it is not ticked."""


class Cms:
    """Reads departments over HTTP.

    Args:
        app_url: the application's address, without path.
        api_key: sent as `Authorization: users API-Key <key>`, Payload's form, if given.
        timeout_s: for one whole reading, all pages and attempts included.
        transport: replaces the network, for tests.
    """

    def __init__(
        self,
        app_url: str,
        api_key: str | None,
        timeout_s: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            base_url=app_url.rstrip("/"),
            headers={**ACCEPT_ENCODING, **({"Authorization": f"users API-Key {api_key}"} if api_key else {})},
            timeout=httpx.Timeout(timeout_s / 2),
            transport=transport,
        )

    async def departments(self) -> CmsReading:
        """Return the departments that take part in gathering; raises CmsUnavailable."""
        try:
            async with asyncio.timeout(self._timeout_s):
                documents = await self._documents()
        except TimeoutError as error:
            CMS_READS.labels(result="error").inc()
            raise CmsUnavailable(f"The CMS did not answer within {self._timeout_s:g} s.") from error
        except CmsUnavailable:
            CMS_READS.labels(result="error").inc()
            raise
        CMS_READS.labels(result="ok").inc()
        return read_documents(documents)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _documents(self) -> list[Any]:
        documents: list[Any] = []
        page = 1
        for _ in range(PAGES_MAX):
            body = await self._page_with_retries(page)
            documents.extend(body["docs"])
            following = body.get("nextPage")
            if not body.get("hasNextPage") or not isinstance(following, int) or following <= page:
                break
            page = following
        return documents

    async def _page_with_retries(self, page: int) -> dict[str, Any]:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._page(page)
            except (httpx.RequestError, _TryAgain) as error:
                if attempt == ATTEMPTS:
                    raise CmsUnavailable(f"The CMS did not answer: {_short(error)}.") from error
                logger.info("the CMS did not answer", extra={"attempt": attempt, "error": _short(error)})
                await asyncio.sleep(BACKOFF.wait_s(attempt))
        raise AssertionError("unreachable")

    async def _page(self, page: int) -> dict[str, Any]:
        parameters: dict[str, str | int] = {
            "where[gatherCheck][equals]": "true",
            "where[isActive][equals]": "true",
            "sort": "codeDepNumber",
            "limit": PAGE_SIZE,
            "page": page,
            "depth": 0,
        }
        async with self._client.stream("GET", "/api/departments", params=parameters) as response:
            if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
                raise _TryAgain(f"HTTP {response.status_code}")
            if response.status_code != httpx.codes.OK:
                raise CmsUnavailable(f"The CMS answered HTTP {response.status_code}.")
            try:
                body = await read_body(response, PAGE_BYTES_MAX)
            except BodyTooLong as error:
                raise CmsUnavailable(f"The CMS answered with more than {PAGE_BYTES_MAX} bytes.") from error
        try:
            parsed = json.loads(body)
        except ValueError as error:
            raise CmsUnavailable("The CMS did not answer with JSON.") from error
        if not isinstance(parsed, dict) or not isinstance(parsed.get("docs"), list):
            raise CmsUnavailable("The CMS answered without a list of documents.")
        return parsed


class _TryAgain(Exception):  # noqa: N818 - never leaves this module
    """The CMS asks for another attempt."""


def read_documents(documents: list[Any]) -> CmsReading:
    """Return the departments in Payload documents; one that cannot be read is named, not fatal.

    The CMS's own filter is checked again: a department that nobody ticked must not cost money.
    """
    departments: list[CmsDepartment] = []
    malformed: list[str] = []
    for place, document in enumerate(documents, start=1):
        filled = {**UNTICKED, **_without_nulls(document)} if isinstance(document, dict) else document
        try:
            departments.append(CmsDepartment.model_validate(filled))
        except ValidationError as error:
            field = ".".join(str(part) for part in error.errors()[0]["loc"]) or "document"
            malformed.append(f"{_name_of(document, place)} ({field})")
    taking_part = tuple(d for d in departments if d.gather_check and d.is_active)
    rest = len(malformed) - MALFORMED_MAX
    return CmsReading(taking_part, (*malformed[:MALFORMED_MAX], *((f"{rest} more",) if rest > 0 else ())))


def _without_nulls(document: Any) -> Any:
    """Payload writes null for a field that was never filled."""
    if not isinstance(document, dict):
        return document
    return {key: _without_nulls(value) for key, value in document.items() if value is not None}


def _name_of(document: Any, place: int) -> str:
    for key in ("slug", "name", "id"):
        value = document.get(key) if isinstance(document, dict) else None
        if isinstance(value, str | int):
            return str(value)[:40]
    return f"document {place}"


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:120]
