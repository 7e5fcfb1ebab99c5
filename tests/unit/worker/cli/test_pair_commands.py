"""The commands for labelled pairs: what they refuse, and how they split and ask."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_clients.backoff import Backoff
from gather_contracts.brain import SIMILARITY_PAIRS_MAX
from gather_worker.calibrate import cosines as cosines_module
from gather_worker.calibrate.cosines import cosines_of, report_progress
from gather_worker.calibrate.labelled_pairs import LabelledPair, write_pairs
from gather_worker.calibrate.split import split
from gather_worker.cli.arguments import parse_arguments
from gather_worker.cli.calibrate import check_enough
from gather_worker.errors import BrainUnusable, InvalidInput, TryAgain
from gather_worker.main import execute_command

SETTINGS = {"BRAIN_SERVICE_BASE_URL": "http://127.0.0.1:9", "BRAIN_SERVICE_API_KEY": "k"}


def pair(number: int, *, duplicate: bool = True) -> LabelledPair:
    """Return a pair of texts of its own."""
    return LabelledPair(a=f"one {number}", b=f"other {number}", duplicate=duplicate)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A file of 400 pairs."""
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, [pair(number, duplicate=number % 2 == 0) for number in range(400)])
    return path


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An address where no brain answers, and no model."""
    for name, value in {**SETTINGS, "GATHER_SECRETS_DIR": str(tmp_path / "none")}.items():
        monkeypatch.setenv(name, value)
    for name in ("OPENROUTER_API_KEY", "GATHER_LLM_BASE_URL", "GATHER_JUDGE_MODEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("command", ["calibrate", "duplicates"])
def test_help_says_what_is_wanted_and_how_it_ends(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With an example, the settings and the exit codes."""
    with pytest.raises(SystemExit) as ended:
        execute_command([command, "--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for said in (
        "Example: gather-worker",
        "BRAIN_SERVICE_BASE_URL",
        "Exit codes: 0",
        "`duplicate`, true or false",
    ):
        assert said in shown


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            ['{"a": "x", "b": "y", "duplicate": true}', '{"a": "x", "b": "y"}'],
            "line 2: duplicate: Field required",
        ),
        (
            ['{"a": "x", "b": "y", "duplicate": "perhaps"}'],
            "line 1: duplicate: Input should be a valid boolean",
        ),
        (
            ["nonsense"],
            "line 1: neither JSON nor CSV with the columns a, b, duplicate; wanted are JSON Lines",
        ),
        (['{"a": "x"', ""], "line 1: not JSON: Expecting ',' delimiter at column 10; wanted are JSON Lines"),
        (["a,b,duplicate", "x,y,perhaps"], "line 2: duplicate: Input should be a valid boolean"),
        (
            [json.dumps({"a": "x" * 9000, "b": "y", "duplicate": False})],
            "line 1: a: String should have at most",
        ),
        ([""], "no pairs"),
        (['{"a": "x", "b": "y", "duplicate": true}'], "wanted are 200"),
    ],
)
def test_a_file_that_cannot_work_is_refused_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: Sequence[str], reason: str
) -> None:
    """Exit code 64, one sentence that names the line."""
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    assert execute_command(["calibrate", "--pairs", str(path), "--out", str(tmp_path / "out.json")]) == 64
    error = capsys.readouterr().err
    assert error.startswith(f"gather-worker calibrate: {path}: ")
    assert reason in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["calibrate", "--out", "no/such/folder/x.json"], "is not a folder"),
        (["calibrate", "--out", "x.json", "--source", "a", "--source", "b"], "one for each --pairs"),
        (["calibrate", "--out", "x.json", "--held-out", "0.9"], "not between 0.1 and 0.5"),
        (["calibrate", "--out", "x.json", "--project", "mine"], "24 hexadecimal digits"),
        (["duplicates", "--threshold", "2"], "not between 0.5 and 1"),
        (["duplicates", "--model"], "set GATHER_JUDGE_MODEL"),
        (["duplicates", "--calibration", "no-such.json"], "cannot be read"),
        (["duplicates", "--json", "--table"], "not allowed with"),
    ],
)
def test_arguments_that_cannot_work_are_refused(
    written: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    reason: str,
) -> None:
    """Exit code 64, one sentence."""
    monkeypatch.chdir(written.parent)
    assert execute_command([*arguments, "--pairs", str(written)]) == 64
    assert reason in capsys.readouterr().err


def test_json_is_printed_unless_a_table_is_asked_for() -> None:
    """As --help says."""
    files = ["duplicates", "--pairs", "x"]
    found = [parse_arguments([*files, *more]).is_table for more in ([], ["--json"], ["--table"])]
    assert found == [False, False, True]


def test_missing_settings_are_named(
    written: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none that pairs have nothing to do with."""
    monkeypatch.delenv("BRAIN_SERVICE_API_KEY")
    assert execute_command(["duplicates", "--pairs", str(written), "--no-model"]) == 64
    assert capsys.readouterr().err == (
        "gather-worker duplicates: settings: BRAIN_SERVICE_API_KEY: Field required\n"
    )


def test_a_brain_that_does_not_answer_is_for_later(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 75; no termination message is printed."""
    assert execute_command(["duplicates", "--pairs", str(written), "--no-model"]) == 75
    out, error = capsys.readouterr()
    assert out == ""
    assert "the brain gives no cosines" in error


class ScriptedBrain:
    """Gives the same cosine to pairs of the same number; may fail or change its model."""

    def __init__(self, *models: str) -> None:
        self.models = list(models)

    async def compare(self, pairs: Sequence[tuple[str, str]]) -> tuple[str, list[float]]:
        """Return the number in the texts as their cosine."""
        model = self.models.pop(0)
        if not model:
            raise BrainUnusable("gone")
        assert len(pairs) <= SIMILARITY_PAIRS_MAX
        return model, [int(one.split()[1]) / 1000 for one, _ in pairs]


async def test_cosines_come_back_in_the_order_of_the_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    """However they were asked for; with progress on standard error."""
    brain: Any = ScriptedBrain("mini", "mini", "mini")
    pairs = [pair(number) for number in (*range(60, 0, -1), *range(60, 121))]
    model, cosines = await cosines_of(brain, pairs, report_progress)
    assert (model, cosines) == ("mini", [int(each.a.split()[1]) / 1000 for each in pairs])
    assert capsys.readouterr().err.splitlines()[-1] == "compared 121 of 121 pairs"


async def test_a_brain_that_is_slow_for_a_while_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hours of comparing are not lost to one request that took too long."""
    monkeypatch.setattr(cosines_module, "BACKOFF", Backoff(0.0, 0.0))
    brain: Any = ScriptedBrain("mini", "", "", "mini")
    pairs = [pair(number) for number in range(60)]
    _, cosines = await cosines_of(brain, pairs, report_progress)
    assert cosines == [number / 1000 for number in range(60)]
    assert capsys.readouterr().err.count("gives no cosines now (gone); asking again") == 2


@pytest.mark.parametrize(
    ("models", "reason"), [(("",), "gone"), (("mini", ""), "gone"), (("mini", "other"), "has changed")]
)
async def test_cosines_of_two_models_are_not_mixed(
    models: tuple[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does half of them count as all; a brain that never answers is not waited for."""
    monkeypatch.setattr(cosines_module, "PATIENCE_S", 0.0)
    brain: Any = ScriptedBrain(*models)
    with pytest.raises(TryAgain, match=reason):
        await cosines_of(brain, [pair(number) for number in range(60)], lambda _done, _total: None)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.booleans()), max_size=60),
    st.floats(0.1, 0.5),
)
def test_the_two_parts_have_no_text_in_common(
    drawn: list[tuple[int, int, bool]], held_out_share: float
) -> None:
    """No pair is lost or doubled, and the same ones are held out every time."""
    pairs = [LabelledPair(a=f"Text {a}", b=f"text {b}!", duplicate=same) for a, b, same in drawn]
    to_fit, held_out = split(pairs, held_out_share)
    assert sorted(map(str, [*to_fit, *held_out])) == sorted(map(str, pairs))
    assert len(held_out) <= round(len(pairs) * held_out_share)
    texts = [
        {text.lower().strip("!") for each in part for text in (each.a, each.b)} for part in (to_fit, held_out)
    ]
    assert not texts[0] & texts[1]
    assert split(pairs, held_out_share) == (to_fit, held_out)


def test_pairs_of_one_label_are_refused() -> None:
    """There is nothing to separate."""
    with pytest.raises(InvalidInput, match="400 of them duplicates"):
        check_enough("x", [pair(number) for number in range(400)])
