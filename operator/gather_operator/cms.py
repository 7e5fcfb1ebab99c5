"""The CMS (Payload), asked once at the start of a run which departments take part."""

import asyncio
import json
import logging
import re
from dataclasses import replace
from typing import Any, Final

import httpx
from pydantic import ValidationError

from gather_clients.backoff import Backoff
from gather_clients.bodies import ACCEPT_ENCODING, BodyTooLong, read_body
from gather_clients.cms_requests import DEPARTMENTS_PATH, PAGE_BYTES_MAX, CmsForm
from gather_contracts.departments import CmsDepartment
from gather_operator.decisions.facts import CmsReading
from gather_operator.errors import CmsUnavailable
from gather_operator.metrics import CMS_READS

logger = logging.getLogger(__name__)

PAGES_MAX: Final = 20
"""2,000 departments of 100 a page; a run can use 32."""
REFUSAL_BYTES_MAX: Final = 4096
"""Of an answer that says why it is none."""
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
        api_key: sent in the header `Authorization`, if given.
        timeout_s: for one whole reading, all pages and attempts included.
        form: how the CMS wants to be asked.
        transport: replaces the network, for tests.
    """

    def __init__(
        self,
        app_url: str,
        api_key: str | None,
        timeout_s: float,
        form: CmsForm | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._api_key = api_key
        self._form = form or CmsForm()
        self._client = httpx.AsyncClient(
            base_url=app_url.rstrip("/"),
            headers={**ACCEPT_ENCODING, **self._form.headers(api_key)},
            timeout=httpx.Timeout(timeout_s / 2),
            transport=transport,
        )

    async def departments(self) -> CmsReading:
        """Return the departments that take part in gathering; raises CmsUnavailable."""
        try:
            async with asyncio.timeout(self._timeout_s):
                documents, is_cut = await self._documents()
        except TimeoutError as error:
            CMS_READS.labels(result="error").inc()
            raise CmsUnavailable(f"The CMS did not answer within {self._timeout_s:g} s.") from error
        except CmsUnavailable:
            CMS_READS.labels(result="error").inc()
            raise
        CMS_READS.labels(result="ok").inc()
        return replace(read_documents(documents), is_cut=is_cut)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _documents(self) -> tuple[list[Any], bool]:
        """Return the documents, and whether there may be more that were not read."""
        documents: list[Any] = []
        page = 1
        for _ in range(PAGES_MAX):
            body = await self._page_with_retries(page)
            documents.extend(body["docs"])
            following = _page_after(page, body)
            # Without paging Payload counts nothing: a full answer may be all there is or not.
            is_full = not self._form.is_paged and len(documents) >= self._form.limit
            if following is None and not is_full:
                return documents, False
            if following is None or not self._form.is_paged:
                break
            page = following
        logger.warning("the CMS may have more departments than were read", extra={"read": len(documents)})
        return documents, True

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
        async with self._client.stream("GET", DEPARTMENTS_PATH, params=self._form.query(page)) as response:
            if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
                raise _TryAgain(f"HTTP {response.status_code}")
            if response.status_code != httpx.codes.OK:
                raise CmsUnavailable(await self._refusal(response))
            try:
                body = await read_body(response, PAGE_BYTES_MAX)
            except BodyTooLong as error:
                raise CmsUnavailable(f"The CMS answered with more than {PAGE_BYTES_MAX} bytes.") from error
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise CmsUnavailable("The CMS did not answer with JSON.") from error
        if not isinstance(parsed, dict) or not isinstance(parsed.get("docs"), list):
            raise CmsUnavailable("The CMS answered without a list of documents.")
        return parsed

    async def _refusal(self, response: httpx.Response) -> str:
        """Return what the CMS refused, in its own words if it has any, and what helps."""
        try:
            message = str(json.loads(await read_body(response, REFUSAL_BYTES_MAX))["errors"][0]["message"])
        except (BodyTooLong, httpx.DecodingError, ValueError, RecursionError, LookupError, TypeError):
            message = ""
        if self._api_key and self._api_key in message:
            message = ""
        printable = "".join(c if c.isprintable() else " " for c in message[:REFUSAL_BYTES_MAX])
        words = " ".join(printable.split())[:120].rstrip(".")
        said = f"The CMS answered HTTP {response.status_code}{f' ({words})' if words else ''}."
        if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            return f"{said} Check PAYLOAD_API_KEY and GATHER_CMS_AUTHORIZATION."
        return said


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


def _page_after(page: int, body: dict[str, Any]) -> int | None:
    """Return the page that follows, or None after the last.

    A wrong `nextPage` must not lead in a circle. Where `hasNextPage` is missing, `totalPages` says it.
    """
    following, pages = body.get("nextPage"), body.get("totalPages")
    has_next = body.get("hasNextPage", isinstance(pages, int) and page < pages)
    if not has_next:
        return None
    number = _digits(following) if following is not None else page + 1
    return number if number is not None and number > page else None


def _digits(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value):
        return int(value)
    return value if isinstance(value, int) else None


def _without_nulls(document: dict[str, Any]) -> dict[str, Any]:
    """Payload writes null for a field that was never filled, in a document and in its groups."""
    groups = {
        key: {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        for key, value in document.items()
    }
    return {key: value for key, value in groups.items() if value is not None}


def _name_of(document: Any, place: int) -> str:
    for key in ("slug", "name", "id"):
        value = document.get(key) if isinstance(document, dict) else None
        if isinstance(value, str | int):
            return str(value)[:40]
    return f"document {place}"


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:120]
