"""The session's cookie, by how the browser came."""

from typing import Any

import pytest
from starlette.requests import HTTPConnection
from starlette.responses import Response

from gather_bridge.access.sessions import cookie_of, set_cookie

PLAIN, SECURE = "gather-session", "__Host-gather-session"


def connection(scheme: str, cookie: str = "") -> HTTPConnection:
    """A request with a cookie."""
    scope: dict[str, Any] = {
        "type": "websocket" if scheme in {"ws", "wss"} else "http", "scheme": scheme, "path": "/",
        "query_string": b"", "server": ("gather.example.com", 443),
        "headers": [(b"cookie", cookie.encode()), (b"host", b"gather.example.com")],
    }  # fmt: skip
    return HTTPConnection(scope)


@pytest.mark.parametrize(
    ("scheme", "name"), [("https", SECURE), ("wss", SECURE), ("http", PLAIN), ("ws", PLAIN)]
)
def test_over_tls_the_cookie_is_the_host_s_own(scheme: str, name: str) -> None:
    """One that a neighbour of its domain has set under the other name is not read."""
    assert cookie_of(connection(scheme, f"{PLAIN}=plain; {SECURE}=secure")) == (
        "secure" if name == SECURE else "plain"
    )
    assert cookie_of(connection(scheme, f"{PLAIN if name == SECURE else SECURE}=other")) is None


@pytest.mark.parametrize("text", ["session", ""], ids=["in", "out"])
def test_it_is_set_and_taken_away_as_browsers_ask_for_its_name(text: str) -> None:
    """Secure, for all paths, of no domain: another one they refuse."""
    answer = Response()
    set_cookie(answer, connection("https"), text)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{SECURE}=")
    assert {"Secure", "Path=/", "HttpOnly"} <= set(cookie.split("; "))
    assert "domain" not in cookie.lower()
