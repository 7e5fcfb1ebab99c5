"""The report of a check: what its exit code follows from, and what a screen shows."""

import pytest

from gather_contracts.result import ExitCode
from gather_worker.check.findings import (
    WIDTH,
    Finding,
    as_json,
    as_table,
    exit_code_of,
    fail,
    fail_now,
    lacking,
    ok,
    skip,
    warn,
)

WORKS = [ok("MongoDB", "reached"), warn("Redis data", "on no disk", "appendonly yes"), skip("CMS", "not set")]


@pytest.mark.parametrize(
    ("more", "code", "strict"),
    [
        ([], ExitCode.DONE, ExitCode.DONE),
        ([lacking("Brain", "down", "start it")], ExitCode.DONE, ExitCode.NEVER),
        ([fail_now("MongoDB", "down", "start it")], ExitCode.TRY_AGAIN, ExitCode.TRY_AGAIN),
        ([fail("Model", "unknown", "name another")], ExitCode.NEVER, ExitCode.NEVER),
        (
            [fail_now("MongoDB", "down", "start it"), fail("Model", "unknown", "name another")],
            ExitCode.NEVER,
            ExitCode.NEVER,
        ),
        (
            [fail_now("MongoDB", "down", "x"), lacking("Brain", "down", "x")],
            ExitCode.TRY_AGAIN,
            ExitCode.NEVER,
        ),
    ],
)
def test_the_exit_code_says_whether_waiting_can_help(
    more: list[Finding], code: ExitCode, strict: ExitCode
) -> None:
    """What runs can go on without counts only if all is wanted."""
    assert exit_code_of([*WORKS, *more]) is code
    assert exit_code_of([*WORKS, *more], is_strict=True) is strict


def test_the_table_names_each_finding_with_its_fix_within_the_screen_s_width() -> None:
    """The fix stands under what it mends; the last line says what follows."""
    long = lacking("Evaluation task", "no worker on the queue knows " + "a.long.name " * 20, "set it " * 30)
    lines = as_table([*WORKS, long], ExitCode.DONE).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[0] == "ok    MongoDB          reached"
    assert lines[1] == "warn  Redis data       on no disk"
    assert lines[2].strip() == "> appendonly yes"
    assert lines[-1] == "Runs can work: 1 ok, 1 to look at, 1 failed; runs go on without what failed."
    failed = as_table([fail("Model", "unknown", "name another")], ExitCode.NEVER).splitlines()
    assert failed[-1].startswith("Runs will not work: 0 ok, 0 to look at, 1 failed.")


def test_no_text_of_a_service_can_make_further_lines_or_fill_the_screen() -> None:
    """It is one paragraph of bounded length."""
    table = as_table([ok("Redis", "x\nfail  MongoDB  broken\n" + "y " * 10_000)], ExitCode.DONE)
    assert not [line for line in table.splitlines() if line.startswith("fail")]
    assert len(table) < 1_500


def test_the_json_holds_the_same() -> None:
    """For machines."""
    report = as_json([fail("Model", "unknown", "name another")], ExitCode.NEVER)
    assert report == {
        "ok": False,
        "exitCode": 64,
        "findings": [
            {
                "name": "Model",
                "status": "fail",
                "required": True,
                "finding": "unknown",
                "fix": "name another",
            }
        ],
    }
