"""Runs a Python program in a network of its own and hears every host name that it looks up.

Needs root. The program's only resolver is ours, which answers nothing; there is no way out of its network.
Run as a program: `name_lookups.py PROGRAM [ARGUMENT ...]` prints each name looked up, in a line.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

HEADER_BYTES: Final = 12
"""Of a DNS message (RFC 1035, 4.1.1); the name that is asked for follows."""
MESSAGE_BYTES: Final = 4096
STARTED: Final = "started"
"""The first line: the program's resolver listens."""


@contextmanager
def heard(arguments: Sequence[str], environment: Mapping[str, str]) -> Iterator[IO[str]]:
    """Run `python ARGUMENTS` in a network of its own until the context ends; yields its look-ups by line."""
    command = ["unshare", "--net", "--mount", "--fork", "--kill-child", sys.executable, __file__, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(environment)) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == STARTED
            yield process.stdout
        finally:
            process.kill()


def _main(arguments: Sequence[str]) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        resolver = Path(folder) / "resolv.conf"
        resolver.write_text("nameserver 127.0.0.1\n", encoding="utf-8")
        subprocess.run(["mount", "--bind", str(resolver), "/etc/resolv.conf"], check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 53))
        print(STARTED, flush=True)
        child = os.fork()
        if child == 0:
            os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606
        while True:
            print(_name(listener.recv(MESSAGE_BYTES)), flush=True)


def _name(message: bytes) -> str:
    labels, rest = [], message[HEADER_BYTES:]
    while rest and rest[0]:
        labels.append(rest[1 : 1 + rest[0]].decode("ascii", "replace"))
        rest = rest[1 + rest[0] :]
    return ".".join(labels)


if __name__ == "__main__":
    _main(sys.argv[1:])
