"""The database that the settings name."""

from functools import partial

from gather_brain.metrics import Metrics
from gather_brain.settings import Settings
from gather_brain.store.database import Database
from gather_clients.configuration import secret_now


def open_database(settings: Settings, metrics: Metrics | None = None) -> Database:
    """Return the database of the settings; it connects when it is first used.

    A password that Neo4j refuses is read again from its file, where it may have been replaced.
    """
    password = settings.neo4j_password

    def credentials(given: str) -> tuple[str, str]:
        return settings.neo4j_user, secret_now("NEO4J_PASSWORD", given)

    return Database(
        settings.neo4j_uri,
        None if password is None else partial(credentials, password.get_secret_value()),
        database=settings.neo4j_database,
        timeout_s=settings.neo4j_timeout_s,
        pool_size=settings.neo4j_pool_size,
        observe=metrics.query if metrics else None,
    )
