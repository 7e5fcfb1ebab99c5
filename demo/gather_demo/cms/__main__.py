"""`python -m gather_demo.cms`: serve the demo CMS."""

from pathlib import Path

from pydantic import Field

from gather_demo.cms.cms_api import DEPARTMENTS_FILE, build_app, read_departments
from gather_demo.service import ServiceSettings, serve


class Settings(ServiceSettings):
    """The demo CMS's settings."""

    departments_file: Path = Field(default=DEPARTMENTS_FILE, validation_alias="GATHER_DEMO_DEPARTMENTS_FILE")
    """YAML list of departments, in Payload's field names."""


def main() -> None:
    """Serve the departments of the settings' file."""
    settings = Settings()
    serve(build_app(read_departments(settings.departments_file)), settings)


main()
