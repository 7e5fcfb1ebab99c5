"""`python -m gather_demo.cms`: serve the demo CMS."""

from pathlib import Path

from pydantic import Field, SecretStr
from yaml import YAMLError

from gather_clients.configuration import ConfigurationError, exits_if_misconfigured, read_settings
from gather_demo.cms.cms_api import build_app, read_departments, shipped_departments
from gather_demo.service import ServiceSettings, serve


class Settings(ServiceSettings):
    """The demo CMS's settings."""

    departments_file: Path | None = Field(default=None, validation_alias="GATHER_DEMO_DEPARTMENTS_FILE")
    """YAML list of departments, in Payload's field names; unset: the demo's own, in its language."""
    api_key: SecretStr | None = Field(default=None, min_length=1, validation_alias="PAYLOAD_API_KEY")
    """With it, only those who send it may read; unset: everybody."""


def main() -> None:
    """Serve the departments of the file that the settings name."""
    with exits_if_misconfigured("demo-cms"):
        settings = read_settings(Settings)
        try:
            departments = (
                read_departments(settings.departments_file)
                if settings.departments_file
                else shipped_departments(settings.language)
            )
        except (OSError, YAMLError, TypeError) as error:
            reason = f"no YAML list of departments can be read: {type(error).__name__}"
            raise ConfigurationError(f"GATHER_DEMO_DEPARTMENTS_FILE: {reason}") from None
    key = settings.api_key.get_secret_value() if settings.api_key else None
    serve("demo-cms", build_app(departments, key), settings)


main()
