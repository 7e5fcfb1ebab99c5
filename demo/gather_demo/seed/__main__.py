"""`python -m gather_demo.seed`: write the example project; waits for the stores."""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from pymongo import AsyncMongoClient, ReplaceOne
from pymongo.errors import PyMongoError

from gather_clients.brain_client import BrainClient
from gather_clients.brain_errors import BrainRejected, BrainUnavailable
from gather_clients.configuration import LogLevel, exits_if_misconfigured, read_settings, secrets_of
from gather_clients.http_calls.addresses import PlainAddress
from gather_clients.logs import configure_logging, hide_in_logs
from gather_contracts.names import ITEMS_COLLECTION, gather_database
from gather_contracts.result import ExitCode
from gather_demo.languages import LANGUAGE_VARIABLE, Language
from gather_demo.seed.application_collection import make_collection
from gather_demo.seed.project import Project, read_project
from gather_demo.service import LABEL

RETRY_S: Final = 3.0
ATTEMPT_S: Final = 20.0

_LOGGER = logging.getLogger("gather_demo.seed")


class Settings(BaseSettings):
    """Where to write; secrets are files of these names in `GATHER_SECRETS_DIR`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False)

    mongodb_uri: SecretStr = Field(validation_alias="MONGODB_URI")
    brain_url: PlainAddress = Field(validation_alias="BRAIN_SERVICE_BASE_URL")
    brain_api_key: SecretStr = Field(validation_alias="BRAIN_SERVICE_API_KEY")
    patience_s: float = Field(default=1200, ge=1, le=7200, validation_alias="GATHER_DEMO_SEED_PATIENCE_S")
    """How long to wait for a store; the brain comes with another release, which a person installs later."""
    language: Language = Field(default=Language.EN, validation_alias=LANGUAGE_VARIABLE)
    log_level: LogLevel = Field(default="INFO", validation_alias="GATHER_LOG_LEVEL")


class StoreUnavailableError(RuntimeError):
    """A store was unavailable for too long; the message says which and why."""


async def seed_mongodb(uri: str, project: Project) -> int:
    """Write the notes into MongoDB and return how many were not there before."""
    async with AsyncMongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=5000) as client:
        database = client[gather_database(project.project_id)]
        if await make_collection(database):
            _LOGGER.info("made the collection with the application's validator and indexes")
        collection = database[ITEMS_COLLECTION]
        writes = [ReplaceOne({"_id": item["_id"]}, item, upsert=True) for item in project.items()]
        return (await collection.bulk_write(writes)).upserted_count


async def seed_brain(brain: BrainClient, project: Project) -> int:
    """Write the notes into the brain and return how many were not there before."""
    return (await brain.create_nodes(project.nodes(), deadline_s=ATTEMPT_S)).created


async def patiently(
    what: str, attempt: Callable[[], Awaitable[int]], patience_s: float, absent: type[Exception]
) -> int:
    """Return the attempt's result, trying again while it raises `absent`; raises StoreUnavailableError."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return await attempt()
        except absent as error:
            if time.monotonic() > deadline:
                raise StoreUnavailableError(
                    f"{what} was unavailable for {patience_s:.0f} s: {error}"
                ) from error
            _LOGGER.info("waiting for %s: %s", what, str(error)[:200])
        await asyncio.sleep(RETRY_S)


async def seed(settings: Settings, project: Project) -> None:
    """Write the project into both stores."""
    uri, key = settings.mongodb_uri.get_secret_value(), settings.brain_api_key.get_secret_value()
    new = await patiently("MongoDB", lambda: seed_mongodb(uri, project), settings.patience_s, PyMongoError)
    _LOGGER.info("MongoDB has the %d notes, %d of them new", len(project.notes), new)
    async with BrainClient(settings.brain_url, key) as brain:
        new = await patiently(
            "the brain", lambda: seed_brain(brain, project), settings.patience_s, BrainUnavailable
        )
    _LOGGER.info("the brain has the %d notes, %d of them new", len(project.nodes()), new)


def main() -> None:
    """Seed and exit: 0 done, 75 a store is unavailable, 64 wrong settings, or the brain refuses."""
    with exits_if_misconfigured("demo-seed"):
        settings = read_settings(Settings)
    configure_logging("demo-seed", settings.log_level)
    hide_in_logs(secrets_of(settings))
    project = read_project(settings.language)
    _LOGGER.warning("%s: seeding the example project %s", LABEL, project.project_id)
    try:
        asyncio.run(seed(settings, project))
    except StoreUnavailableError:
        _LOGGER.exception("gave up")
        sys.exit(ExitCode.TRY_AGAIN)
    except BrainRejected:
        _LOGGER.exception("the brain refuses the notes or the key")
        sys.exit(ExitCode.NEVER)


if __name__ == "__main__":
    main()
