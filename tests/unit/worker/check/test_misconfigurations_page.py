"""The page of misconfigurations lists those that the contract tests seed, each once and in words."""

import re

from tests.support.application.misconfigurations import (
    BROKEN_EVALUATIONS,
    MISCONFIGURATIONS,
    PAGE_FILE,
    documented,
)

SEEDED = [*MISCONFIGURATIONS, *BROKEN_EVALUATIONS]
"""Each is compared with its row by `test_misconfigurations.py`, word for word."""
WORDS_MIN = 8
"""Letters that a row must say for itself: `…` alone would be like everything."""


def test_every_seeded_misconfiguration_has_its_row_and_no_other_is_listed() -> None:
    """In the same order."""
    assert list(documented()) == SEEDED


def test_the_page_says_how_many_there_are() -> None:
    """And it has no row twice."""
    page = PAGE_FILE.read_text(encoding="utf-8")
    assert f"finds each of these {len(SEEDED)} " in page
    assert len(re.findall(r"^\| [^|]+: [^|]+ \| \d+ \|", page, re.MULTILINE)) == len(SEEDED)


def test_a_row_tells_a_message_a_fix_and_an_exit_code() -> None:
    """So that the comparison can fail."""
    for row in documented().values():
        assert row.exit_code in {0, 64, 75}
        assert len(row.message.replace("…", "")) >= WORDS_MIN
        assert len(row.fix.replace("…", "")) >= WORDS_MIN


def test_a_finding_in_other_words_is_not_the_row_s() -> None:
    """The whole message counts, but for what stands behind `…`."""
    row = documented()["mongodb: host has no address"]
    said = {"name": row.finding, "finding": row.message.replace("…", "no such host"), "fix": row.fix}
    assert row.is_of(said)
    assert not row.is_of({**said, "finding": "MongoDB cannot be reached"})
    assert not row.is_of({**said, "fix": f"{row.fix} and more"})
    assert not row.is_of({**said, "name": "MongoDB rights"})
