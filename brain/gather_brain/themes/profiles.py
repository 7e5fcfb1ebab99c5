"""What a department's texts come to: counted phrases, a centre, phrase vectors, kept to be read back; pure.

A profile is made from a sample of at most 200 nodes, so that making one costs the same for every department.
It is stored with a fingerprint of the content that it was made from, by the replica that makes it first;
every replica sees by the fingerprint whether it still holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from gather_brain.themes.phrases import PhraseCounts, counted
from gather_brain.vectors import Matrix, unit_rows

VERSION: Final = 1
"""Of how profiles are made; those of another version are made again."""
SAMPLE_MAX: Final = 200
"""Nodes that stand for a department, in the order of their contents' hashes: all of them in most departments,
otherwise an even sample that is the same at every reading. A phrase that 5 % of the nodes use is found in
5 % +- 1.5 of the sample, and the sample's centre has a cosine of 0.99 with that of 2,000 notes."""
STALE_MAX: Final = timedelta(seconds=60)
"""How long a department beyond the sample is answered for as it was; smaller ones never are."""
RESTS: Final = timedelta(seconds=20)
"""How old such a profile is at least when it is made again: of a department that is written to every few
seconds, little of the sample has changed."""
REMADE_AFTER: Final = timedelta(hours=1)
"""Replicas' clocks may differ by a little, so that a fingerprint can miss a change; this bounds how long."""

REFINED_SHORTLIST: Final = 24
"""Phrases by whose change a department is about something else now."""
STILL_MATCHES: Final = 0.75
"""Share of the phrases of then and now that are in both; below it the department is about something else."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Profile:
    """`centre` is a unit vector (d,); `vectors` has a row for each phrase that was embedded."""

    counts: PhraseCounts
    centre: Matrix | None
    vectors: Mapping[str, Matrix]


@dataclass(frozen=True, slots=True)
class Refined:
    """Themes that a model put into words, and the shortlist that it was shown."""

    themes: tuple[str, ...]
    shortlist: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """A profile as it was read back."""

    profile: Profile
    fingerprint: str
    made_at: str
    refined: Refined | None


@dataclass(frozen=True, slots=True)
class Sample:
    """Phrases and vectors of the nodes that stand for a department."""

    terms: Sequence[Sequence[str]]
    vectors: Matrix


def fingerprint(node_count: int, changed_at: str | None) -> str:
    """Name a department's content: how many nodes there are and when one of them last changed.

    A node that is added or replaced moves the time; one that is deleted or filed elsewhere lowers the number,
    and only a newer node raises it again. So no two contents have both in common.
    """
    return f"{node_count}@{changed_at or ''}"


def is_usable(stored: StoredProfile, node_count: int, changed_at: str | None, now: datetime) -> bool:
    """Return whether a stored profile may be answered with."""
    if stored.fingerprint == fingerprint(node_count, changed_at):
        return True
    return node_count > SAMPLE_MAX and now - datetime.fromisoformat(stored.made_at) <= STALE_MAX


def is_due(stored: StoredProfile | None, node_count: int, changed_at: str | None, now: datetime) -> bool:
    """Return whether a profile is to be made in the background."""
    if stored is None:
        return True
    if stored.fingerprint != fingerprint(node_count, changed_at):
        return not rests(stored, node_count, changed_at, now)
    return now - datetime.fromisoformat(stored.made_at) > REMADE_AFTER


def rests(stored: StoredProfile, node_count: int, changed_at: str | None, now: datetime) -> bool:
    """Return whether a profile no longer holds, but is to be made again only later."""
    return (
        node_count > SAMPLE_MAX
        and stored.fingerprint != fingerprint(node_count, changed_at)
        and now - datetime.fromisoformat(stored.made_at) < RESTS
    )


def profile_of(sample: Sample) -> Profile:
    """Return the sample's profile, with no phrase embedded yet."""
    return Profile(counted(sample.terms), centre_of(sample.vectors), {})


def centre_of(vectors: Matrix) -> Matrix | None:
    """Return the unit vector in the middle of unit rows; None where there are none."""
    if not len(vectors):
        return None
    centre: Matrix = unit_rows(vectors.mean(axis=0, keepdims=True))[0]
    return centre


def rounded(vectors: Matrix) -> Matrix:
    """Return unit rows as they come back from storage: rounded to three digits, and of length 1 again."""
    return unit_rows(vectors.astype("<f2").astype(np.float32))


def packed(profile: Profile) -> dict[str, Any]:
    """Return the profile as properties of a node: bytes of float32 for the centre, of float16 for phrases."""
    phrases = list(profile.vectors)
    rows = np.stack([profile.vectors[phrase] for phrase in phrases]) if phrases else np.zeros((0, 0))
    return {
        "phrases": list(profile.counts.uses),
        "uses": list(profile.counts.uses.values()),
        "total": profile.counts.total,
        "centre": None if profile.centre is None else profile.centre.astype("<f4").tobytes(),
        "embedded": phrases,
        "vectors": rows.astype("<f2").tobytes(),
    }


def unpacked(properties: Mapping[str, Any]) -> Profile:
    """Return what `packed` packed; phrases' vectors come back as `rounded` gives them."""
    embedded = properties["embedded"]
    rows = np.frombuffer(properties["vectors"], "<f2").astype(np.float32)
    vectors = unit_rows(rows.reshape(len(embedded), -1)) if embedded else rows
    centre = properties.get("centre")
    return Profile(
        PhraseCounts(
            dict(zip(properties["phrases"], properties["uses"], strict=True)), int(properties["total"])
        ),
        None if centre is None else np.frombuffer(centre, "<f4").astype(np.float32),
        dict(zip(embedded, vectors, strict=True)),
    )


def refinable(profile: Profile) -> tuple[str, ...]:
    """Return the phrases that refined themes are made from and matched by."""
    return tuple(profile.counts.shortlist[:REFINED_SHORTLIST])


def still_matches(refined: Refined, profile: Profile) -> bool:
    """Return whether the department's content is still what the model's themes were made from."""
    now = set(refinable(profile))
    return bool(now) and len(now & set(refined.shortlist)) >= STILL_MATCHES * len(
        now | set(refined.shortlist)
    )
