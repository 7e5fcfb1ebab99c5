"""Addresses of Redis: what is taken, what is refused without any part of it, and how rooms read them."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_settings import SettingsConfigDict

from gather_clients.configuration import ConfigurationError, read_settings
from gather_clients.redis_calls import FileCredentials, connect
from gather_clients.redis_place import (
    RedisPlace,
    RedisSettings,
    RedisUrl,
    celery_address,
    read_address,
)


class Settings(RedisSettings):
    """A room's."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")


@pytest.mark.parametrize(
    ("url", "hosts", "service", "database"),
    [
        ("redis://h", (("h", 6379),), "", 0),
        ("redis://h:1/7", (("h", 1),), "", 7),
        ("redis://h?db=7", (("h", 6379),), "", 7),
        ("redis://[::1]:6380/0", (("::1", 6380),), "", 0),
        ("rediss://u:p@h:1/2?ssl_cert_reqs=required", (("h", 1),), "", 2),
        ("unix:///run/redis.sock?db=3", (), "", 3),
        ("redis+sentinel://h/film", (("h", 26379),), "film", 0),
        ("rediss+sentinel://:p@h:1,j/film/4?sentinel_password=s", (("h", 1), ("j", 26379)), "film", 4),
    ],
)  # fmt: skip
async def test_an_address_says_where_and_a_client_can_be_made_of_it(
    url: str, hosts: tuple[tuple[str, int], ...], service: str, database: int
) -> None:
    """Of a server, a socket or Sentinels."""
    address = read_address(url)
    assert (address.hosts, address.service, address.database) == (hosts, service, database)
    client = connect(url, 1)
    assert client.connection_pool.connection_kwargs["db"] == database
    await client.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "", "h:6379", "http://h", "redis://", "redis://:secret@", "redis://h:0", "redis://h:99999", "redis://h:x",
        "redis://h/x", "redis://h/-1", "redis://h/1/2", "redis://h#secret", "redis://:secret/more@h", "redis://a,b",
        "redis://h?socket_timeout=secret", "redis://h?db=x", "redis://h?secret", "unix://", "unix://h/x",
        "redis+sentinel://h", "redis+sentinel://h/", "redis+sentinel://h/film/x", "redis+cluster://h",
        "redis://ho st",
    ],
)  # fmt: skip
def test_what_leads_nowhere_is_refused_without_any_part_of_it(url: str) -> None:
    """The library would take some of these and connect to this machine, or wait without end."""
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(RedisUrl).validate_python(url)
    assert "secret" not in refused.value.errors()[0]["msg"]


def test_user_and_password_are_read_again_and_kept_while_the_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kubelet replaces a Secret's files; a place that is of no secret reads none."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    file = tmp_path / "REDIS_URL"
    credentials = FileCredentials(RedisPlace("redis://:a%23b@h", variable="REDIS_URL"))
    assert credentials.get_credentials() == ("a#b",)
    file.write_text("redis://user:new@h\n")
    assert credentials.get_credentials() == ("user", "new")
    assert FileCredentials(RedisPlace("redis://:a%23b@h")).get_credentials() == ("a#b",)
    file.write_text("half of")
    assert credentials.get_credentials() == ("a#b",)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("GATHER_REDIS_CA_FILE", "/none", "GATHER_REDIS_CA_FILE: is not a file of PEM certificates"),
        ("GATHER_REDIS_KEY_PREFIX", "a b", "GATHER_REDIS_KEY_PREFIX: String should match"),
        ("REDIS_URL", "redis://:secret@", "REDIS_URL: is not the address of a Redis"),
    ],
)
def test_a_wrong_setting_is_named(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every room, without its value."""
    monkeypatch.setenv("REDIS_URL", "redis://h")
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as refused:
        read_settings(Settings)
    (problem,) = refused.value.problems
    assert problem.startswith(said)
    assert "secret" not in problem


def test_a_ca_file_needs_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Else it would be passed over without a word."""
    file = tmp_path / "empty.pem"
    file.write_text("")
    monkeypatch.setenv("REDIS_URL", "redis://h")
    monkeypatch.setenv("GATHER_REDIS_CA_FILE", str(file))
    with pytest.raises(ConfigurationError, match="GATHER_REDIS_CA_FILE"):
        read_settings(Settings)


def test_the_place_knows_its_file_and_its_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A variable of the environment goes before the file, and has none."""
    (tmp_path / "REDIS_URL").write_text("redis://h")
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("GATHER_REDIS_KEY_PREFIX", "staging:")
    place = read_settings(Settings).redis
    assert (place.url_now(), place.key("x")) == ("redis://h", "staging:x")
    (tmp_path / "REDIS_URL").write_text("redis://:new@h")
    assert place.url_now() == "redis://:new@h"
    monkeypatch.setenv("REDIS_URL", "redis://h")
    assert read_settings(Settings).redis.url_now() == "redis://h"


@pytest.mark.parametrize(
    ("url", "file", "expected"),
    [
        ("redis://h/0", None, "redis://h/0"),
        ("rediss://h/0", None, "rediss://h/0?ssl_cert_reqs=required"),
        ("rediss://h/0", "/ca.pem", "rediss://h/0?ssl_cert_reqs=required&ssl_ca_certs=%2Fca.pem"),
        ("rediss://h/0?ssl_ca_certs=/a", "/b", "rediss://h/0?ssl_ca_certs=/a&ssl_cert_reqs=required"),
        ("rediss://h/0?ssl_cert_reqs=none", "/b", "rediss://h/0?ssl_cert_reqs=none"),
        ("amqps://h", None, "amqps://h"),
    ],
)
def test_celery_checks_certificates_too(url: str, file: str | None, expected: str) -> None:
    """Unless the address says otherwise."""
    assert celery_address(url, Path(file) if file else None) == expected
