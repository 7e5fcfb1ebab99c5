"""Tokens of a file from a Secret, kept there as hashes, and how a request names its token."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import HTTPConnection

from gather_bridge.errors import TokensFileError
from gather_clients.issued_secrets import ALL_PROJECTS
from gather_contracts.names import OBJECT_ID_PATTERN

TOKEN_MAX: Final = 512
"""A longer text is no token and is not hashed."""
SUBPROTOCOL: Final = "gather.v1"
TICKET_SUBPROTOCOL_PREFIX: Final = "gather.ticket."
TOKEN_SUBPROTOCOL_PREFIX: Final = "gather.token."  # noqa: S105 - only its prefix


Projects = Annotated[
    tuple[Annotated[str, Field(pattern=rf"{OBJECT_ID_PATTERN}|^\*$")], ...], Field(min_length=1)
]


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do."""

    projects: frozenset[str]
    """In lower case; `*`: all."""
    may_cancel: bool = False
    """Cancel runs of these projects on the run page."""

    @classmethod
    def of(cls, projects: Iterable[str], *, may_cancel: bool) -> "Rights":
        """Return the rights in these projects."""
        return cls(frozenset(project.lower() for project in projects), may_cancel)

    def opens(self, project_id: str) -> bool:
        """Return whether the project is one of them."""
        return ALL_PROJECTS in self.projects or project_id.lower() in self.projects


class Token(BaseModel):
    """One line of the tokens file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=128)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    projects: Projects
    cancel: bool = False
    """Whether who signs in on the run page with it may cancel runs there."""


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


def bearer_token(authorization: str | None, subprotocols: Iterable[str]) -> str | None:
    """Return the token of a handshake: of the Authorization header, else of a subprotocol (for browsers)."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip() or None
    offered = (s for s in subprotocols if s.startswith(TOKEN_SUBPROTOCOL_PREFIX))
    return next((s.removeprefix(TOKEN_SUBPROTOCOL_PREFIX) for s in offered), None) or None


def ticket_of(subprotocols: Iterable[str]) -> str | None:
    """Return the ticket that a browser offers as a subprotocol."""
    offered = (s for s in subprotocols if s.startswith(TICKET_SUBPROTOCOL_PREFIX))
    return next((s.removeprefix(TICKET_SUBPROTOCOL_PREFIX) for s in offered), None) or None


def is_own_origin(connection: HTTPConnection) -> bool:
    """Return whether the request comes from a page of this bridge's host, whatever scheme a proxy speaks."""
    origin = connection.headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == connection.headers.get("host")


def is_origin_allowed(origin: str | None, allowed: Iterable[str]) -> bool:
    """Return whether a page of this origin may connect; a client without one is no browser."""
    return origin is None or origin in set(allowed)
