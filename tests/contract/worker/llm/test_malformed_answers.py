"""Malformed answers through a whole worker: nothing of them is saved, each is paid for, and it goes on."""

import os
from collections.abc import Callable

from gather_contracts.items import CONTENT_MAX, CONTEXT_MAX, SUMMARY_MAX
from gather_contracts.text_cleaning import clean, letters
from gather_worker.llm.endpoint import BODY_MAX_BYTES
from gather_worker.schemas import CONTENT_LETTERS_MIN
from tests.support.broken_answers.malformed_answers import malformed_answers
from tests.support.injectable_model import NOTES, InjectableModel, served
from tests.support.worker_harness import WorkerHarness

COUNT = int(os.environ.get("GATHER_MALFORMED_ANSWERS", "15"))
BAD_IN_A_ROW = 1
"""A re-ask that is bad, too, ends an attempt."""
ITERATIONS = 6


def test_a_worker_survives_malformed_answers(new_harness: Callable[[], WorkerHarness]) -> None:
    """One, then a good one, and so on."""
    bad = [malformed.text for malformed in malformed_answers(seed=3, count=COUNT)]
    answers = [given for n in range(0, COUNT, BAD_IN_A_ROW) for given in [*bad[n : n + BAD_IN_A_ROW], ""]]
    unread = 0
    with served(InjectableModel(answers=answers)) as model:
        while model.answers:
            asked = len(model.requests)
            harness = new_harness()
            harness.services = type(harness.services)(**{**vars(harness.services), "model_uri": model.uri})
            ended = harness.run(0, ITERATIONS)
            assert ended.exit_code == 0, ended.messages()
            assert_sound(harness)
            ledger = harness.checkpoint()["ledger"]
            # An answer that is too long is not read to its end, where its price stands.
            assert ledger["requests"] + len(ledger["reserved"]) == len(model.requests) - asked
            unread += len(ledger["reserved"])
    assert unread <= sum(len(text) > BODY_MAX_BYTES for text in bad)


def assert_sound(harness: WorkerHarness) -> None:
    """What was saved is whole, the same in both stores, and fit to be read."""
    items = harness.items()
    assert len(items) >= NOTES
    assert {item["_id"] for item in items} == harness.node_ids()
    limits = {"content": CONTENT_MAX, "summary": SUMMARY_MAX, "context": CONTEXT_MAX}
    for item in items:
        assert all(
            item[name] == clean(item[name]) and len(item[name]) <= most for name, most in limits.items()
        )
        assert letters(item["content"]) >= CONTENT_LETTERS_MIN
