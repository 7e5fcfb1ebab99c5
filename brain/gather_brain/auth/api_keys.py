"""The form of API keys and of the file with the first ones; pure but for reading that file.

A key is `gbk_`, 256 random bits and a checksum. Secret scanners find it by the prefix, the checksum rejects
mistyped keys without a look-up, and so many random bits need no slow hash: SHA-256 is enough.
"""

from pathlib import Path
from typing import Final

from pydantic import Field

from gather_brain.limits.policy import LimitName
from gather_clients.issued_secrets import is_issued, new_secret
from gather_clients.key_files import ListedKey, read_listed_keys
from gather_clients.limits.gcra import Policy

PREFIX: Final = "gbk_"
KEY_MAX: Final = 256
"""Longer ones are not hashed."""


class BootstrapKey(ListedKey):
    """A key of the keys file, which holds its hash."""

    limits: dict[LimitName, Policy] = Field(default_factory=dict)
    """In place of the defaults."""


def new_key() -> str:
    """Return a new key."""
    return new_secret(PREFIX)


def is_well_formed(key: str) -> bool:
    """Return whether a key could have come from `new_key`."""
    return is_issued(key, PREFIX)


def bearer_key(header: str | None) -> str | None:
    """Return the key of an Authorization header, or None where it holds none."""
    scheme, _, key = (header or "").partition(" ")
    key = key.strip()
    return key if scheme.lower() == "bearer" and 0 < len(key) <= KEY_MAX and key.isascii() else None


def read_keys_file(path: Path | None) -> tuple[BootstrapKey, ...]:
    """Read the keys file; without one there are no keys. Raises ConfigurationError."""
    return () if path is None else read_listed_keys(path, BootstrapKey, "GATHER_BRAIN_KEYS_FILE")
