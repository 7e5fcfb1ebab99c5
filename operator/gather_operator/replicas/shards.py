"""Which runs an operator works on, and when it may, beside those that split the runs otherwise: pure rules.

Each shard has a Lease of its own, of the same name whatever the number of shards. Who holds one says in its
holder's name of how many shards it is; where nothing is said, as by versions without shards, it is one.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gather_operator.replicas.lease_rules import Sighting

MARK: Final = re.compile(r"/([2-9])-shards$")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` parts of all runs."""

    index: int = 0
    count: int = 1

    def has(self, run_uid: str) -> bool:
        """Return whether the run belongs to this part; each run belongs to one of them."""
        return self.count == 1 or zlib.crc32(run_uid.encode()) % self.count == self.index

    def holder(self, identity: str) -> str:
        """Return the name by which a replica of this shard holds a Lease."""
        return identity if self.count == 1 else f"{identity}/{self.count}-shards"


def count_of(holder: str) -> int:
    """Return of how many shards the holder of a Lease is."""
    found = MARK.search(holder)
    return int(found[1]) if found else 1


class Standing(Enum):
    """What the other Leases say to one that would act."""

    FREE = "nobody acts who splits the runs otherwise"
    BLOCKED = "somebody may still be acting who splits the runs otherwise"
    OUTVOTED = "the first shard is of another count, and its count is the one that holds"


def standing(shard: Shard, others: Mapping[int, Sighting | None], now_s: float) -> Standing:
    """Return what the Leases of the other shards, by their index, say to one of this shard."""
    held = {
        index: count_of(seen.record.holder)
        for index, seen in others.items()
        if seen is not None and not seen.may_be_taken("", now_s)
    }
    if held.get(0, shard.count) != shard.count:
        return Standing.OUTVOTED
    return Standing.FREE if all(count == shard.count for count in held.values()) else Standing.BLOCKED
