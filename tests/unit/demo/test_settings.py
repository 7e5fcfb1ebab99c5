"""The demo services' settings: what is wrong with them is said in a line, and the process ends with 64."""

import runpy
import sys

import pytest

SERVICES = ("cms", "llm", "seed")


@pytest.mark.parametrize(
    ("service", "wrong", "said"),
    [
        ("cms", ("GATHER_DEMO_PORT", "99999"), "Input should be less than or equal to 65535"),
        ("cms", ("GATHER_DEMO_DEPARTMENTS_FILE", "/none"), "no YAML list of departments can be read"),
        ("llm", ("GATHER_DEMO_LLM_REPEAT_SHARE", "2"), "Input should be less than or equal to 1"),
        *((service, ("GATHER_DEMO_LANGUAGE", "fr"), "Input should be 'en' or 'de'") for service in SERVICES),
        ("llm", ("GATHER_LOG_LEVEL", "loud"), "Input should be 'DEBUG'"),
        ("seed", ("GATHER_DEMO_SEED_PATIENCE_S", "0"), "Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_ends_a_service_with_its_name_and_rule(
    service: str,
    wrong: tuple[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a traceback."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", "/none")
    for name in ("MONGODB_URI", "BRAIN_SERVICE_BASE_URL", "BRAIN_SERVICE_API_KEY"):
        monkeypatch.setenv(name, "http://x")
    monkeypatch.setenv(*wrong)
    monkeypatch.delitem(sys.modules, f"gather_demo.{service}.__main__", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"gather_demo.{service}", run_name="__main__")
    assert ended.value.code == 64
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"demo-{service}: {wrong[0]}: {said}")
