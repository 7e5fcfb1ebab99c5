"""Which runs an operator works on, and when it may, beside those that split the runs otherwise: pure rules.

Each shard has a Lease of its own, of the same name whatever the number of shards. Who holds one says in its
holder's name of how many shards it is; where nothing is said, as by versions without shards, it is one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from gather_operator.replicas.lease_rules import Sighting

MARK: Final = re.compile(r"/([2-9])-shards$")
FNV_BITS: Final = 64
FNV_OFFSET: Final = 0xCBF29CE484222325
FNV_PRIME: Final = 0x100000001B3


@lru_cache(maxsize=20_000)  # each event of a run, a Job or a pod asks
def hash_of(uid: str) -> int:
    """Return 64 bits of FNV-1a, as the API server hashes UIDs for `shardSelector`.

    Source: KEP-5866. So a later version can have the API server select runs, with the same split.
    """
    found = FNV_OFFSET
    for byte in uid.encode():
        found = (found ^ byte) * FNV_PRIME % 2**FNV_BITS
    return found


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` parts of all runs."""

    index: int = 0
    count: int = 1

    def has(self, run_uid: str) -> bool:
        """Return whether the run belongs to this part, an even range of hashes; it belongs to one of them."""
        return self.count == 1 or hash_of(run_uid) * self.count >> FNV_BITS == self.index

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
