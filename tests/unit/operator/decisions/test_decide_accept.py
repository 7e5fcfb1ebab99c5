"""A run's beginning: finalizer, CMS, run document and what is said while one of them is missing."""

from dataclasses import replace
from typing import Any

import pytest

from gather_contracts.reasons import Reason, RunPhase
from gather_operator.decisions.actions import (
    CreateJob,
    HoldFinalizer,
    WriteDocument,
)
from gather_operator.decisions.decide import decide, needs_cms
from gather_operator.decisions.facts import CmsFailure, CmsReading, CmsSilence

# --- acceptance


def test_a_new_run_gets_the_finalizer_before_anything_else(build: Any) -> None:
    """Else a deletion in the first second would leave pods behind."""
    decision = decide(build.snapshot(build.run(finalizers=())))
    assert decision.actions == (HoldFinalizer(),)
    assert decision.status.phase is RunPhase.PENDING
    assert decision.status.conditions == []


def test_the_finalizers_of_others_do_not_count(build: Any) -> None:
    """Only ours makes a deletion wait for the pods."""
    assert decide(build.snapshot(build.run(finalizers=("a.b/c",)))).actions == (HoldFinalizer(),)


@pytest.mark.parametrize(
    ("run", "has_document", "expected"),
    [
        pytest.param({}, False, True, id="a held run without document"),
        pytest.param({}, True, False, id="a run with its document"),
        pytest.param({"finalizers": ()}, False, False, id="a run that is not held yet"),
        pytest.param({"spec": {"cancel": True}}, False, False, id="a cancelled run"),
        pytest.param({"deleted": "2026-05-01T11:00:00Z"}, False, False, id="a deleted run"),
        pytest.param({"status": {"phase": "Failed"}}, False, False, id="an ended run"),
    ],
)
def test_the_cms_is_asked_only_when_its_answer_is_needed(
    build: Any, run: dict[str, Any], has_document: bool, expected: bool
) -> None:
    """Once at the start of a run."""
    assert needs_cms(build.run(**run), has_document=has_document) is expected


def test_an_answer_of_the_cms_becomes_the_run_document_and_the_departments(build: Any) -> None:
    """In the CMS's order, each with its threshold and model."""
    decision = decide(build.snapshot(build.run(), cms=build.cms("story", "world")))
    (write,) = decision.actions
    assert isinstance(write, WriteDocument)
    assert [d.slug for d in write.document.departments] == ["story", "world"]
    assert write.document.departments[0].description == "About story"
    assert (decision.status.phase, decision.status.progress) == (RunPhase.RUNNING, "0/2")
    assert decision.status.start_time == "2026-05-01T12:00:00.000Z"
    accepted = build.conditions(decision.status)["Accepted"]
    assert (accepted.status, accepted.reason) == ("True", Reason.DEPARTMENTS_RESOLVED)


def test_a_cms_that_is_down_leaves_the_run_pending_with_the_reason(build: Any) -> None:
    """It is asked again; nothing else happens."""
    decision = decide(build.snapshot(build.run(), cms=CmsFailure("The CMS answered HTTP 401.")))
    assert decision.actions == ()
    assert decision.status.phase is RunPhase.PENDING
    accepted = build.conditions(decision.status)["Accepted"]
    assert (accepted.status, accepted.reason) == ("False", Reason.CMS_UNAVAILABLE)
    assert accepted.message == "The CMS answered HTTP 401."


def test_between_two_questions_to_the_cms_the_status_stays(build: Any) -> None:
    """No answer is not a new failure."""
    waiting = decide(build.snapshot(build.run(), cms=CmsFailure("unavailable"))).status
    run = build.run().model_copy(update={"status": waiting})
    assert decide(build.snapshot(run)).status == waiting


def test_unknown_and_malformed_departments_are_named(build: Any) -> None:
    """The run goes on with the rest."""
    run = build.run(spec={"departments": ["world", "wrold"]})
    reading = build.cms("story", "world", malformed=("Bad Slug (slug)",))
    status = decide(build.snapshot(run, cms=reading)).status
    accepted = build.conditions(status)["Accepted"]
    assert accepted.reason == Reason.DEPARTMENTS_LEFT_OUT
    assert accepted.status == "True"
    assert "not named by the CMS: wrold" in accepted.message
    assert "malformed in the CMS: Bad Slug (slug)" in accepted.message
    assert [d.slug for d in status.departments] == ["world"]


@pytest.mark.parametrize("reading", [CmsReading(()), CmsReading((), ("x (slug)",))])
def test_a_run_without_departments_fails_and_says_so(build: Any, reading: CmsReading) -> None:
    """The spec cannot change, so waiting would never end."""
    decision = decide(build.snapshot(build.run(spec={"departments": ["nope"]}), cms=reading))
    assert decision.actions == ()
    assert decision.status.phase is RunPhase.FAILED
    assert decision.status.completion_time
    for kind in ("Accepted", "Succeeded"):
        condition = build.conditions(decision.status)[kind]
        assert (condition.status, condition.reason) == ("False", Reason.NO_DEPARTMENTS)
        assert "nope" in condition.message


def test_killed_between_document_and_status_the_document_is_the_truth(build: Any) -> None:
    """The first Job starts, and what was left out is still said."""
    document = build.document("story", "world", left_out=["not named by the CMS: wrold"])
    decision = decide(build.snapshot(build.run(), document=document))
    assert decision.actions == (CreateJob(0, 1, 49),)
    assert [d.slug for d in decision.status.departments] == ["story", "world"]
    assert "wrold" in build.conditions(decision.status)["Accepted"].message


def test_a_deleted_run_document_is_restored_from_the_status(build: Any) -> None:
    """Order, thresholds and models stay; descriptions come from the CMS."""
    run = build.running("world", "story")
    decision = decide(build.snapshot(run, cms=build.cms("story", "world", "new")))
    (write,) = decision.actions
    assert isinstance(write, WriteDocument)
    assert [(d.slug, d.description) for d in write.document.departments] == [
        ("world", "About world"),
        ("story", "About story"),
    ]
    assert decision.status == run.status


def test_a_silent_cms_is_said_once_it_has_been_for_a_while(build: Any) -> None:
    """One that answers at once costs no status; one that said something before is not silent."""
    quick = decide(build.snapshot(build.run(), cms=CmsSilence(0.9))).status
    assert quick.conditions == []
    slow = decide(build.snapshot(build.run(), cms=CmsSilence(1.0))).status
    progressing = build.conditions(slow)["Progressing"]
    assert (progressing.status, progressing.reason, slow.reason) == ("False", Reason.WAITING, Reason.WAITING)
    assert "has not answered yet" in progressing.message
    down = decide(build.snapshot(build.run(), cms=CmsFailure("down"))).status
    again = build.run().model_copy(update={"status": down})
    assert decide(build.snapshot(again, cms=CmsSilence(60))).status == down


@pytest.mark.parametrize(
    ("selected", "named", "reason", "words"),
    [
        ([], (), Reason.NO_DEPARTMENTS, ("names no department that takes part yet", "then the run fails")),
        (["a"], ("b",), Reason.NO_DEPARTMENTS, ("does not name a yet", "then the run fails")),
        (
            ["a", "b"],
            ("b",),
            Reason.SELECTION_INCOMPLETE,
            ("does not name a yet", "then the run starts without"),
        ),
    ],
)
def test_departments_that_may_still_come_are_waited_for(
    build: Any, selected: list[str], named: tuple[str, ...], reason: Reason, words: tuple[str, ...]
) -> None:
    """The run stays Pending, says what it waits for, which setting it is, and what else is wrong."""
    reading = replace(build.cms(*named), is_last=False, malformed=("Bad Slug (slug)",))
    run = build.run(spec={"departments": selected})
    decision = decide(build.snapshot(run, cms=reading))
    assert decision.actions == ()
    assert decision.status.phase is RunPhase.PENDING
    accepted = build.conditions(decision.status)["Accepted"]
    assert (accepted.status, accepted.reason, decision.status.reason) == ("False", reason, reason)
    for part in (*words, "GATHER_CMS_EMPTY_PATIENCE_S", "malformed in the CMS: Bad Slug (slug)"):
        assert part in accepted.message
    waiting = run.model_copy(update={"status": decision.status})
    assert decide(build.snapshot(waiting, cms=reading)).status == decision.status


def test_a_selection_that_is_named_whole_is_not_waited_for(build: Any) -> None:
    """Whatever else is wrong in the CMS."""
    reading = replace(build.cms("a", "b"), is_last=False, malformed=("x (slug)",))
    decision = decide(build.snapshot(build.run(spec={"departments": ["a"]}), cms=reading))
    assert decision.status.phase is RunPhase.RUNNING


def test_what_was_read_otherwise_than_it_stands_is_said(build: Any) -> None:
    """No department is left out by that, so the reason says that all are there."""
    reading = replace(build.cms("story"), defaulted=("story (defaultModel)",))
    decision = decide(build.snapshot(build.run(), cms=reading))
    accepted = build.conditions(decision.status)["Accepted"]
    assert accepted.reason == Reason.DEPARTMENTS_RESOLVED
    assert "left at their defaults" in accepted.message
    assert "story (defaultModel)" in accepted.message
    (write,) = decision.actions
    assert isinstance(write, WriteDocument)
    killed = decide(build.snapshot(build.run(), document=write.document)).status
    assert build.conditions(killed)["Accepted"].message == accepted.message


def test_a_deleted_run_document_waits_for_the_descriptions(build: Any) -> None:
    """A CMS that names none of its departments for a moment must not cost the run what they are about."""
    run = build.running("world", "story")
    early = replace(build.cms("story"), is_last=False)
    waiting = decide(build.snapshot(run, cms=early))
    assert (waiting.status, waiting.actions) == (run.status, ())
    (write,) = decide(build.snapshot(run, cms=replace(early, is_last=True))).actions
    assert isinstance(write, WriteDocument)
    assert [(d.slug, d.description) for d in write.document.departments] == [
        ("world", ""),
        ("story", "About story"),
    ]
