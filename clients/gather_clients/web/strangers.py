"""What the log says of who had no valid key: enough to know them again, nothing to get in with."""

import logging
from collections.abc import Mapping
from typing import Any, Final

logger = logging.getLogger(__name__)

FINGERPRINT_DIGITS: Final = 12
"""Of the key's SHA-256: enough to know a key again that somebody holds, and nothing to use."""


def log_stranger(scope: Mapping[str, Any], sha256: str | None) -> None:
    """Log that a request (ASGI's `scope`) came without a valid key: its address and the key's fingerprint.

    `sha256` is the key's; "" or None where there was no key.
    """
    client = scope.get("client")
    fields = {
        "client": client[0] if client else None,
        "key_fingerprint": sha256[:FINGERPRINT_DIGITS] if sha256 else None,
    }
    logger.warning("authentication failed", extra=fields)
