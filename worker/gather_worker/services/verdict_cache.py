"""What the model has said of pairs of notes, kept in Redis by their content, beside the checkpoint.

The checkpoint remembers for one department of one run; here the project's other departments and later runs
find what was paid for. A verdict belongs to one project, though the words of another's notes be the same: a
verdict that came at once would tell that others have written them.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from gather_clients.redis_place import RedisPlace
from gather_worker.llm.answer_cache import BoundedCache, Bounds

PREFIX: Final = "gather:llm:verdict:"
INDEX: Final = "gather:llm:verdicts"
"""A sorted set of the kept verdicts' keys by the time they came, for the bound on their number."""
ENTRIES_MAX: Final = 20_000
"""Of all projects together; the oldest go. At 0.4 KB each, the index included, 8 MB of Redis."""
SAID: Final = {b"0": False, b"1": True}


class VerdictCache:
    """One project's verdicts, in one Redis, for `ttl_s` seconds each; without Redis there are none."""

    def __init__(self, redis: str | RedisPlace, timeout_s: float, ttl_s: int, project_id: str) -> None:
        self._kept = BoundedCache(redis, timeout_s, Bounds(INDEX, ENTRIES_MAX, 1, ttl_s))
        self._project_id = project_id

    async def close(self) -> None:
        """Close the connections."""
        await self._kept.close()

    async def get(self, keys: Sequence[str]) -> dict[str, bool]:
        """Return the verdicts that are kept; what else may stand there is none."""
        found = await self._kept.get([self._name(key) for key in keys])
        return {key: SAID[text] for key, text in zip(keys, found, strict=True) if text in SAID}

    async def put(self, verdicts: Mapping[str, bool]) -> None:
        """Keep verdicts, unless Redis is unavailable."""
        await self._kept.put({self._name(key): str(int(said)) for key, said in verdicts.items()})

    def _name(self, key: str) -> str:
        return f"{PREFIX}{self._project_id}:{key}"
