"""The pure parts of the stores: Java's version, Neo4j's settings, free ports."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from dev.artefacts.store_binaries import java_major
from dev.paths import ROOT
from dev.service_process import free_port
from dev.stores import neo4j_configuration

START = ROOT / "dev/images/dockerfiles/neo4j/start.py"


@pytest.fixture(scope="module")
def start() -> dict[str, Any]:
    """The names in the program that starts Neo4j in its image."""
    return runpy.run_path(str(START))


@pytest.mark.parametrize(
    ("said", "major"),
    [
        ('openjdk version "25.0.3" 2026-04-21 LTS', 25),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_392"', 1),
        ("command not found", 0),
    ],
)
def test_javas_version_is_read_from_its_own_words(said: str, major: int) -> None:
    assert java_major(said) == major


def test_the_local_neo4j_speaks_bolt_where_it_is_told_and_no_http() -> None:
    lines = neo4j_configuration("127.0.0.1:1234").splitlines()
    assert "server.bolt.listen_address=127.0.0.1:1234" in lines
    assert "server.http.enabled=false" in lines


def test_neither_neo4j_reports_to_anybody(start: dict[str, Any]) -> None:
    """Films are confidential: no usage report, and nothing for its maker's fleet manager."""
    reports = ("dbms.usage_report", "server.fleet_discovery", "dbms.fleet_manager")
    silent = {f"{name}.enabled": "false" for name in reports}
    lines = neo4j_configuration("127.0.0.1:1234").splitlines()
    assert {f"{name}={value}" for name, value in silent.items()} <= set(lines)
    assert silent.items() <= start["settings"]({}).items()


def test_no_connection_gets_a_free_port_before_the_service() -> None:
    first_of_connections = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(1024 < free_port() < first_of_connections for _ in range(50))


def test_variables_become_settings_in_the_official_images_spelling(start: dict[str, Any]) -> None:
    settings = start["settings"](
        {"NEO4J_AUTH": "none", "NEO4J_server_memory_heap_max__size": "1g", "HOME": "/"}
    )
    assert settings["server.memory.heap.max_size"] == "1g"
    assert settings["dbms.security.auth_enabled"] == "false"
    assert not any("HOME" in name or "AUTH" in name for name in settings)


def test_neo4j_gets_its_heap_from_the_setting(start: dict[str, Any]) -> None:
    settings = start["settings"]({"NEO4J_server_memory_heap_max__size": "300m"})
    assert "-Xmx300m" in start["java_command"](settings)


def test_a_password_is_refused_rather_than_ignored(start: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="NEO4J_AUTH"):
        start["settings"]({"NEO4J_AUTH": "neo4j/secret"})
