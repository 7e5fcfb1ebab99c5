"""With which secrets a project's events are signed: the one for all, or the project's own from a file.

The file is a JSON list of {projects, secrets}, from a Secret, and is read again when it changes. While a
secret is being replaced both stand in it, and every event bears a signature by each.
"""

import base64
import binascii
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from gather_bridge.errors import SecretsFileError
from gather_bridge.watched_file import WatchedFile
from gather_contracts.names import OBJECT_ID_PATTERN

logger = logging.getLogger(__name__)

SECRETS_MAX: Final = 2
"""The new one and the old one."""
STANDARD_PREFIX: Final = "whsec_"
"""Standard Webhooks': what follows is the key in base64."""
RELOAD_INTERVAL_S: Final = 5
"""The kubelet takes up to a minute to bring a changed Secret; looking more often gains nothing."""
VARIABLE: Final = "GATHER_BRIDGE_WEBHOOK_SECRETS_FILE"


class ProjectSecrets(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    projects: tuple[Annotated[str, Field(pattern=OBJECT_ID_PATTERN)], ...] = Field(min_length=1)
    secrets: tuple[Annotated[SecretStr, Field(min_length=16, max_length=512)], ...] = Field(
        min_length=1, max_length=SECRETS_MAX
    )
    """The newest first."""


_LINES: TypeAdapter[list[ProjectSecrets]] = TypeAdapter(
    Annotated[list[ProjectSecrets], Field(max_length=10_000)]
)


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for: its bytes, or what follows `whsec_` in base64."""
    if secret.startswith(STANDARD_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def read_secrets(path: Path) -> dict[str, tuple[bytes, ...]]:
    """Return the keys by project; none if there is no file. Raises SecretsFileError."""
    try:
        lines = _LINES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SecretsFileError(f"{VARIABLE}: the file cannot be read: {error.strerror}") from None
    except ValidationError as error:
        known = {*ProjectSecrets.model_fields}
        places = {
            ".".join(str(p) for p in e["loc"] if isinstance(p, int) or p in known) for e in error.errors()
        }
        where = ", ".join(sorted(filter(None, places))) or "its top"
        raise SecretsFileError(f"{VARIABLE}: the file is malformed at: {where}") from None
    found: dict[str, tuple[bytes, ...]] = {}
    for line in lines:
        keys = tuple(key_of(secret.get_secret_value()) for secret in line.secrets)
        for project in line.projects:
            if found.setdefault(project.lower(), keys) != keys:
                raise SecretsFileError(f"{VARIABLE}: a project stands in the file twice")
    return found


class SigningKeys:
    """The keys of every project; looks at the file once in `RELOAD_INTERVAL_S` at most."""

    def __init__(
        self, default: str, path: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`default` signs for projects that the file does not name. Raises SecretsFileError."""
        self._default = (key_of(default),)
        self._file = WatchedFile(path, RELOAD_INTERVAL_S, clock) if path is not None else None
        self._keys = read_secrets(path) if path is not None else {}

    def of_project(self, project_id: str) -> tuple[bytes, ...]:
        """Return the keys that sign for a project, the newest first."""
        self._reload_if_changed()
        return self._keys.get(project_id.lower(), self._default)

    def _reload_if_changed(self) -> None:
        if self._file is None or not self._file.has_changed():
            return
        try:
            self._keys = read_secrets(self._file.path)
            logger.info("webhooks' secrets read again", extra={"projects": len(self._keys)})
        except SecretsFileError as error:
            logger.warning("webhooks' secrets not read again; those before stay", extra={"error": str(error)})
