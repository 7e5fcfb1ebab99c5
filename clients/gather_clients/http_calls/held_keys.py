"""A key that goes with each request as its Secret has it at that moment, so that it can be replaced."""

import logging
from collections.abc import Generator
from typing import Annotated

import httpx
from pydantic import AfterValidator, SecretStr

from gather_clients.configuration import secret_now

logger = logging.getLogger(__name__)


def fits_header(text: str) -> bool:
    """Return whether a header can hold the text."""
    return text.isascii() and text.isprintable()


def _header_text(key: SecretStr) -> SecretStr:
    """Httpx would quote a key that no header can hold, in an error that can end in a run's status."""
    text = key.get_secret_value().strip()
    if not fits_header(text):
        raise ValueError("has characters that a header cannot hold")
    return SecretStr(text)


HeaderKey = Annotated[SecretStr, AfterValidator(_header_text)]
"""A setting that is sent in a header."""


class HeldKey(httpx.Auth):
    """Sends a key in the header `Authorization`, and none while there is none."""

    def __init__(self, variable: str, given: SecretStr | str | None, scheme: str = "Bearer") -> None:
        """`variable` is the setting whose file is read again, `given` the key as it was at the start.

        `scheme` stands before the key.
        """
        self._variable = variable
        text = given.get_secret_value() if isinstance(given, SecretStr) else given or ""
        self._last = self._given = text.strip()
        self._refused = ""
        self._scheme = scheme

    @property
    def now(self) -> str:
        """Return the key as it is now, "" without one; in the place of one that no header holds the last."""
        found = secret_now(self._variable, self._given)
        if fits_header(found):
            self._last, self._refused = found, ""
        elif found != self._refused:
            self._refused = found
            logger.error("%s has characters that a header cannot hold", self._variable)
        return self._last

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        if key := self.now:
            request.headers["Authorization"] = f"{self._scheme} {key}"
        yield request
