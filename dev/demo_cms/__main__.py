"""`python -m dev.demo_cms`: serve the demo CMS."""

from pathlib import Path

from pydantic import Field

from dev.demo_base.service import ServiceSettings, serve
from dev.demo_cms.app import DEPARTMENTS_FILE, build_app, read_departments


class Settings(ServiceSettings):
    """The demo CMS's settings."""

    departments_file: Path = Field(default=DEPARTMENTS_FILE, validation_alias="GATHER_DEMO_DEPARTMENTS_FILE")
    """YAML list of departments, in Payload's field names."""


def main() -> None:
    """Serve the departments of the settings' file."""
    settings = Settings()
    serve(build_app(read_departments(settings.departments_file)), settings)


main()
