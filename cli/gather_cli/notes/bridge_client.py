"""Calls of the bridge: pages of notes, and exports as a stream; redirects are not followed."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from gather_cli.errors import CliError, Forbidden, NotFound, Unreachable

CHUNK_BYTES: Final = 2**16
PAGE_MAX_BYTES: Final = 64 * 2**20
ERROR_MAX_BYTES: Final = 2**14
HOW_TO_ENTER: Final = (
    "give a token of the bridge: --token-file FILE, GATHER_BRIDGE_TOKEN, or tokenFile in "
    "the configuration file"
)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Bridge:
    """One bridge, asked with one token."""

    address: str
    token: str
    timeout_s: float

    def pages(self, project: str, query: Mapping[str, str | int]) -> Iterator[dict[str, Any]]:
        """Yield pages of a project's notes, the first one with `query`; raises CliError."""
        after = ""
        while True:
            with self._open(
                self._path(project, "notes", {**query, **({"after": after} if after else {})})
            ) as answer:
                page = _page(answer)
            yield page
            after = str(page.get("next") or "")
            if not after:
                return

    def export(self, project: str, query: Mapping[str, str]) -> Iterator[bytes]:
        """Yield an export's bytes; raises CliError, also if it breaks off."""
        with self._open(self._path(project, "export", query)) as answer:
            try:
                while chunk := answer.read(CHUNK_BYTES):
                    yield chunk
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(f"the export broke off ({type(error).__name__}); try again") from error
            # Of an answer whose length was said, the library tells by this alone that it was cut.
            if getattr(answer, "length", None):
                raise Unreachable("the export broke off; try again")

    def _path(self, project: str, what: str, query: Mapping[str, str | int]) -> str:
        return f"/api/v1/projects/{quote(project, safe='')}/{what}?{urlencode(query)}"

    def _open(self, path: str) -> IO[bytes]:
        headers = {"Accept": "*/*", "User-Agent": "gather-cli"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            direct = [urllib.request.ProxyHandler({})] if _is_here(self.address) else []
            opener = urllib.request.build_opener(_NoRedirects, *direct)
            asked = urllib.request.Request(self.address.rstrip("/") + path, headers=headers)  # noqa: S310 - as named
            found: IO[bytes] = opener.open(asked, timeout=self.timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                raise self._error(error.code, error.read(ERROR_MAX_BYTES)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = getattr(error, "reason", None) or error
            raise Unreachable(
                f"the bridge {self.address} cannot be reached: {said}; is --bridge right?"
            ) from error
        return found

    def _error(self, code: int, body: bytes) -> CliError:
        said = _message(body) or f"status {code}"
        match code:
            case HTTPStatus.UNAUTHORIZED:
                known = "the bridge does not know this token" if self.token else "the bridge wants a token"
                return Forbidden(f"{known}; {HOW_TO_ENTER}")
            case HTTPStatus.FORBIDDEN:
                return Forbidden(f"the bridge refuses: {said}; ask for a token with this project")
            case HTTPStatus.NOT_FOUND:
                return NotFound(f"the bridge {self.address} says: {said}; is it of this version?")
            case code if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return Unreachable(f"the bridge cannot answer: {said}")
            case code if HTTPStatus.MULTIPLE_CHOICES <= code < HTTPStatus.BAD_REQUEST:
                return Unreachable(
                    f"the bridge {self.address} leads elsewhere ({code}), which is not followed; mend "
                    "--bridge"
                )
        return CliError(f"the bridge refuses: {said}")


def _is_here(address: str) -> bool:
    """Return whether it is on this machine, as a port-forward is: no proxy leads there."""
    return urlsplit(address).hostname in {"127.0.0.1", "::1", "localhost"}


def _page(answer: IO[bytes]) -> dict[str, Any]:
    try:
        text = answer.read(PAGE_MAX_BYTES)
        page = json.loads(text)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(
            f"the bridge's answer cannot be read ({type(error).__name__}); is --bridge right?"
        ) from error
    if not isinstance(page, dict) or not isinstance(page.get("notes"), list):
        raise Unreachable("something else than the bridge answers; is --bridge right?")
    return page


def _message(body: bytes) -> str:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return (
        " ".join(str(found.get("message") or found.get("error") or "").split())[:400]
        if isinstance(found, dict)
        else ""
    )
