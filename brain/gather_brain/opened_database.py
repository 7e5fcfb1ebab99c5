"""The database that the settings name."""

from gather_brain.metrics import Metrics
from gather_brain.settings import Settings
from gather_brain.store.database import Database


def open_database(settings: Settings, metrics: Metrics | None = None) -> Database:
    """Return the database of the settings; it connects when it is first used."""
    password = settings.neo4j_password
    auth = None if password is None else (settings.neo4j_user, password.get_secret_value())
    return Database(
        settings.neo4j_uri,
        auth,
        database=settings.neo4j_database,
        timeout_s=settings.neo4j_timeout_s,
        pool_size=settings.neo4j_pool_size,
        observe=metrics.query if metrics else None,
    )
