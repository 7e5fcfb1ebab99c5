"""The bridge's composition root: settings, logs, the application, and nothing else."""

import logging
import sys

from pydantic import ValidationError
from pythonjsonlogger.json import JsonFormatter

from gather_bridge.bridge import Bridge
from gather_bridge.errors import TokensFileError
from gather_bridge.routes import build_app
from gather_bridge.server import build_server
from gather_bridge.settings import read_settings

logger = logging.getLogger(__name__)

EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h."""


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    try:
        settings = read_settings()
        set_up_logging(settings.log_level)
        bridge = Bridge(settings)
    except (ValidationError, TokensFileError) as error:
        sys.stderr.write(f"gather-bridge: {_without_input(error)}\n")
        raise SystemExit(EXIT_CONFIG) from None
    if settings.allow_anonymous:
        logger.warning("anyone may listen to any project: for trying out only")
    logger.info("serving", extra={"port": settings.port})
    build_server(build_app(bridge), settings).run()


def set_up_logging(level: str) -> None:
    """Send JSON lines to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields={"asctime": "at"})
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _without_input(error: Exception) -> str:
    """Return the error's words without the values that it was given: they can be secrets."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return str(error)


if __name__ == "__main__":
    main()
