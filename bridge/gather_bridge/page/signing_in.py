"""Signing in and out: a token or a ticket in a form becomes a session's cookie."""

import asyncio
import re
from typing import Final
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gather_bridge.access.gate import Gate
from gather_bridge.access.sessions import Sessions, cookie_of, set_cookie
from gather_bridge.access.token_file import is_own_origin
from gather_bridge.errors import SocketRefused
from gather_bridge.metrics import Metrics
from gather_bridge.page.rendering import HEADERS, Rendering
from gather_clients.event_log import EventLogUnavailable
from gather_clients.issued_secrets import secret_hash
from gather_clients.web.metric_series import begin_at_zero
from gather_clients.web.strangers import log_stranger

FORM_MAX_BYTES: Final = 8 * 1024
FORM_S: Final = 10.0
HERE: Final = re.compile(r"/[a-zA-Z0-9./-]{0,512}")
"""An address of ours: no other host, no query."""


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; raises SocketRefused if it is none, or too large."""
    body = b""
    try:
        async with asyncio.timeout(FORM_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > FORM_MAX_BYTES:
                    raise SocketRefused(400, "invalid_request", "the form is too large")
    except TimeoutError:
        raise SocketRefused(400, "invalid_request", "the form did not arrive in time") from None
    try:
        fields = parse_qs(body.decode(), max_num_fields=16, keep_blank_values=True)
    except ValueError:
        raise SocketRefused(400, "invalid_request", "the form cannot be read") from None
    return {name: values[0].strip() for name, values in fields.items()}


def require_own_form(request: Request) -> None:
    """Raise SocketRefused unless a page of this bridge sent the form: a cookie alone proves nothing."""
    if not is_own_origin(request) or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise SocketRefused(403, "origin_not_allowed", "forms of other sites are not taken")


def local(address: str | None) -> str:
    """Return an address of ours, "/" instead of any other."""
    if address and not address.startswith("//") and HERE.fullmatch(address):
        return address
    return "/"


def sign_in_address(request: Request) -> str:
    """Return where to sign in, and come back from."""
    return f"/sign-in?next={quote(local(request.url.path), safe='/')}"


class SigningIn:
    """Serves `/sign-in` and `/sign-out`."""

    def __init__(self, gate: Gate, sessions: Sessions, rendering: Rendering, metrics: Metrics) -> None:
        self._gate = gate
        self._sessions = sessions
        self._rendering = rendering
        self._metrics = metrics
        begin_at_zero(metrics.sign_ins, how=("token", "ticket"), result=("accepted", "refused"))

    async def ask(self, request: Request) -> Response:
        """Show the form."""
        return self._form(local(request.query_params.get("next")))

    async def enter(self, request: Request) -> Response:
        """Exchange a token or a ticket for a session. A ticket may come from the application's own page."""
        form = await read_form(request)
        after = local(form.get("next"))
        if not form.get("ticket"):
            require_own_form(request)
        session = await self._gate.signed_in(form.get("token"), form.get("ticket"))
        how = "ticket" if form.get("ticket") else "token"
        self._metrics.sign_ins.labels(how=how, result="refused" if session is None else "accepted").inc()
        if session is None:
            shown = form.get("ticket") or form.get("token")
            log_stranger(request.scope, secret_hash(shown) if shown else None)
            return self._form(after, 401, wrong=how)
        try:
            text = await self._sessions.begin(session)
        except EventLogUnavailable:
            raise SocketRefused(503, "unavailable", "sessions cannot be kept now; try again") from None
        # Not a redirection: after another site's form a browser would send no SameSite=Strict cookie along.
        answer = self._rendering.page("onward.html", after=after)
        set_cookie(answer, request, text)
        return answer

    async def leave(self, request: Request) -> Response:
        """End the session."""
        require_own_form(request)
        try:
            await self._sessions.end(cookie_of(request))
        except EventLogUnavailable:
            raise SocketRefused(503, "unavailable", "the session cannot be ended now; try again") from None
        answer = RedirectResponse("/sign-in", 303, headers=HEADERS)
        set_cookie(answer, request, "")
        return answer

    def _form(self, after: str, status: int = 200, wrong: str = "") -> Response:
        return self._rendering.page("sign_in.html", status, after=after, wrong=wrong)
