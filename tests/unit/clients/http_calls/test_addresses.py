"""Addresses in settings: what can work is taken, what never can is named, in every room."""

from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from gather_brain.context.settings import PREFIX, ThemeSettings
from gather_brain.embeddings.settings import NEXT_PREFIX, ModelSettings
from gather_brain.settings import Settings as BrainSettings
from gather_bridge.settings import Settings as BridgeSettings
from gather_clients.configuration import ConfigurationError, read_settings
from gather_clients.http_calls.addresses import checked_address, checked_places
from gather_demo.seed.__main__ import Settings as SeedSettings
from gather_operator.settings import Settings as OperatorSettings
from gather_worker.settings import Settings as WorkerSettings

PASSWORD = "pass-of-12345"  # noqa: S105
NO_PORT = "has a port that is none of 1 to 65535"
ROOMS: list[tuple[type[BaseSettings], str | None, str]] = [
    (WorkerSettings, None, "BRAIN_SERVICE_BASE_URL"),
    (WorkerSettings, None, "GATHER_LLM_BASE_URL"),
    (WorkerSettings, None, "GATHER_LLM_PROXY"),
    (WorkerSettings, None, "GATHER_EVALUATION_CALLBACK_URL"),
    (OperatorSettings, None, "NEXT_PUBLIC_APP_URL"),
    (OperatorSettings, None, "GATHER_BRAIN_URL"),
    (BridgeSettings, None, "GATHER_BRIDGE_DOOR_URL"),
    (ThemeSettings, None, f"{PREFIX}BASE_URL"),
    (ModelSettings, NEXT_PREFIX, f"{NEXT_PREFIX}EMBEDDING_BASE_URL"),
    (SeedSettings, None, "BRAIN_SERVICE_BASE_URL"),
]


@pytest.mark.parametrize(
    "address",
    [
        "http://h",
        "https://h:443/v1/",
        "http://[::1]:8080",
        "https://h/v1?api-version=1#x",
        "http://h:",
        f"https://user:{PASSWORD}@h:65535",
        "HTTP://h",
    ],
)
def test_an_address_that_can_work_is_taken(address: str) -> None:
    """As it stands."""
    assert checked_address(address) == address


@pytest.mark.parametrize(
    ("address", "options", "said"),
    [
        ("", {}, "is not an http or https URL"),
        ("openrouter.ai/api/v1", {}, "is not an http or https URL"),
        (f"ftp://u:{PASSWORD}@h", {}, "is not an http or https URL"),
        ("http://", {}, "has no host"),
        ("http:///v1", {}, "has no host"),
        (f"http://u:{PASSWORD}@/v1", {}, "has no host"),
        ("http://h:99999", {}, NO_PORT),
        ("http://h:0", {}, NO_PORT),
        ("http://h:-1", {}, NO_PORT),
        ("http://h:8o8o", {}, NO_PORT),
        (f"http://u:{PASSWORD}@h:99999", {}, NO_PORT),
        ("http://[::1", {}, "is no address"),
        ("http://[::z]/", {}, "is no address"),
        ("http://h/a b", {}, "has a space"),
        ("http://h\n.evil", {}, "has a space"),
        (f"http://u:{PASSWORD}@h", {"has_user": False}, "has a user or a password"),
        ("http://@h", {"has_user": False}, "has a user or a password"),
        ("http://h/", {"has_path": False}, "has more than scheme, host and port"),
        ("http://h?x=1", {"has_path": False}, "has more than scheme, host and port"),
    ],
)
def test_an_address_that_never_can_says_why(address: str, options: dict[str, Any], said: str) -> None:
    """Without any part of it: it may hold a password."""
    with pytest.raises(ValueError, match=r"^(is|has) ") as caught:
        checked_address(address, **options)
    assert said in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "places", ["amqp://u:p@h:99999//", "sentinel://a:26379;sentinel://b:0", "redis://:p@:6379/0"]
)
def test_every_place_of_a_broker_is_looked_at(places: str) -> None:
    """Kombu would only say so when a department is finished."""
    with pytest.raises(ValueError, match=r"^has "):
        checked_places(places)
    assert checked_places("sentinel://a;sentinel://b:26379;memory://") is not None


@pytest.mark.parametrize(
    ("kind", "prefix", "variable"), ROOMS, ids=lambda each: getattr(each, "__module__", each)
)
def test_a_port_that_cannot_be_is_named_in_every_room(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: type[BaseSettings],
    prefix: str | None,
    variable: str,
) -> None:
    """Sent out, such an address would look like a service that is down."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv(variable, "http://service:99999")
    with pytest.raises(ConfigurationError) as caught:
        read_settings(kind, prefix=prefix)
    assert any(problem.startswith(f"{variable}: ") for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("kind", "variable", "value"),
    [
        (BrainSettings, "NEO4J_URI", "bolt://neo4j:99999"),
        (BrainSettings, "NEO4J_URI", f"neo4j://neo4j:{PASSWORD}@neo4j"),
        (BridgeSettings, "GATHER_BRIDGE_ALLOWED_ORIGINS", '["https://app:99999"]'),
        (WorkerSettings, "CELERY_BROKER_URL", f"amqp://u:{PASSWORD}@rabbit:99999//"),
        (WorkerSettings, "BRAIN_SERVICE_BASE_URL", f"http://u:{PASSWORD}@brain"),
    ],
)
def test_other_addresses_are_held_to_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: type[BaseSettings], variable: str, value: str
) -> None:
    """Of stores, brokers and pages."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        read_settings(kind)
    said = [problem for problem in caught.value.problems if problem.startswith(variable)]
    assert len(said) == 1
    assert PASSWORD not in said[0]
