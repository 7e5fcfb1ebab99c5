# ruff: noqa: E501 - what is shown, as it is
"""What is shown: a run as a tree and as lines, tables, amounts, logs; nothing of it can steer a terminal."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gather_cli.views.amounts import dollars, duration
from gather_cli.views.log_lines import line_reader
from gather_cli.views.note_lines import note_lines, notes_table
from gather_cli.views.printing import runs_table
from gather_cli.views.progress_lines import news_of
from gather_cli.views.run_tree import Tree
from gather_cli.views.terminal import Terminal, plain

NOW = datetime(2026, 5, 1, 12, 10, tzinfo=UTC)
PLAIN = Terminal()
POD: dict[str, Any] = {
    "metadata": {"name": "film-visual-1-x", "labels": {"gather.ft.tc/department": "visual"}},
    "spec": {"nodeName": "n1"},
    "status": {
        "phase": "Failed",
        "startTime": "2026-05-01T12:05:00Z",
        "containerStatuses": [
            {
                "name": "worker",
                "state": {
                    "terminated": {
                        "exitCode": 137,
                        "reason": "OOMKilled",
                        "finishedAt": "2026-05-01T12:06:00Z",
                    }
                },
            }
        ],
    },
}
RUN: dict[str, Any] = {
    "metadata": {"name": "the-salt-road", "namespace": "films", "creationTimestamp": "2026-05-01T12:00:00Z"},
    "spec": {
        "projectId": "66f1a2b3c4d5e6f708192a3b",
        "userId": "user-123",
        "budget": {"maxCostUSD": 2, "maxTokens": 90_000},
    },
    "status": {
        "phase": "Running",
        "startTime": "2026-05-01T12:00:05Z",
        "progress": "1/5",
        "itemsCreated": 43,
        "qualityScore": 81.25,
        "costUSD": 0.5,
        "tokens": 41_000,
        "conditions": [
            {"type": "Accepted", "status": "True", "reason": "DepartmentsResolved", "message": ""},
            {
                "type": "BrainAvailable",
                "status": "False",
                "reason": "BrainUnavailable",
                "message": "no answer",
            },
            {"type": "Progressing", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"},
        ],
        "departments": [
            {
                "slug": "story",
                "phase": "Succeeded",
                "reason": "ThresholdReached",
                "threshold": 80,
                "attempt": 1,
                "iterations": 9,
                "iterationLimit": 12,
                "itemsCreated": 31,
                "qualityScore": 87.2,
                "costUSD": 0.3,
                "startTime": "2026-05-01T12:00:10Z",
                "completionTime": "2026-05-01T12:02:13Z",
            },
            {
                "slug": "visual",
                "phase": "Failed",
                "reason": "OOMKilled",
                "message": "limit 384Mi",
                "threshold": 75.5,
                "attempt": 2,
                "iterations": 1,
                "itemsCreated": 1,
                "qualityScore": 12,
                "costUSD": 0.002,
                "startTime": "2026-05-01T12:05:00Z",
                "completionTime": "2026-05-01T12:06:00Z",
            },
            {
                "slug": "audio",
                "phase": "Running",
                "reason": "Unschedulable",
                "message": "0/3 nodes\x1b[2J",
                "threshold": 80,
                "attempt": 1,
                "itemsCreated": 11,
                "iterations": 2,
                "iterationLimit": 4,
                "startTime": "2026-05-01T12:09:00Z",
            },
            {"slug": "props", "phase": "Pending", "threshold": 80},
            {"slug": "vfx", "phase": "Skipped", "reason": "BudgetUsed", "threshold": 80},
        ],
    },
}
TREE = """\
the-salt-road  Running  1/5 departments  43 notes  quality 81.2  $0.50 of $2.00, 41,000 of 90,000 tokens  9m55s
├─ project 66f1a2b3c4d5e6f708192a3b, user user-123, namespace films
├─ ✓ story             Succeeded  87.2 of 80  31 notes  9 of 12 iterations  $0.30  2m3s  ThresholdReached
├─ ✗ visual            Failed     12.0 of 75.5  1 note  1 iteration  attempt 2  $0.0020  60s  OOMKilled
│    └─ attempt 1  film-visual-1-x  Failed  exit 137 OOMKilled  60s
│    OOMKilled: limit 384Mi
│    → Raise `worker.resources.limits.memory` of the chart above the limit that the message names.
├─ ▸ audio             Running    0.0 of 80  11 notes  2 of 4 iterations  $0.00  60s
│    Unschedulable: 0/3 nodes[2J
│    → Add nodes, or change `worker.nodeSelector`, `worker.tolerations` or `worker.resources` of the chart, as the scheduler's words say.
├─ · props             Pending    threshold 80
├─ - vfx               Skipped    threshold 80  BudgetUsed
│    BudgetUsed
│    → Raise `budget`, or select fewer departments.
└─ BrainAvailable: BrainUnavailable: no answer
     → Look at the brain and at Neo4j. Runs go on; their notes are saved, and indexed when it is back."""


def test_a_run_is_a_tree() -> None:
    """Run, departments, attempts, why it waits and what helps, scores and money."""
    assert "\n".join(Tree(RUN, NOW, PLAIN, [POD]).lines()) == TREE


def test_a_terminal_without_unicode_has_a_tree_too() -> None:
    """Of ASCII alone."""
    text = "\n".join(Tree(RUN, NOW, Terminal(is_unicode=False), [POD]).lines())
    assert text.isascii()
    assert "|- > audio" in text


def test_departments_stand_below_each_other_however_long_their_names_are() -> None:
    """Seventeen characters are one more than the usual column has."""
    departments = [{"slug": slug, "phase": "Pending"} for slug in ("story", "production-design")]
    status = {"phase": "Running", "departments": departments}
    lines = [line for line in Tree({**RUN, "status": status}, NOW, PLAIN).lines() if " · " in line]
    assert len(lines) == 2
    assert len({line.index("Pending") for line in lines}) == 1


def test_a_run_without_a_status_is_pending() -> None:
    """As it is before the operator has seen it."""
    lines = list(Tree({**RUN, "status": None}, NOW, PLAIN).lines())
    assert lines[0] == "the-salt-road  Pending  0 notes  $0.00 of $2.00, 0 of 90,000 tokens  10m"
    assert lines[1].startswith("└─ project")


def test_what_is_new_is_a_line_each() -> None:
    """The same state again is nothing new."""
    first = [line.split(" ", 1)[1] for line in news_of({}, RUN, NOW)]
    assert "story: Succeeded, ThresholdReached" in first
    assert "story: iteration 9, 87.2 of 80, 31 notes, $0.30" in first
    assert "visual: attempt 2" in first
    assert first[-1] == "the-salt-road: Running, 1/5 departments, 43 notes, quality 81.2, $0.50"
    assert list(news_of(RUN, RUN, NOW)) == []


def test_colours_are_painted_only_where_they_are_taken() -> None:
    """And a table's columns stay as wide as their words."""
    painted = runs_table([RUN], NOW, Terminal(is_coloured=True), is_wide=True, is_everywhere=True)
    bare = runs_table([RUN], NOW, PLAIN, is_wide=True, is_everywhere=True)
    assert "\033[36mRunning\033[0m" in painted[1]
    assert painted[1].replace("\033[36m", "").replace("\033[0m", "") == bare[1]
    assert bare[1].split()[:3] == ["films", "the-salt-road", "66f1a2b3c4d5e6f708192a3b"]


@pytest.mark.parametrize(
    "text", ["\x1b[31mred", "a\rb", "\x9b2J", "x\u202egnp.exe", "bell\x07", "\x1b]0;title\x07"], ids=ascii
)
def test_no_text_steers_the_terminal(text: str) -> None:
    """Escape sequences, carriage returns and marks of direction lose what makes them work."""
    assert not set(plain(text)) & set("\x1b\r\x9b\u202e\x07")
    for line in (
        {"message": text},
        {"message": "", "level": text},
        {"message": "", "timestamp": f"2026-01-01 {text}"},
    ):
        shown = line_reader(PLAIN, is_raw=False)(json.dumps(line))
        assert not set(shown) & set("\x1b\r\x9b\u202e\x07")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (252, "4m12s"),
        (11_100, "3h5m"),
        (183_600, "2d3h"),
        (None, ""),
    ],
)
def test_times_are_shown_as_kubectl_shows_ages(seconds: float | None, shown: str) -> None:
    """Two units at most."""
    assert duration(seconds) == shown


def test_money_below_a_cent_is_not_nothing() -> None:
    """Four digits then."""
    assert [dollars(amount) for amount in (0, None, 0.0042, 1234.5)] == [
        "$0.00",
        "$0.00",
        "$0.0042",
        "$1,234.50",
    ]


def test_log_lines_are_for_people_or_as_they_were() -> None:
    """What is no JSON is shown as it is."""
    line = json.dumps(
        {"timestamp": "2026-05-01T12:00:01Z", "level": "WARNING", "message": "slow", "took_s": 3, "run": "r"}
    )
    assert line_reader(PLAIN, is_raw=False)(line) == "12:00:01 WARNING slow  took_s=3"
    assert line_reader(PLAIN, is_raw=True)(line) == line
    assert line_reader(PLAIN, is_raw=False)("Traceback") == "Traceback"


def test_notes_are_shown_whole_or_in_a_row() -> None:
    """With where they come from."""
    note = {
        "id": "a1",
        "department": "story",
        "by": "gather",
        "content": "The harbour freezes.",
        "created_at": "2026-05-01T12:00:00.000Z",
        "provenance": {"iteration": 3, "quality_score": 81.5},
    }
    assert list(note_lines([note], PLAIN)) == [
        "story  gather  iteration 3  quality 81.5  2026-05-01T12:00:00  a1",
        "  The harbour freezes.",
        "",
    ]
    assert list(notes_table([note], PLAIN))[1].split("   ")[-1] == "The harbour freezes."
