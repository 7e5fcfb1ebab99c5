"""The command line: what it shows, and how it fails."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from dev.artefacts.cache import Cache
from dev.cli import cluster, deploy, main
from dev.cluster import kubectl
from dev.cluster.deploy import Tools
from dev.cluster.provider import Status
from dev.errors import ContextError, MachineError
from dev.progress import Reporter
from gather_demo.languages import Language


def _shown(status: Status) -> str:
    text = io.StringIO()
    Console(file=text, width=120).print(cluster.status_table(status, Cache(Path("/cache"))))
    return text.getvalue()


def test_a_ready_cluster_is_shown_with_versions_and_memory() -> None:
    shown = _shown(Status("node", True, True, {"Kubernetes": "1.34.10"}, 750 * 1024**2))
    for part in ("node", "ready", "1.34.10", "750 MiB", "/cache/kubeconfig"):
        assert part in shown


def test_a_cluster_that_is_down_is_shown_as_down() -> None:
    shown = _shown(Status("node", False, False))
    assert "down" in shown
    assert "memory" not in shown


def test_an_error_is_a_message_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise MachineError("It needs [root]: use sudo.")

    monkeypatch.setattr(main, "app", refuse)
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 1
    assert capsys.readouterr().err == "Error: It needs [root]: use sudo.\n"


def test_the_tools_take_every_argument_as_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[object] = []
    monkeypatch.setenv("GATHER_CACHE", str(tmp_path))
    monkeypatch.setattr(kubectl, "execute", lambda *arguments: seen.append(arguments))
    result = CliRunner().invoke(
        main.app, ["--context", "staging", "kubectl", "get", "pods", "-o", "json", "--help"]
    )
    assert result.exit_code == 0, result.output
    assert seen == [("kubectl", ["get", "pods", "-o", "json", "--help"], "staging")]


def test_another_context_is_refused_by_what_works_on_our_cluster_only() -> None:
    result = CliRunner().invoke(main.app, ["--context", "staging", "up"])
    assert isinstance(result.exception, ContextError)
    assert "`up` works on our own cluster only" in str(result.exception)


def test_every_room_has_its_commands() -> None:
    shown = CliRunner().invoke(main.app, ["--help"]).output
    for command in (
        "up",
        "down",
        "status",
        "kubectl",
        "helm",
        "images",
        "load",
        "stores",
        "serve",
        "deploy",
        "demo",
    ):
        assert f"│ {command} " in shown


def test_the_cache_option_goes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GATHER_CACHE", "/elsewhere")
    monkeypatch.setattr(kubectl, "execute", lambda *_: None)
    CliRunner().invoke(main.app, ["--cache", str(tmp_path), "helm", "list"])
    assert Cache.from_environment().root == tmp_path


def test_the_demo_refuses_a_language_that_it_does_not_speak() -> None:
    """With those that it does, in quotes or, once the other command line is imported, without."""
    result = CliRunner().invoke(main.app, ["demo", "--language", "fr"])
    assert result.exit_code == 2
    words = r"\W+".join(["fr", "is not one of", *Language])
    assert re.search(words, result.output), result.output


@pytest.mark.parametrize(("language", "embedding"), [(Language.EN, "fast"), (Language.DE, "multilingual")])
def test_both_charts_are_installed_for_the_demo_s_language(
    monkeypatch: pytest.MonkeyPatch, language: Language, embedding: str
) -> None:
    """The demo services speak it and the brain reads it; images' tags are still named."""
    given: list[dict[str, dict[str, str]]] = []
    monkeypatch.setattr(deploy, "deploy", lambda *arguments: given.append(arguments[2]))
    demo = deploy.Cluster(None, Tools([], []), {}, language)  # type: ignore[arg-type]
    demo.install("film", Reporter(), more={"networkPolicy.egress.model": "null"})
    (settings,) = given
    assert settings["gather-backing"]["demo.language"] == language
    assert settings["gather"]["brain.embedding"] == embedding
    assert settings["gather"]["networkPolicy.egress.model"] == "null"
