"""Where a room's Redis is, and how it is reached: one server, or the primary that Sentinels name.

`redis://`, `rediss://` and `unix://` are addresses of a server; Sentinels are
`redis+sentinel://[user:password@]host:26379[,host:26379…]/NAME[/database]`, with TLS `rediss+sentinel://`.
The user and the password are read again from their file at each connection, so that they can be changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import ParseResult, parse_qsl, unquote, urlencode, urlparse

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from gather_clients.configuration import AuthoritiesFile, secret_now

SENTINEL: Final = "+sentinel"
SENTINEL_PORT: Final = 26379
PORT: Final = 6379
SCHEMES: Final = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
OPTIONS: Final = frozenset(
    {"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname", "protocol", "db"}
)
"""What may stand after the question mark; a time-out there would go before ours."""
SENTINEL_OPTIONS: Final = frozenset({"sentinel_username", "sentinel_password"})
MALFORMED: Final = "is not the address of a Redis; special characters of a password need %-codes"


def celery_address(url: str, ca_file: Path | None) -> str:
    """Return an address with which Celery checks the server's certificate, as everybody else does unasked.

    By default kombu's Redis transport trusts any. What the address itself says stands.
    """
    if not url.startswith("rediss://") or "ssl_cert_reqs=" in url:
        return url
    checks = {
        "ssl_cert_reqs": "required",
        **({"ssl_ca_certs": str(ca_file)} if ca_file and "ssl_ca_certs=" not in url else {}),
    }
    return f"{url}{'&' if '?' in url else '?'}{urlencode(checks)}"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """What an address says."""

    scheme: str
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    """Of a Unix socket."""
    service: str = ""
    """The name by which Sentinels know the primary."""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def has_tls(self) -> bool:
        """Return whether the server is spoken to with TLS."""
        return self.scheme.startswith("rediss")


def read_address(url: str) -> RedisAddress:
    """Return what the address says; raises ValueError, without any part of it: it holds a password."""
    try:
        return _read(urlparse(url))
    except ValueError:
        raise ValueError(MALFORMED) from None


def names_sentinels(url: str) -> bool:
    """Return whether the address is that of Sentinels."""
    return url.partition(":")[0].endswith(SENTINEL)


def _read(parsed: ParseResult) -> RedisAddress:
    options = dict(parse_qsl(parsed.query, keep_blank_values=True, strict_parsing=bool(parsed.query)))
    is_sentinel = parsed.scheme.endswith(SENTINEL)
    unknown = set(options) - OPTIONS - (SENTINEL_OPTIONS if is_sentinel else set())
    if parsed.scheme not in SCHEMES or unknown or parsed.fragment or parsed.params:
        raise ValueError(MALFORMED)
    user, _, places = parsed.netloc.rpartition("@")
    name, _, password = user.partition(":")
    known: dict[str, Any] = {
        "scheme": parsed.scheme,
        "username": unquote(name) or None,
        "password": unquote(password) or None,
    }
    if parsed.scheme == "unix":
        if not parsed.path or places:
            raise ValueError(MALFORMED)
        return RedisAddress(
            path=unquote(parsed.path), database=int(options.pop("db", 0)), options=options, **known
        )
    parts = [unquote(part) for part in parsed.path.split("/")[1:]]
    if is_sentinel:
        known["service"] = parts.pop(0) if parts else ""
    known["database"] = int(options.pop("db", 0) if not parts or parts == [""] else parts.pop(0))
    port = SENTINEL_PORT if is_sentinel else PORT
    hosts = tuple(_host(place, port) for place in places.split(","))
    is_whole = is_sentinel == bool(known.get("service")) and (is_sentinel or len(hosts) == 1)
    if not is_whole or any(parts) or known["database"] < 0:
        raise ValueError(MALFORMED)
    return RedisAddress(hosts=hosts, options=options, **known)


def _host(place: str, port: int) -> tuple[str, int]:
    parsed = urlparse(f"//{place}")
    if not parsed.hostname or " " in place or parsed.port == 0:
        raise ValueError(MALFORMED)
    return parsed.hostname, parsed.port or port


def _checked(url: SecretStr) -> SecretStr:
    read_address(url.get_secret_value())
    return url


RedisUrl = Annotated[SecretStr, AfterValidator(_checked)]
"""A setting that `redis_calls.connect` takes."""


@dataclass(frozen=True, slots=True)
class RedisPlace:
    """One Redis, and the part of it that is this release's."""

    url: str = field(repr=False)
    ca_file: Path | None = None
    """PEM file of the authorities that vouch for the server, in place of the system's."""
    key_prefix: str = ""
    """Before every key and every channel."""
    variable: str = ""
    """The secret that `url` was read from, and is read from again."""

    def url_now(self) -> str:
        """Return the address as its file has it now."""
        return secret_now(self.variable, self.url) if self.variable else self.url

    def key(self, name: str) -> str:
        """Return the name of a key or a channel as it stands in this Redis."""
        return self.key_prefix + name


def place_of(where: "str | RedisPlace") -> RedisPlace:
    """Return where an address alone leads to, for trying out."""
    return where if isinstance(where, RedisPlace) else RedisPlace(where)


class RedisSettings(BaseSettings):
    """Where Redis is; every room has these settings."""

    redis_url: RedisUrl = Field(validation_alias="REDIS_URL")
    redis_timeout_s: float = Field(default=2, ge=0.1, le=30, validation_alias="GATHER_REDIS_TIMEOUT_S")
    """For each call."""
    redis_ca_file: AuthoritiesFile | None = Field(default=None, validation_alias="GATHER_REDIS_CA_FILE")
    """A PEM file of the authorities that vouch for Redis; unset: the system's."""
    redis_key_prefix: str = Field(
        default="", pattern=r"^[A-Za-z0-9_.:-]{0,64}$", validation_alias="GATHER_REDIS_KEY_PREFIX"
    )
    """Before every key and channel; each release on one Redis has its own. All rooms need the same one."""

    @model_validator(mode="after")
    def _has_tls(self) -> Self:
        url = self.redis_url.get_secret_value() if self.redis_url else ""
        if self.redis_ca_file and url and not read_address(url).has_tls:
            raise ValueError("GATHER_REDIS_CA_FILE needs a REDIS_URL that begins with rediss://")
        return self

    @property
    def redis(self) -> RedisPlace:
        """Return the place."""
        url = self.redis_url.get_secret_value() if self.redis_url else ""
        return RedisPlace(url, self.redis_ca_file, self.redis_key_prefix, "REDIS_URL")
