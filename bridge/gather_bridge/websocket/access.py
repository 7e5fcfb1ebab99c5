"""Who may listen to which project: tokens kept as hashes in a file from a Secret, read again when it changes.

A token that leaves the file loses its open sockets at their next heartbeat.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable
from enum import Enum, auto
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gather_bridge.errors import TokensFileError
from gather_contracts.names import OBJECT_ID_PATTERN

logger = logging.getLogger(__name__)

ALL_PROJECTS: Final = "*"
TOKEN_MAX: Final = 512
"""A longer text is no token and is not hashed."""
SUBPROTOCOL: Final = "gather.v1"
TOKEN_SUBPROTOCOL_PREFIX: Final = "gather.token."  # noqa: S105 - only its prefix
RELOAD_INTERVAL_S: Final = 5
"""The kubelet takes up to a minute to bring a changed Secret; looking more often gains nothing."""


class Token(BaseModel):
    """One line of the tokens file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=128)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    projects: tuple[Annotated[str, Field(pattern=rf"{OBJECT_ID_PATTERN}|^\*$")], ...] = Field(min_length=1)


_TOKENS: TypeAdapter[list[Token]] = TypeAdapter(Annotated[list[Token], Field(max_length=10_000)])


class Verdict(Enum):
    """What a token may do with a project."""

    ALLOWED = auto()
    UNKNOWN = auto()
    """There is no token, or it is none of ours."""
    OTHER_PROJECT = auto()
    """The token is for other projects."""


def read_tokens(path: Path) -> list[Token]:
    """Return the tokens of a file; raises TokensFileError."""
    try:
        return _TOKENS.validate_json(path.read_bytes())
    except OSError as error:
        raise TokensFileError(
            f"GATHER_BRIDGE_TOKENS_FILE: the tokens file cannot be read: {error.strerror}"
        ) from None
    except ValidationError as error:
        # A place can also end in a key of the file, which may be anything.
        known = {*Token.model_fields}
        places = sorted(
            {".".join(str(p) for p in e["loc"] if isinstance(p, int) or p in known) for e in error.errors()}
        )
        where = ", ".join(filter(None, places)) or "its top"
        raise TokensFileError(
            f"GATHER_BRIDGE_TOKENS_FILE: the tokens file is malformed at: {where}"
        ) from None


def token_hash(token: str) -> str:
    """Return the form in which a token is kept. It has 256 random bits, so that one hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def bearer_token(authorization: str | None, subprotocols: Iterable[str]) -> str | None:
    """Return the token of a handshake: of the Authorization header, else of a subprotocol (for browsers)."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip() or None
    offered = (s for s in subprotocols if s.startswith(TOKEN_SUBPROTOCOL_PREFIX))
    return next((s.removeprefix(TOKEN_SUBPROTOCOL_PREFIX) for s in offered), None) or None


def is_origin_allowed(origin: str | None, allowed: Iterable[str]) -> bool:
    """Return whether a page of this origin may connect; a client without one is no browser."""
    return origin is None or origin in set(allowed)


class Access:
    """Judges every handshake and heartbeat; looks at the file once in `RELOAD_INTERVAL_S` at most."""

    def __init__(
        self, path: Path, *, allow_anonymous: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` counts seconds. Raises TokensFileError, also if nobody could connect."""
        self._path = path
        self._allow_anonymous = allow_anonymous
        self._clock = clock
        self._changed_at_ns = self._modified_ns()
        self._projects: dict[str, frozenset[str]] = {}
        if self._changed_at_ns or not allow_anonymous:
            self._take(read_tokens(path))
        if not self._projects and not allow_anonymous:
            raise TokensFileError(
                "GATHER_BRIDGE_TOKENS_FILE: the tokens file names nobody: add {name, sha256, projects}, "
                "or set GATHER_BRIDGE_ALLOW_ANONYMOUS=true to let everyone listen"
            )
        self._looked_at_s = clock()

    def verdict(self, token: str | None, project_id: str) -> Verdict:
        """Return what the token may do now."""
        self._reload_if_changed()
        if token is None:
            return Verdict.ALLOWED if self._allow_anonymous else Verdict.UNKNOWN
        projects = self._projects.get(token_hash(token)) if len(token) <= TOKEN_MAX else None
        if projects is None:
            return Verdict.UNKNOWN
        is_its_own = ALL_PROJECTS in projects or project_id.lower() in projects
        return Verdict.ALLOWED if is_its_own else Verdict.OTHER_PROJECT

    def _take(self, tokens: list[Token]) -> None:
        self._projects = {t.sha256: frozenset(p.lower() for p in t.projects) for t in tokens}

    def _reload_if_changed(self) -> None:
        if self._clock() - self._looked_at_s < RELOAD_INTERVAL_S:
            return
        self._looked_at_s = self._clock()
        modified_ns = self._modified_ns()
        if modified_ns == self._changed_at_ns:
            return
        self._changed_at_ns = modified_ns
        try:
            self._take(read_tokens(self._path))
            logger.info("tokens file read again", extra={"tokens": len(self._projects)})
        except TokensFileError as error:
            logger.warning(
                "tokens file not read again; the tokens read before stay valid", extra={"error": str(error)}
            )

    def _modified_ns(self) -> int:
        """Return when the file was changed, 0 if there is none."""
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0
