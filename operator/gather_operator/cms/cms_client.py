"""The CMS (Payload), asked which departments take part."""

import asyncio
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx

from gather_clients.backoff import Backoff
from gather_clients.bodies import ACCEPT_ENCODING, BodyTooLong, read_body
from gather_clients.cms_requests import DEPARTMENTS_PATH, PAGE_BYTES_MAX, CmsForm
from gather_clients.http_calls.ways import way_to
from gather_clients.retry_after import retry_after_s
from gather_operator.cms.cms_documents import count_of, has_next_page, identity, read_documents, shown
from gather_operator.decisions.facts import CmsReading
from gather_operator.errors import CmsUnavailable
from gather_operator.metrics import CMS_READS

logger = logging.getLogger(__name__)

ONE_PAGE_LIMIT: Final = 1000
"""Documents asked for at once where pages did not bring all; as the application's client asks."""
PAGES_MAX: Final = 20
DOCUMENTS_MAX: Final = 2000
"""Documents of one reading that are looked at; a run can use 32."""
REFUSAL_BYTES_MAX: Final = 4096
"""Of an answer that says why it is none."""
WORDS_MAX: Final = 120
DIGITS_MAX: Final = 30
"""Digits of a whole number that are read as one; Python refuses thousands of them."""
ATTEMPTS: Final = 3
BACKOFF: Final = Backoff(0.3, 1.2)
"""Between attempts; a longer absence is waited out by the run, not here."""
RETRY_AFTER_MAX_S: Final = 300.0

CHECK_KEY: Final = "Check PAYLOAD_API_KEY and GATHER_CMS_AUTHORIZATION."
CHECK_ADDRESS: Final = "NEXT_PUBLIC_APP_URL must be the address of the application with Payload's API."
CHECK_FIELDS: Final = "Its departments need the fields gatherCheck, isActive and codeDepNumber."
FIXES: Final = {400: CHECK_FIELDS, 401: CHECK_KEY, 403: CHECK_KEY, 404: CHECK_ADDRESS, 405: CHECK_ADDRESS}


@dataclass(slots=True)
class _Found:
    """The documents of one reading, each once."""

    documents: dict[str, Any] = field(default_factory=dict)
    total: int = 0
    """As many as the CMS says that there are."""
    is_cut: bool = False
    has_repeats: bool = False

    def add(self, documents: Iterable[Any]) -> bool:
        """Take a page's documents; return whether any of them is new."""
        before, seen = len(self.documents), 0
        for document in documents:
            if self.is_full:
                break
            self.documents.setdefault(identity(document, len(self.documents)), document)
            seen += 1
        self.has_repeats = self.has_repeats or len(self.documents) < before + seen
        return len(self.documents) > before

    @property
    def is_full(self) -> bool:
        """Return whether no more documents are looked at."""
        return len(self.documents) >= DOCUMENTS_MAX

    @property
    def is_doubtful(self) -> bool:
        """Return whether pages overlapped or fell short, as where documents change between two requests."""
        return self.is_cut or self.has_repeats or len(self.documents) < self.total


class Cms:
    """Reads departments over HTTP.

    Args:
        app_url: the application's address, without path.
        api_key: sent in the header `Authorization`, as its Secret has it at each request.
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
        self._form = form or CmsForm()
        self._key = self._form.held_key(api_key)
        self._path = DEPARTMENTS_PATH
        self._client = httpx.AsyncClient(
            base_url=app_url.rstrip("/"),
            headers=ACCEPT_ENCODING,
            auth=self._key,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # the key alone says who asks
            timeout=httpx.Timeout(timeout_s / 2),
            **way_to(app_url, transport),
        )

    async def departments(self) -> CmsReading:
        """Return the departments that take part in gathering.

        Raises CmsUnavailable, and nothing else whatever the CMS does.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await self._find()
            documents = list(found.documents.values())
            reading = read_documents(documents, self._form.instructions_field)
            reading = replace(reading, is_cut=found.is_cut)
        except CmsUnavailable:
            CMS_READS.labels(result="error").inc()
            raise
        except TimeoutError as error:
            CMS_READS.labels(result="error").inc()
            raise CmsUnavailable(f"The CMS did not answer within {self._timeout_s:g} s.") from error
        except Exception as error:
            # What the CMS sends must not end a pass, whatever we have not thought of.
            logger.exception("the CMS's answer could not be read")
            CMS_READS.labels(result="error").inc()
            raise CmsUnavailable(f"The CMS's answer cannot be read ({type(error).__name__}).") from error
        CMS_READS.labels(result="ok").inc()
        return reading

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    # --- pages

    async def _find(self) -> _Found:
        """Return the documents, and whether there may be more that were not read."""
        found = _Found()
        await self._read_pages(found)
        if self._form.is_paged and found.is_doubtful and not found.is_full:
            await self._read_at_once(found)
        if found.is_cut:
            read = len(found.documents)
            logger.warning("the CMS may have more departments than were read", extra={"read": read})
        return found

    async def _read_pages(self, found: _Found) -> None:
        for page in range(1, PAGES_MAX + 1):
            body = await self._page_with_retries(page, self._form.limit)
            has_new = found.add(body["docs"])
            found.total = max(found.total, count_of(body.get("totalDocs")) or 0)
            has_next = has_next_page(page, body)
            if not self._form.is_paged:
                # Without paging Payload counts nothing: a full answer may be all there is or not.
                found.is_cut = found.is_full or has_next or len(body["docs"]) >= self._form.limit
                return
            if not (has_next or found.is_full):
                return
            if found.is_full or (body["docs"] and not has_new):
                break  # the same page comes for ever
        found.is_cut = True

    async def _read_at_once(self, found: _Found) -> None:
        """Ask once more, for one page with all: between pages documents can move, come and go.

        Payload sorts documents of the same `codeDepNumber` anew for each page.
        """
        logger.info("the CMS's pages overlap or fall short; asking for all at once")
        try:
            body = await self._page_with_retries(1, max(self._form.limit, ONE_PAGE_LIMIT))
        except CmsUnavailable as error:
            logger.warning("the CMS refuses to give all at once", extra={"error": str(error)})
            found.is_cut = True
            return
        found.add(body["docs"])
        found.is_cut = found.is_full or has_next_page(1, body) or len(found.documents) < found.total

    # --- one page

    async def _page_with_retries(self, page: int, limit: int) -> dict[str, Any]:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._page(page, limit)
            except (httpx.RequestError, httpx.InvalidURL, _TryAgain) as error:
                said = str(error) if isinstance(error, _TryAgain) else self._trouble(error)
                if attempt == ATTEMPTS:
                    raise CmsUnavailable(said) from error
                logger.info("the CMS did not answer", extra={"attempt": attempt, "error": said})
                await asyncio.sleep(BACKOFF.wait_s(attempt))
        raise AssertionError("unreachable")

    async def _page(self, page: int, limit: int) -> dict[str, Any]:
        query = replace(self._form, limit=limit).query(page)
        async with self._client.stream("GET", self._path, params=query) as response:
            if response.is_redirect:
                self._follow_or_refuse(response)
            if response.status_code != httpx.codes.OK:
                await self._refuse(response)
            try:
                body = await read_body(response, PAGE_BYTES_MAX)
            except BodyTooLong as error:
                why = f"The CMS answered with more than {PAGE_BYTES_MAX} bytes; lower GATHER_CMS_LIMIT."
                raise CmsUnavailable(why) from error
        return self._parsed(body)

    def _parsed(self, body: bytes) -> dict[str, Any]:
        try:
            parsed = json.loads(body, parse_int=_whole_number)
        except (ValueError, RecursionError) as error:
            kind = "a web page" if body.lstrip()[:1] == b"<" else "something else"
            raise CmsUnavailable(f"The CMS answered with {kind} instead of JSON. {CHECK_ADDRESS}") from error
        if not isinstance(parsed, dict) or not isinstance(parsed.get("docs"), list):
            said = self._in_brackets(_message_of(parsed))
            raise CmsUnavailable(f"The CMS answered without a list of documents{said}. {CHECK_ADDRESS}")
        return parsed

    # --- answers that are none

    def _follow_or_refuse(self, response: httpx.Response) -> None:
        """Go on with the slash that an application may want at the end; other redirects end the reading.

        The key must not travel to an address that nobody has set.
        """
        asked, to = response.request.url, response.next_request.url if response.next_request else None
        if to is None:
            raise CmsUnavailable(f"The CMS answered HTTP {response.status_code}. {CHECK_ADDRESS}")
        is_here = _origin(to) == _origin(asked)
        if is_here and to.path == f"{asked.path}/" and self._path == DEPARTMENTS_PATH:
            self._path = f"{DEPARTMENTS_PATH}/"
            raise _TryAgain(f"The CMS answered HTTP {response.status_code}.")
        said = f"The CMS answered HTTP {response.status_code}, to {shown(f'{_origin(to)}{to.path}', 80)}."
        if to.path.rstrip("/") == asked.path.rstrip("/") and not is_here:
            raise CmsUnavailable(f"{said} Set NEXT_PUBLIC_APP_URL (appUrl) to {shown(_origin(to), 60)}.")
        raise CmsUnavailable(f"{said} {CHECK_KEY if is_here else CHECK_ADDRESS}")

    async def _refuse(self, response: httpx.Response) -> None:
        """Raise what the CMS refused, in its own words if it has any, and what helps."""
        code = response.status_code
        try:
            message = _message_of(json.loads(await read_body(response, REFUSAL_BYTES_MAX)))
        except (BodyTooLong, httpx.DecodingError, ValueError, RecursionError):
            message = ""
        said = f"The CMS answered HTTP {code}{self._in_brackets(message)}."
        if code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
            after_s = retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
            if after_s:
                raise CmsUnavailable(said, min(after_s, RETRY_AFTER_MAX_S))
            raise _TryAgain(said)
        raise CmsUnavailable(f"{said} {FIXES[code]}" if code in FIXES else said)

    def _trouble(self, error: httpx.RequestError | httpx.InvalidURL) -> str:
        """Return a sentence about a connection that failed, or an answer that cannot be unpacked."""
        why = self._words(str(error)) or type(error).__name__
        if isinstance(error, httpx.DecodingError):
            said = "The CMS's answer is not as its header Content-Encoding says"
            return f"{said}: {why}. Look at the proxy before it."
        return f"The CMS did not answer: {why}."

    def _in_brackets(self, message: str) -> str:
        words = self._words(message)
        return f" ({words})" if words else ""

    def _words(self, foreign: str) -> str:
        """Return foreign words for a sentence, none if they hold the key."""
        key = self._key.now
        return "" if key and key in foreign else shown(foreign, WORDS_MAX).rstrip(".")


class _TryAgain(Exception):  # noqa: N818 - never leaves this module
    """The CMS asks for another attempt; the message is a sentence."""


def _message_of(parsed: Any) -> str:
    """Return the words in Payload's form of an error."""
    try:
        return str(parsed["errors"][0]["message"])
    except (LookupError, TypeError, RecursionError):
        return ""


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= DIGITS_MAX else float(digits)
