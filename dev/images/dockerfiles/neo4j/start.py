"""Start Neo4j with the settings of the environment, in the official image's spelling; runs in the image.

Standard library only. `NEO4J_server_memory_heap_max__size=512m` is `server.memory.heap.max_size=512m`.
Everything is written below /data and /tmp, so that the root may be read-only.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

PREFIX = "NEO4J_"
JAVA = "/opt/jre/bin/java"
JARS = "/opt/neo4j/lib/*"
CONFIGURATION = Path("/tmp/neo4j/conf")  # noqa: S108 - a volume of the pod's own
DEFAULTS = {
    "server.bolt.listen_address": "0.0.0.0:7687",
    "server.directories.data": "/data",
    "server.directories.logs": "/tmp/neo4j/logs",  # noqa: S108
    "server.directories.run": "/tmp/neo4j/run",  # noqa: S108
    "server.directories.transaction.logs.root": "/data/transactions",
    "server.http.enabled": "false",
    "server.memory.heap.max_size": "512m",
    "server.memory.pagecache.size": "128m",
    "dbms.usage_report.enabled": "false",
    "server.fleet_discovery.enabled": "false",
    "dbms.fleet_manager.enabled": "false",
}
OPENS = (
    *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.nio", "java.io", "sun.nio.ch")),
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
)


def setting_name(variable: str) -> str:
    """Return the setting that a variable stands for: `_` is a dot, `__` an underscore."""
    words = variable.removeprefix(PREFIX).split("__")
    return "_".join(word.replace("_", ".") for word in words)


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return Neo4j's settings: the defaults, and what the environment says over them.

    Raises:
        ValueError: NEO4J_AUTH asks for a password, which this image cannot set.
    """
    if environment.get("NEO4J_AUTH", "none") != "none":
        raise ValueError("NEO4J_AUTH: this image, for trying out, knows only `none`")
    named = {
        setting_name(name): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name != "NEO4J_AUTH"
    }
    return {**DEFAULTS, "dbms.security.auth_enabled": "false", **named}


def java_command(chosen: Mapping[str, str]) -> list[str]:
    """Return the command that runs Neo4j in the foreground; the heap is Java's to know, not Neo4j's."""
    heap = f"-Xmx{chosen['server.memory.heap.max_size']}"
    place = [f"--home-dir={CONFIGURATION.parent}", f"--config-dir={CONFIGURATION}", "--console-mode"]
    return [JAVA, heap, *OPENS, "-cp", JARS, "org.neo4j.server.Neo4jCommunity", *place]


def main() -> None:
    """Write neo4j.conf and become Neo4j."""
    chosen = settings(os.environ)
    CONFIGURATION.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{name}={value}\n" for name, value in sorted(chosen.items()))
    (CONFIGURATION / "neo4j.conf").write_text(lines, encoding="utf-8")
    command = java_command(chosen)
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - no shell, nothing but our own words


if __name__ == "__main__":
    main()
