"""Write what each cue of an instruction cannot be without: coverage/instruction_needs.json of the brain.

Of most cues a sentence has none of the words; to see that costs far less than to look for the pattern. The
words are read from the pattern itself, so that none is missing. With `--check` nothing is written; the exit
code says whether the file is what the patterns make it.
"""

import json
import re._constants as kinds  # type: ignore[import-not-found] # a pattern's parts stand nowhere else
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from dev.generate.files import write_or_check
from gather_brain.coverage.instruction_cues import LANGUAGES, patterns_of

NEEDS: Final = Path("brain") / "gather_brain" / "coverage" / "instruction_needs.json"
NEEDS_MAX: Final = 70
"""Of one cue; looking for more costs what the pattern does."""


def needs_of(pattern: str) -> frozenset[str]:
    """Return texts one of which is in all that the pattern matches; none if it says nothing of that."""
    found = _needs(parser.parse(pattern))
    return frozenset(each for each in found if not any(other in each for other in found - {each}))


def _needs(parts: Iterable[tuple[Any, Any]]) -> frozenset[str]:
    """Return the best that a row of parts says: that with the longest texts."""
    choices, literal = list[frozenset[str]](), ""
    for kind, value in parts:
        if kind is kinds.LITERAL:
            literal += chr(value)
            continue
        choices += [frozenset({literal}), _needs_of_part(kind, value)]
        literal = ""
    known = [each for each in (*choices, frozenset({literal})) if each and "" not in each]
    return min(known, key=lambda each: (-min(map(len, each)), len(each)), default=frozenset())


def _needs_of_part(kind: Any, value: Any) -> frozenset[str]:
    if kind is kinds.BRANCH:
        branches = [_needs(each) for each in value[1]]
        return frozenset().union(*branches) if all(branches) else frozenset()
    if kind is kinds.SUBPATTERN:
        return _needs(value[-1])
    if kind in {kinds.MAX_REPEAT, kinds.MIN_REPEAT} and value[0]:
        return _needs(value[2])
    if kind is kinds.IN and all(each is kinds.LITERAL for each, _ in value):
        return frozenset(chr(code) for _, code in value)
    return frozenset()


def files() -> Mapping[Path, str]:
    """Return the generated file's path below the repository, and its text."""
    needs = {
        language: {
            kind: sorted(found)
            for kind, pattern in patterns_of(language).items()
            if 0 < len(found := needs_of(pattern)) <= NEEDS_MAX
        }
        for language in LANGUAGES
    }
    return {NEEDS: json.dumps(needs, indent=1, ensure_ascii=False) + "\n"}


def main() -> None:
    """Write the file, or with `--check` fail if it differs."""
    write_or_check(files, "the patterns say", "cue-words")


if __name__ == "__main__":
    main()
