"""What a process connects to, as the kernel sees it: native code's connections too, and name servers."""

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from dev.artefacts.cache import Cache
from dev.artefacts.debian_packages import ensure_packages
from dev.progress import Reporter
from dev.waiting import wait_for

Address = tuple[str, int]

_CONNECT: Final = re.compile(
    r'connect\(\d+, \{sa_family=AF_INET6?, sin6?_port=htons\((\d+)\).*?"([0-9a-fA-F.:]+)"'
)
_NAMED: Final = re.compile(r"://(?:[^@/\s]*@)?\[?([0-9a-fA-F.:]+?)\]?:(\d+)")
END_TIMEOUT_S: Final = 10


class Connections:
    """Records each call of connect(2) of a process and its children, by strace."""

    def __init__(self, record: Path) -> None:
        """`record` is a file that there is not yet."""
        self._record = record
        ensure_packages({"strace": "strace"}, Cache.from_environment(), Reporter())

    def recorded(self, command: Sequence[str | Path]) -> list[str]:
        """Return the command that does the same, recorded; its process's id and signals are its own."""
        watch = [
            "strace",
            "-D",
            "-f",
            "-q",
            "--seccomp-bpf",
            "-e",
            "trace=connect",
            "-e",
            "signal=KILL,TERM,INT",
        ]
        return [*watch, "-A", "-o", str(self._record), *map(str, command)]

    def seen(self) -> set[Address]:
        """Return where the process and its children have connected to so far.

        getaddrinfo(3) connects to the addresses that a server listens on, to sort them; nothing is sent.
        """
        found = {(host, int(port)) for port, host in _CONNECT.findall(self._text())}
        return {(host, port) for host, port in found if not ip_address(host).is_unspecified}

    def of(self, pid: int) -> set[Address]:
        """Return where the process, which has ended, and its children connected to."""
        end = re.compile(rf"^{pid} +\+\+\+ ", re.MULTILINE)
        wait_for("the record's end", lambda: bool(end.search(self._text())), END_TIMEOUT_S, 0.01)
        return self.seen()

    def _text(self) -> str:
        return self._record.read_text("utf-8", "replace") if self._record.exists() else ""


def addresses_in(texts: Iterable[str]) -> set[Address]:
    """Return the addresses, as numbers, that settings name."""
    return {(host, int(port)) for text in texts for host, port in _NAMED.findall(text)}
