"""The database that the settings name."""

from neo4j.auth_management import AsyncAuthManager, AsyncAuthManagers

from gather_brain.metrics import Metrics
from gather_brain.settings import Settings
from gather_brain.store.database import Database
from gather_clients.configuration import secret_now


def open_database(settings: Settings, metrics: Metrics | None = None) -> Database:
    """Return the database of the settings; it connects when it is first used.

    A password that Neo4j refuses is read again from its file, where it may have been replaced.
    """
    password = settings.neo4j_password
    auth = None if password is None else _credentials(settings.neo4j_user, password.get_secret_value())
    return Database(
        settings.neo4j_uri,
        auth,
        database=settings.neo4j_database,
        timeout_s=settings.neo4j_timeout_s,
        pool_size=settings.neo4j_pool_size,
        observe=metrics.query if metrics else None,
    )


def _credentials(user: str, given: str) -> AsyncAuthManager:
    async def read() -> tuple[str, str]:
        return user, secret_now("NEO4J_PASSWORD", given)

    return AsyncAuthManagers.basic(read)
