"""What a cue's pattern cannot be without: read rightly, up to date, and nothing is missed by it."""

import re

import pytest

from dev.generate.cue_words import files, needs_of
from dev.generate.files import differing_files
from dev.paths import ROOT
from gather_brain.coverage import instruction_cues
from gather_brain.coverage.instruction_cues import LANGUAGES, cues_of, patterns_of
from tests.evals.own_measures import sentences


def test_the_file_is_what_the_patterns_say() -> None:
    """`make cue-words` writes it."""
    assert differing_files(files(), ROOT) == []


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        (r"(?<!\bi )\bmust (?!have\b)[a-z]+", {"must "}),
        (r"\bcan\b|\b(?:could|would) you", {"can", "could", "would"}),
        (r"must|\w+ing", {"must", "ing"}),
        (r"must|\w+", set()),
        (r"(?:please )?keep", {"keep"}),
        (r"(?:hop(?:e|ing)){1,2}", {"hop"}),
        (r"[把让]", {"把", "让"}),
        (r"[^a]b?", set()),
        (r"should|should not", {"should"}),
        (r"", set()),
    ],
)
def test_each_match_has_one_of_them(pattern: str, needs: set[str]) -> None:
    assert needs_of(pattern) == needs


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_cue_is_missed(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In no labelled sentence of any language, read in each."""
    texts = [text for each in sentences() for text in each.texts]
    filtered = [cues_of(text, language) for text in texts]
    whole = [(kind, re.compile(pattern), ()) for kind, pattern in patterns_of(language).items()]
    monkeypatch.setattr(instruction_cues, "_cues", lambda _: whole)
    assert filtered == [cues_of(text, language) for text in texts]
