"""The outbox's settings, the same in the operator and in the bridge, which must agree on it."""

from typing import TYPE_CHECKING

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from gather_clients.configuration import ConfigurationError

if TYPE_CHECKING:
    from gather_clients.outbox.outbox_store import Outbox

TIMEOUT_S = 2.0


class OutboxSettings(BaseSettings):
    """Whether events for webhooks go through the outbox, and where that is."""

    has_outbox: bool = Field(default=False, validation_alias="GATHER_OUTBOX")
    """Operator and bridge say the same."""
    mongodb_uri: SecretStr | None = Field(default=None, validation_alias="MONGODB_URI")
    """Where the outbox is; needs the role readWrite on the database `gather-outbox` alone."""

    @model_validator(mode="after")
    def _outbox_has_a_place(self) -> "OutboxSettings":
        if self.has_outbox and not (self.mongodb_uri and self.mongodb_uri.get_secret_value()):
            raise ValueError("GATHER_OUTBOX is true, so MONGODB_URI must say where the outbox is")
        return self


def open_outbox(settings: OutboxSettings) -> "Outbox | None":
    """Return the outbox, None where there is none to be used; raises ConfigurationError.

    The MongoDB driver is imported only here: it takes 14 MB.
    """
    if not settings.has_outbox or settings.mongodb_uri is None:
        return None
    from gather_clients.outbox.outbox_store import Outbox  # noqa: PLC0415 - see above

    try:
        return Outbox(settings.mongodb_uri.get_secret_value(), TIMEOUT_S)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
