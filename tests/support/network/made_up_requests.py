"""Requests as a scanner sends them: methods, paths, hosts, keys and queries that nobody else has."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

HOST: Final = "127.0.0.1"
AT_ONCE: Final = 100
"""Pipelined on one connection, whose last request ends it."""
TIMEOUT_S: Final = 60


def _made_up(number: int, paths: Sequence[str], headers: str) -> bytes:
    """Return one of four kinds: an own method and path, an own method, an own path, an own query and key."""
    known = paths[number % len(paths)]
    line, more = {
        0: (f"M{number} /made/up/{number}", headers),
        1: (f"M{number} {known}", headers),
        2: (f"GET {known}/{number}/made-up", headers),
        3: (
            f"GET {known}?department=made-up-{number}&projectId={number:024x}",
            f"Authorization: Bearer made-up-{number}\r\nX-API-Key: made-up-{number}\r\n",
        ),
    }[number // len(paths) % 4]
    ends = "Connection: close\r\n" if number % AT_ONCE == AT_ONCE - 1 else ""
    return f"{line} HTTP/1.1\r\nHost: made-up-{number}.example\r\n{more}{ends}\r\n".encode()


async def send_made_up(port: int, count: int, paths: Sequence[str], headers: str = "") -> Counter[str]:
    """Send so many, all different, to the paths and beside them; return how often which status was answered.

    `headers` are sent along with three of four. `count` is a multiple of `AT_ONCE`.
    """
    statuses: Counter[str] = Counter()
    for first in range(0, count, AT_ONCE):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"".join(_made_up(n, paths, headers) for n in range(first, first + AT_ONCE)))
        async with asyncio.timeout(TIMEOUT_S):
            answers = await reader.read(-1)
        writer.close()
        statuses.update(part[:3].decode() for part in answers.split(b"HTTP/1.1 ")[1:])
    return statuses
