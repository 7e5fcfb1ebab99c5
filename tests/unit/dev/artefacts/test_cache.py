"""The cache folder: where it is, how much room it has, and who may change it."""

import multiprocessing
from pathlib import Path

import pytest

from dev.artefacts import cache as cache_module
from dev.artefacts.cache import Cache
from dev.errors import MachineError


def test_the_environment_names_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATHER_CACHE", str(tmp_path))
    assert Cache.from_environment().kubeconfig == tmp_path / "kubeconfig"


def test_the_default_is_in_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATHER_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Cache.from_environment().root == tmp_path / "gather"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert Cache.from_environment().root == Path("/home/someone/.cache/gather")


def test_a_full_disk_is_named_with_what_is_needed_and_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"The node needs 1073741824\.0 GiB in .* GiB are free"):
        cache_module.require_space(tmp_path / "not" / "yet", 2**60, "The node")


def test_enough_room_is_enough(tmp_path: Path) -> None:
    cache_module.require_space(tmp_path, 1, "The node")


def _hold(
    root: Path, held: "multiprocessing.synchronize.Event", let_go: "multiprocessing.synchronize.Event"
) -> None:
    with Cache(root).locked(print):
        held.set()
        let_go.wait(10)


def test_a_second_command_waits_and_says_so(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, let_go = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, let_go))
    other.start()
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        let_go.set()

    try:
        assert held.wait(20)
        with Cache(tmp_path).locked(say):
            assert said == [f"Waiting for another command that changes {tmp_path} ..."]
    finally:
        let_go.set()
        other.join(10)


def test_the_lock_of_a_killed_command_is_free(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, let_go = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, let_go))
    other.start()
    assert held.wait(20)
    other.kill()
    other.join(10)
    with Cache(tmp_path).locked(pytest.fail):
        pass
