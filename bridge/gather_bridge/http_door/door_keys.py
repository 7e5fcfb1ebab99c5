"""Who asks: keys of a file, each bound to projects, read again when it changes."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from pydantic import Field

from gather_bridge.http_door.door_errors import KeyRefused, TaskMissing
from gather_bridge.http_door.door_settings import KEYS_VARIABLE
from gather_bridge.watched_file import WatchedFile
from gather_clients.configuration import ConfigurationError
from gather_clients.issued_secrets import ALL_PROJECTS, secret_hash
from gather_clients.key_files import ListedKey, read_listed_keys
from gather_clients.limits.gcra import Policy

logger = logging.getLogger(__name__)

KEY_MAX: Final = 256
"""A longer text is no key and is not hashed."""
RELOAD_INTERVAL_S: Final = 2.0
"""Between two looks at the file."""

LimitName = Literal["submit", "status", "cancel", "unknown"]

DEFAULTS: Final[Mapping[LimitName, Policy]] = MappingProxyType(
    {
        "submit": Policy(per_minute=60, burst=120),
        "status": Policy(per_minute=6000, burst=600),
        "cancel": Policy(per_minute=60, burst=120),
        "unknown": Policy(per_minute=120, burst=240),
    }
)
"""For each key. 100 tasks at once are asked for (reference: the platform's queue), and 200 that are polled
every 2 s. "unknown" is for names that the door does not know: each is a call of the Kubernetes API."""


class DoorKey(ListedKey):
    """An entry of the keys file."""

    limits: dict[LimitName, Policy] = Field(default_factory=dict)
    """In place of the defaults."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key it is, and what it may use."""

    name: str
    projects: frozenset[str]
    limits: Mapping[LimitName, Policy] = field(default_factory=dict)

    def policy(self, name: LimitName) -> Policy:
        """Return the key's own limit, or the default."""
        return self.limits.get(name, DEFAULTS[name])

    def may_use(self, project_id: str) -> bool:
        """Return whether the key is for this project."""
        return ALL_PROJECTS in self.projects or project_id.lower() in self.projects

    def require(self, project_id: str, message: str = "Project not found") -> None:
        """Raise TaskMissing, as for what does not exist, unless the key is for this project."""
        if not self.may_use(project_id):
            logger.warning("project refused", extra={"key": self.name})
            raise TaskMissing(message)


class DoorKeys:
    """The keys of the file as it was when it was last readable."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`clock` counts seconds. Raises ConfigurationError, also if the file names nobody."""
        self._now = now
        self._file = WatchedFile(path, RELOAD_INTERVAL_S, clock)
        self._keys = _read(path)
        if not self._keys:
            raise ConfigurationError(
                f"{KEYS_VARIABLE} (file {path}): names nobody; `gather-bridge http-key` makes an entry"
            )

    def caller_of(self, key: str | None) -> Caller:
        """Return whose key it is; raises KeyRefused."""
        self._reload_if_changed()
        if key is None or not 0 < len(key) <= KEY_MAX:
            raise KeyRefused
        found = self._keys.get(secret_hash(key))
        if found is None or not found.is_valid(self._now()):
            raise KeyRefused
        projects = frozenset(project.lower() for project in found.projects)
        return Caller(found.name, projects, found.limits)

    def _reload_if_changed(self) -> None:
        if not self._file.has_changed():
            return
        try:
            self._keys = _read(self._file.path)
            logger.info("keys file read again", extra={"keys": len(self._keys)})
        except ConfigurationError as error:
            logger.warning(
                "keys file not read again; the keys read before stay valid", extra={"error": str(error)}
            )


def _read(path: Path) -> dict[str, DoorKey]:
    return {key.sha256: key for key in read_listed_keys(path, DoorKey, KEYS_VARIABLE)}
