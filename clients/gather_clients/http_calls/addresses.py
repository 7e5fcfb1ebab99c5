"""Addresses in settings: what an address must have, checked in one place for all rooms.

The reasons show no part of an address, since it may hold a password.
"""

import re
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, HttpUrl, SecretStr

HTTP: Final = ("http", "https")
NEO4J: Final = tuple(f"{scheme}{tls}" for scheme in ("bolt", "neo4j") for tls in ("", "+s", "+ssc"))
_UNPRINTED: Final = re.compile(r"[\s\x00-\x1f\x7f]")
"""Python drops line ends in an address without a word."""


def checked_address(
    text: str, *, schemes: tuple[str, ...] = HTTP, has_user: bool = True, has_path: bool = True
) -> str:
    """Return the address if it can work; raises ValueError with the reason why it never can.

    Args:
        text: the address.
        schemes: those that it may have.
        has_user: a user and a password may stand in it.
        has_path: a path and parameters may stand behind host and port.
    """
    parts = _parts(text)
    if parts.scheme not in schemes:
        named = "an http or https URL" if schemes == HTTP else f"an address of {', '.join(schemes)}"
        raise ValueError(f"is not {named}")
    _check_place(parts)
    if not has_user and "@" in parts.netloc:
        raise ValueError("has a user or a password, which no address may have here")
    if not has_path and (parts.path or parts.query or parts.fragment):
        raise ValueError("has more than scheme, host and port")
    return text


def checked_places(text: str) -> str:
    """Return addresses of any scheme, with ; between them, if each has a host and a port that can be.

    Brokers of Celery are named so; raises ValueError.
    """
    for each in text.split(";"):
        parts = _parts(each)
        if parts.scheme and parts.netloc:
            _check_place(parts)
    return text


def _parts(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
    except ValueError:  # brackets without an address in them
        raise ValueError("is no address") from None
    if _UNPRINTED.search(text):
        raise ValueError("has a space or a line's end in it")
    return parts


def _check_place(parts: SplitResult) -> None:
    try:
        is_possible = parts.port != 0
    except ValueError:
        is_possible = False
    if not is_possible:
        raise ValueError("has a port that is none of 1 to 65535")
    if not parts.hostname:
        raise ValueError("has no host")


HttpAddress = Annotated[str, AfterValidator(lambda text: checked_address(text.strip()))]
"""Of a service, with or without a user."""
PlainAddress = Annotated[str, AfterValidator(lambda text: checked_address(text, has_user=False))]
"""Without a user and a password: a key goes in their place, or others read the address."""
Site = Annotated[str, AfterValidator(lambda text: checked_address(text, has_user=False, has_path=False))]
"""Scheme, host and port alone."""
Neo4jAddress = Annotated[
    str, AfterValidator(lambda text: checked_address(text, schemes=NEO4J, has_user=False))
]


def _checked_url(url: HttpUrl) -> HttpUrl:
    checked_address(str(url))
    return url


ServiceUrl = Annotated[HttpUrl, AfterValidator(_checked_url)]
"""As `HttpAddress`, parsed."""


def _checked_secret(places: SecretStr | None) -> SecretStr | None:
    if places is not None:
        checked_places(places.get_secret_value())
    return places


BrokerAddress = Annotated[SecretStr | None, AfterValidator(_checked_secret)]
