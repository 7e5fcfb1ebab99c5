"""Start a demo service: JSON logs, a plain warning that it is a demo, and uvicorn."""

import logging

import uvicorn
from fastapi import FastAPI
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from gather_clients.configuration import LogLevel
from gather_clients.logs import configure_logging
from gather_demo.languages import LANGUAGE_VARIABLE, Language

LABEL = "demo service of Gather: for trying out and for tests, not for production"

_LOGGER = logging.getLogger(__name__)


class ServiceSettings(BaseSettings):
    """The settings of every demo service."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    port: int = Field(default=8080, ge=0, le=65535, validation_alias="GATHER_DEMO_PORT")
    language: Language = Field(default=Language.EN, validation_alias=LANGUAGE_VARIABLE)
    """Of all that it says."""
    log_level: LogLevel = Field(default="INFO", validation_alias="GATHER_LOG_LEVEL")


def new_app(title: str, description: str) -> FastAPI:
    """Return an application with the probes and without the answers of FastAPI's own documentation pages."""
    app = FastAPI(title=f"{title} ({LABEL})", description=description)

    @app.get("/healthz")
    @app.get("/readyz")
    async def healthy() -> dict[str, str]:
        """Answer the probes; a demo service depends on nothing."""
        return {"status": "ok", "service": f"{title} ({LABEL})"}

    return app


def serve(name: str, app: FastAPI, settings: ServiceSettings) -> None:
    """Serve until SIGTERM; `name` is the service's in the logs."""
    configure_logging(name, settings.log_level)
    _LOGGER.warning("%s starts on port %d", app.title, settings.port)
    uvicorn.run(
        app,
        host="",  # every address, IPv4 and IPv6
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        limit_concurrency=200,
    )
