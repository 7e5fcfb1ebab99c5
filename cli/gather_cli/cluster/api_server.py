"""Calls of the API server over one connection, and streams of lines; each wait and answer is bounded."""

import http.client
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from gather_cli.cluster.credentials import credentials_of
from gather_cli.cluster.kubeconfig import Access
from gather_cli.cluster.tls_connections import connection, tls_context
from gather_cli.errors import AlreadyThere, CliError, Forbidden, GoneVersion, NotFound, Refused, Unreachable

BODY_MAX_BYTES: Final = 64 * 2**20
LINE_MAX_BYTES: Final = 8 * 2**20
ERROR_MAX_BYTES: Final = 2**16
MESSAGE_MAX: Final = 600
JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
AGENT: Final = "gather-cli"
NO_RESPONSE: Final = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
"""An idle connection that the server has closed meanwhile; what was asked was not done."""
KINDS: Final[Mapping[int, type[CliError]]] = {
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.GONE: GoneVersion,
}
ERRORS: Final = (OSError, http.client.HTTPException)


class ApiServer:
    """One API server, asked as one user; not for several threads."""

    def __init__(self, access: Access, timeout_s: float) -> None:
        """`timeout_s` is for connecting and for each wait for bytes. Raises Unreachable."""
        self.access = access
        self.timeout_s = timeout_s
        self._prefix = urlsplit(access.server).path.rstrip("/")
        self._kept: http.client.HTTPConnection | None = None
        self._date: datetime | None = None
        self._log_in()

    def twin(self) -> "ApiServer":
        """Return another one with connections of its own, for a thread."""
        made = object.__new__(ApiServer)
        made.__dict__.update(self.__dict__, _kept=None)
        return made

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """Return an object; raises CliError."""
        return self.call("GET", path, query)

    def call(
        self, method: str, path: str, query: Mapping[str, str | int] | None = None, body: Any = None,
        content_type: str = JSON,
    ) -> dict[str, Any]:  # fmt: skip
        """Return the answer; raises CliError."""
        answer = self._ask(method, path, query, body, content_type)
        text = self._read(answer)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Unreachable(
                f"{self.access.server}{path} answers with something else than JSON; is it an API server?"
            )
        return found

    def text(self, path: str, **query: str | int) -> str:
        """Return an answer that is text, such as the end of a log; raises CliError."""
        return self._read(self._ask("GET", path, query)).decode("utf-8", "replace")

    def lines(self, path: str, query: Mapping[str, str | int], silence_s: float | None) -> Iterator[bytes]:
        """Yield lines as they come until the server ends or breaks the answer; raises CliError at its start.

        Args:
            path: what is asked for.
            query: how.
            silence_s: the longest wait for bytes; None waits on.
        """
        answer = self._ask("GET", path, query)
        kept, self._kept = self._kept, None
        if kept is None:
            return
        with closing(kept), closing(answer):
            if kept.sock is not None:
                kept.sock.settimeout(silence_s)
            try:
                while line := answer.readline(LINE_MAX_BYTES):
                    yield line
            except ERRORS:
                return

    def watch(self, path: str, query: Mapping[str, str | int], seconds: int = 50) -> Iterator[dict[str, Any]]:
        """Yield a watch's events for so many seconds; raises CliError, and GoneVersion to begin again."""
        asked = {**query, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": seconds}
        for line in self.lines(path, asked, seconds + self.timeout_s):
            try:
                event = json.loads(line)
            except ValueError:
                return  # cut off in the middle; it comes again
            found = event.get("object", {})
            if event.get("type") == "ERROR":
                raise _error(int(found.get("code") or 0), found, self.access)
            yield event

    def now(self) -> datetime:
        """Return the time by the server's clock as of its last answer; ours may be wrong by minutes."""
        return self._date or datetime.now(UTC)

    def close(self) -> None:
        """Close the connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _log_in(self) -> None:
        self._who = credentials_of(self.access)
        self._tls = tls_context(self.access, self._who)

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        try:
            text = answer.read(BODY_MAX_BYTES + 1)
            if len(text) > BODY_MAX_BYTES:
                raise Unreachable(f"the API server's answer has more than {BODY_MAX_BYTES} bytes")
            answer.close()
        except ERRORS as error:
            self.close()
            raise self._unreachable(error) from error
        return text

    def _ask(
        self, method: str, path: str, query: Mapping[str, str | int] | None = None, body: Any = None,
        content_type: str = JSON,
    ) -> http.client.HTTPResponse:  # fmt: skip
        """Return an answer of success, whose body is still to be read; raises CliError."""
        target = f"{self._prefix}{path}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        for is_last in (False, True):
            answer = self._send(method, target, data, content_type)
            if answer.status < HTTPStatus.BAD_REQUEST:
                return answer
            text = self._error_body(answer)
            if answer.status == HTTPStatus.UNAUTHORIZED and not is_last:
                self._log_in()  # what a plugin gave, or a file holds, may be another by now
                continue
            break
        raise _error(answer.status, _status(text), self.access)

    def _send(
        self, method: str, target: str, data: bytes | None, content_type: str
    ) -> http.client.HTTPResponse:
        headers = {"User-Agent": AGENT, "Accept": "application/json, */*"}
        if self._who.authorization:
            headers["Authorization"] = self._who.authorization
        if data is not None:
            headers["Content-Type"] = content_type
        was_kept = self._kept is not None
        while True:
            if self._kept is None:
                self._kept = connection(self.access, self.timeout_s, self._tls)
            try:
                self._kept.request(method, target, data, headers)
                answer = self._kept.getresponse()
            except ERRORS as error:
                self.close()
                if was_kept and method != "POST" and isinstance(error, NO_RESPONSE):
                    was_kept = False
                    continue
                raise self._unreachable(error) from error
            self._date = _date(answer.getheader("Date"))
            return answer

    def _error_body(self, answer: http.client.HTTPResponse) -> bytes:
        try:
            return answer.read(ERROR_MAX_BYTES)
        except ERRORS:
            return b""
        finally:
            self.close()

    def _unreachable(self, error: Exception) -> Unreachable:
        access = self.access
        named = f"{access.server} (context {access.context})" if access.context else access.server
        if isinstance(error, ssl.SSLCertVerificationError):
            return Unreachable(
                f"{named}: its certificate is not trusted: {error.verify_message}; mend "
                f"certificate-authority of {access.source}"
            )
        if isinstance(error, TimeoutError):
            return Unreachable(
                f"{named} did not answer within {self.timeout_s:g} s; look at VPN and proxy, or give "
                "--request-timeout"
            )
        said = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
        return Unreachable(
            f"{named} cannot be reached: {said}; does the cluster run, is it the right --context?"
        )


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None


def _status(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {"message": body.decode("utf-8", "replace")}
    return found if isinstance(found, dict) else {}


def _error(code: int, status: Mapping[str, Any], access: Access) -> CliError:
    message = " ".join(str(status.get("message") or status.get("reason") or f"status {code}").split())[
        :MESSAGE_MAX
    ]
    reason = status.get("reason")
    if code == HTTPStatus.UNAUTHORIZED:
        fix = f"log in again, or mend the user of {access.source}"
        return Forbidden(f"{access.server} does not know who asks (401); {fix}")
    if code == HTTPStatus.CONFLICT and reason == "AlreadyExists":
        return AlreadyThere(message)
    # Another conflict is one of a quota's count, say, and gone the next time.
    if (
        code in {HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
        or code >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        return Unreachable(f"{access.server}: {message}; try again")
    return KINDS.get(code, Refused)(message)


def default_timeout_s() -> float:
    """Return how long a call may wait where the command line does not say."""
    try:
        return float(os.environ.get("GATHER_REQUEST_TIMEOUT_S", ""))
    except ValueError:
        return 15.0
