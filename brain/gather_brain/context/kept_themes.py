"""Themes as they were computed last, of the same departments with the same profiles.

A worker asks for the context of the same earlier departments at every iteration, and these change seldom.
"""

import weakref
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from gather_brain.themes.profiles import Profile

ENTRIES: Final = 200
"""A few KiB each: words alone, since it is others who decide how long a profile is kept."""

Themes = Mapping[str, Sequence[str]]


class KeptThemes:
    """Themes by the very profiles that they were computed of, so that none is of another project."""

    def __init__(self, entries: int = ENTRIES) -> None:
        self._entries = entries
        self._kept: OrderedDict[tuple[int, ...], tuple[list[weakref.ref[Profile]], Themes]] = OrderedDict()

    def get(self, profiles: Mapping[str, Profile]) -> Themes | None:
        """Return what was kept of these profiles."""
        references, themes = self._kept.get(_key(profiles), ([], None))
        # The number of a profile that is gone may be another's now.
        is_same = all(ref() is each for ref, each in zip(references, profiles.values(), strict=False))
        return themes if is_same else None

    def keep(self, profiles: Mapping[str, Profile], themes: Themes) -> None:
        """Keep the themes; those computed longest ago make room."""
        self._kept[_key(profiles)] = (list(map(weakref.ref, profiles.values())), themes)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)


def _key(profiles: Mapping[str, Profile]) -> tuple[int, ...]:
    return tuple(map(id, profiles.values()))
