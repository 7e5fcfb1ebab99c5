"""A MongoDB that is optional: few connections, and no wait for the network without an end."""

from typing import Any, Final

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

POOL_MAX: Final = 4


def open_client(
    uri: str, timeout_s: float, appname: str, *, answer_s: float = 0.0, **options: Any
) -> AsyncMongoClient[dict[str, Any]]:
    """Return a client whose every wait is at most `timeout_s`, and for an answer `answer_s` more.

    Raises ValueError if `uri` is no address, without any part of it.
    """
    limit_ms = int(timeout_s * 1000)
    try:
        return AsyncMongoClient(
            uri,
            serverSelectionTimeoutMS=limit_ms,
            connectTimeoutMS=limit_ms,
            socketTimeoutMS=limit_ms + int(answer_s * 1000),
            maxPoolSize=POOL_MAX,
            tz_aware=True,
            appname=appname,
            **options,
        )
    except (PyMongoError, ValueError):
        raise ValueError("MONGODB_URI: is not the address of a MongoDB") from None
