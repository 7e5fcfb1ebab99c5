"""Origins of web pages that may call an API, as settings name them."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator

from gather_clients.http_calls.addresses import checked_address

ORIGIN: Final = r"^https?://[^/?#@*\s]+$"
"""Exactly as browsers send it: no path, and no part that may be anything."""


def _origin(text: str) -> str:
    if not re.fullmatch(ORIGIN, text):
        raise ValueError("an origin is scheme, host and port, without a path, a slash at its end or a *")
    return checked_address(text)


Origin = Annotated[str, AfterValidator(_origin)]
