"""The page of reasons: complete, and what the contracts say."""

import json
from enum import StrEnum

import pytest

from dev.generate import reasons as module
from dev.generate.files import differing_files
from dev.generate.reasons import SECTIONS, files, meanings, page
from dev.paths import ROOT
from gather_contracts import reasons, result
from gather_contracts.runbook import runbook


def test_the_page_is_what_the_contracts_say() -> None:
    """`make reasons` writes it."""
    assert differing_files(files(), ROOT) == []


def test_every_reason_is_on_the_page() -> None:
    """Of conditions, departments, waits, workers and Kubernetes; phases and types are no reasons."""
    found = {
        member
        for room in (reasons, result)
        for name, member in vars(room).items()
        if isinstance(member, type) and issubclass(member, StrEnum) and name.endswith("Reason")
    }
    assert found == {section.reasons for section in SECTIONS}
    text = page()
    for section in SECTIONS:
        for member in section.reasons:
            assert len(member.value) <= 64
            assert f"| {member.value} | " in text


def test_a_reason_without_help_or_meaning_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is help for none."""
    text = json.dumps(runbook())
    for changed, named in (
        (text.replace('"QualityFlat":', '"QualityFlut":'), "QualityFlat, QualityFlut"),
        (text.replace('"EndReason":', '"EndReasons":'), "OOMKilled"),
    ):
        monkeypatch.setattr(module, "runbook", lambda changed=changed: json.loads(changed))
        with pytest.raises(ValueError, match=named):
            page()
    with pytest.raises(ValueError, match=r"Mute\.LAST has no docstring"):
        meanings(Mute)


class Mute(StrEnum):
    """Without a word for its last member."""

    FIRST = "First"
    """Said."""
    LAST = "Last"


def test_what_fails_a_department_says_so() -> None:
    """From the same list that the operator reads."""
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in page().splitlines()}
    assert "Fails the department after `GATHER_START_PATIENCE_S`." in lines["InvalidImageName"]
    assert "if the message has one of: must specify" in lines["FailedCreate"]
    assert "Fails" not in lines["Unschedulable"]
