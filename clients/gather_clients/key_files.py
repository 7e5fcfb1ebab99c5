"""A file of API keys out of a Secret: a JSON list of entries that hold each key's hash, never the key."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gather_clients.configuration import ConfigurationError
from gather_contracts.names import OBJECT_ID_PATTERN

KEYS_MAX: Final = 1000


class ListedKey(BaseModel):
    """One entry of a keys file; each API adds its limits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=128)
    """Whose it is; keys of the same name are counted as one."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    projects: tuple[Annotated[str, Field(pattern=rf"{OBJECT_ID_PATTERN}|^\*$")], ...] = Field(min_length=1)
    expires_at: AwareDatetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Return whether it opens anything now."""
        return self.expires_at is None or now < self.expires_at


KeyT = TypeVar("KeyT", bound=ListedKey)


def read_listed_keys(path: Path, kind: type[KeyT], variable: str) -> tuple[KeyT, ...]:
    """Return the entries of a keys file, which `variable` names.

    Raises:
        ConfigurationError: it is missing or invalid; the message holds nothing of its content.
    """
    known = {*kind.model_fields, *range(KEYS_MAX)}
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        return tuple(TypeAdapter(list[kind]).validate_python(listed[:KEYS_MAX]))  # type: ignore[valid-type]
    except OSError as failure:
        reason = f"cannot be read: {failure.strerror}"
    except ValidationError as failure:
        # The entry and our field of it: a field that is not ours could be a misplaced key.
        found = [[part for part in error["loc"][:2] if part in known] for error in failure.errors()]
        places = sorted({".".join(map(str, place)) for place in found})
        reason = f"is not valid at {', '.join(places)}"
    except (ValueError, TypeError):
        reason = "is not a JSON list"
    raise ConfigurationError(f"{variable} (file {path}): {reason}")
