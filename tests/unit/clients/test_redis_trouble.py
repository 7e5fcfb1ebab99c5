"""What a Redis that refuses is said to be: never an unavailable one, and always with the setting's name."""

import pytest
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import AuthenticationError, BusyLoadingError, NoPermissionError, ResponseError

from gather_clients.redis_calls import NOT_NAMED, SENTINELS_REFUSE, trouble

SENTINEL = "Redis<ConnectionPool<Connection<host=s,port=26379,db=0>>>"


SAID = {
    "password": (
        AuthenticationError("WRONGPASS"),
        "REDIS_URL: Redis refuses its user or password: WRONGPASS",
    ),
    "rights": (NoPermissionError("no eval"), "REDIS_URL: its user lacks a permission (ACL): no eval"),
    "sentinels' password": (
        MasterNotFoundError(f"No master found for 'm' : {SENTINEL} - AuthenticationError('NOAUTH')"),
        f"{SENTINELS_REFUSE}: No master found for 'm'",
    ),
    "sentinels away": (
        MasterNotFoundError(f"No master found for 'm' : {SENTINEL} - ConnectionError('refused')"),
        f"{NOT_NAMED}: No master found for 'm'",
    ),
    "away": (BusyLoadingError("loading"), "loading"),
    "certificate": (ResponseError("certificate verify failed"), "GATHER_REDIS_CA_FILE: "),
}


@pytest.mark.parametrize("case", SAID)
def test_a_refusal_names_its_setting(case: str) -> None:
    """Sentinels' own refusals stand inside of the library's error about a primary that is not found."""
    error, said = SAID[case]
    assert trouble(error).startswith(said)
