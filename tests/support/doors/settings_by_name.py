"""A room's settings from values under their fields' names, where an environment has them by variable."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic_settings import BaseSettings

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def settings_by_name(kind: type[SettingsT], values: Mapping[str, Any]) -> SettingsT:
    """Return the settings; a name that is no field is handed on as it is, such as a variable."""
    fields = kind.model_fields
    aliases = {name: field.validation_alias or name for name, field in fields.items()}
    return kind.model_validate({aliases.get(name, name): value for name, value in values.items()})
