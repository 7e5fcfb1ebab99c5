"""`python -m gather_demo.llm`: serve the demo model."""

from pydantic import Field

from gather_clients.configuration import exits_if_misconfigured, read_settings
from gather_demo.llm.chat_api import build_app
from gather_demo.llm.material import read_material
from gather_demo.service import ServiceSettings, serve


class Settings(ServiceSettings):
    """The demo model's settings."""

    delay_s: float = Field(default=0, ge=0, le=600, validation_alias="GATHER_DEMO_LLM_DELAY_S")
    """Time before every answer; `POST /demo/behaviour` changes it while the server runs."""
    repeat_share: float = Field(default=0.1, ge=0, le=1, validation_alias="GATHER_DEMO_LLM_REPEAT_SHARE")
    """Share of the notes that repeat others, word for word or nearly."""


def main() -> None:
    """Serve until SIGTERM."""
    with exits_if_misconfigured("demo-llm"):
        settings = read_settings(Settings)
    app = build_app(
        read_material(settings.language), delay_s=settings.delay_s, repeat_share=settings.repeat_share
    )
    serve("demo-llm", app, settings)


main()
