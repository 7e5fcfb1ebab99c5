"""The form of API keys and of the file with the first ones; pure but for reading that file.

A key is `gbk_`, 256 random bits and a checksum. Secret scanners find it by the prefix, the checksum rejects
mistyped keys without a look-up, and so many random bits need no slow hash: SHA-256 is enough.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gather_brain.limits.policy import LimitName
from gather_clients.configuration import ConfigurationError
from gather_clients.issued_secrets import is_issued, new_secret
from gather_clients.limits.gcra import Policy
from gather_contracts.names import OBJECT_ID_PATTERN

PREFIX: Final = "gbk_"
KEY_MAX: Final = 256
"""Longer ones are not hashed."""
ALL_PROJECTS: Final = "*"
BOOTSTRAP_KEYS_MAX: Final = 1000


class BootstrapKey(BaseModel):
    """A key of the keys file, which holds its hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=128)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    projects: tuple[Annotated[str, Field(pattern=rf"{OBJECT_ID_PATTERN}|^\*$")], ...] = Field(min_length=1)
    limits: dict[LimitName, Policy] = Field(default_factory=dict)
    """In place of the defaults; keys of the same name are counted as one."""
    expires_at: AwareDatetime | None = None


def new_key() -> str:
    """Return a new key."""
    return new_secret(PREFIX)


def is_well_formed(key: str) -> bool:
    """Return whether a key could have come from `new_key`."""
    return is_issued(key, PREFIX)


def key_hash(key: str) -> str:
    """Return the SHA-256 of a key in hexadecimal, the only form in which keys are kept."""
    return hashlib.sha256(key.encode()).hexdigest()


def bearer_key(header: str | None) -> str | None:
    """Return the key of an Authorization header, or None where it holds none."""
    scheme, _, key = (header or "").partition(" ")
    key = key.strip()
    return key if scheme.lower() == "bearer" and 0 < len(key) <= KEY_MAX and key.isascii() else None


def read_keys_file(path: Path | None) -> tuple[BootstrapKey, ...]:
    """Read the keys file; without one there are no keys.

    Raises:
        ConfigurationError: it is missing or invalid; the message holds nothing of its content.
    """
    if path is None:
        return ()
    known = {*BootstrapKey.model_fields, *range(BOOTSTRAP_KEYS_MAX)}
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        return tuple(TypeAdapter(list[BootstrapKey]).validate_python(listed[:BOOTSTRAP_KEYS_MAX]))
    except OSError as failure:
        reason = f"cannot be read: {failure.strerror}"
    except ValidationError as failure:
        # The entry and our field of it: a field that is not ours could be a misplaced key.
        found = [[part for part in error["loc"][:2] if part in known] for error in failure.errors()]
        places = sorted({".".join(map(str, place)) for place in found})
        reason = f"is not valid at {', '.join(places)}"
    except (ValueError, TypeError):
        reason = "is not a JSON list"
    raise ConfigurationError(f"GATHER_BRAIN_KEYS_FILE (file {path}): {reason}")
