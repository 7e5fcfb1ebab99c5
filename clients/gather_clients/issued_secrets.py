"""Secrets that a command makes and prints once: the brain's API keys and the bridge's tokens."""

import hashlib
import re
import secrets
import zlib
from datetime import timedelta
from typing import Final

RANDOM_BYTES: Final = 32
ALL_PROJECTS: Final = "*"
"""In the place of a project: the secret is for all."""
HOLDER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,127}")
"""Who a secret is for: 1 to 128 letters, digits, spaces, dots and dashes."""

_BODY: Final = re.compile(r"([A-Za-z0-9_-]{43})_([0-9a-f]{8})")
_LIFETIME: Final = re.compile(r"([1-9]\d{0,4})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def new_secret(prefix: str) -> str:
    """Return a new secret: a prefix by which scanners find it, 256 random bits and a checksum."""
    body = secrets.token_urlsafe(RANDOM_BYTES)
    return f"{prefix}{body}_{_checksum(body)}"


def secret_hash(secret: str) -> str:
    """Return the SHA-256 in hexadecimal, the only form that is kept: 256 random bits need no more."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_issued(text: str, prefix: str) -> bool:
    """Return whether `new_secret` could have made it: others need not be looked up."""
    form = _BODY.fullmatch(text.removeprefix(prefix)) if text.startswith(prefix) else None
    return form is not None and secrets.compare_digest(form[2], _checksum(form[1]))


def read_lifetime(text: str) -> timedelta:
    """Return how long a secret is valid, of text such as 12h or 30d; raises ValueError that says the form."""
    found = _LIFETIME.fullmatch(text)
    if found is None:
        raise ValueError("a number and one of s, m, h, d, such as 30d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
