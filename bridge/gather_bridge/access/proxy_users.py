"""People whom a proxy before the bridge has signed in: a header names them, a file says what they may.

The header counts only on a connection that comes from a trusted proxy itself; anybody else can write one.
"""

import logging
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from gather_bridge.access.token_file import Projects, Rights
from gather_bridge.errors import TokensFileError
from gather_bridge.watched_file import WatchedFile

logger = logging.getLogger(__name__)

RELOAD_INTERVAL_S: Final = 2
EVERYBODY: Final = "*"
USER_MAX: Final = 256
DIGEST_PREFIX: Final = "user:"
PEER: Final = "gather.peer"
"""Of the scope: who has opened the connection, whatever X-Forwarded-For says."""


class User(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: str = Field(min_length=1, max_length=USER_MAX)
    """As the proxy names them; `*`: everybody whom it lets through and who has no line of their own."""
    projects: Projects
    cancel: bool = False


_USERS: TypeAdapter[list[User]] = TypeAdapter(Annotated[list[User], Field(max_length=10_000)])


class ProxyUsers:
    """Knows who is signed in and what they may; the file is read again when it changes."""

    def __init__(self, header: str, path: Path, proxies: tuple[IPv4Network | IPv6Network, ...]) -> None:
        """Raises TokensFileError."""
        self._header = header
        self._path = path
        self._proxies = proxies
        self._file = WatchedFile(path, RELOAD_INTERVAL_S)
        self._rights = _read(path)

    def digest(self, connection: HTTPConnection) -> str | None:
        """Return the form in which the person is known here; None if nobody is signed in."""
        named = connection.headers.getlist(self._header)
        # Of two, one would be the browser's own, beside which the proxy has put its.
        user = named[0].strip().lower() if len(named) == 1 else ""
        if not user or len(user) > USER_MAX or not self._is_trusted(connection.scope.get(PEER)):
            return None
        return f"{DIGEST_PREFIX}{user}"

    def rights(self, digest: str) -> Rights | None:
        """Return what the person may do, None without a line."""
        if self._file.has_changed():
            try:
                self._rights = _read(self._path)
            except TokensFileError as error:
                logger.warning("users file not read again; the one before stays valid: %s", error)
        if not digest.startswith(DIGEST_PREFIX):
            return None
        return self._rights.get(digest.removeprefix(DIGEST_PREFIX)) or self._rights.get(EVERYBODY)

    def _is_trusted(self, peer: tuple[str, int] | None) -> bool:
        try:
            address = ip_address(peer[0] if peer else "")
        except ValueError:
            return False
        return any(address in network for network in self._proxies)


def remembering_peer(app: ASGIApp) -> Callable[[Scope, Receive, Send], Any]:
    """Return the application, told who has opened each connection before a proxy's header changes that."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            scope[PEER] = scope.get("client")
        await app(scope, receive, send)

    return called


def _read(path: Path) -> dict[str, Rights]:
    try:
        users = _USERS.validate_json(path.read_bytes())
    except OSError as error:
        raise TokensFileError(
            f"GATHER_BRIDGE_PAGE_USERS_FILE: the file cannot be read: {error.strerror}"
        ) from None
    except ValidationError:
        raise TokensFileError(
            "GATHER_BRIDGE_PAGE_USERS_FILE: a JSON list of {user, projects, cancel} is wanted"
        ) from None
    return {user.user.lower(): Rights.of(user.projects, may_cancel=user.cancel) for user in users}
