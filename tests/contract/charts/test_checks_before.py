"""What is looked at before an installation: Secrets, their keys, and another release in the namespace."""

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final

import pytest
import yaml

from dev.paths import ROOT
from tests.support.kubernetes.readable_namespace import readable
from tests.support.kubernetes.rendered_charts import with_notes_shown

Helm = Callable[[Sequence[str]], CompletedProcess[str]]
CHART: Final = ROOT / "charts" / "gather"
KEYS: Final = {
    "operator": ["REDIS_URL", "MONGODB_URI"],
    "worker": ["MONGODB_URI", "REDIS_URL", "BRAIN_SERVICE_API_KEY"],
    "brain": ["keys.json"],
    "bridge": ["REDIS_URL", "MONGODB_URI", "GATHER_WEBHOOK_SECRET", "tokens.json", "GATHER_BRIDGE_DOOR_KEY"],
    "celery-door": ["REDIS_URL"],
    "http-door": ["REDIS_URL", "keys.json"],
}
KEY_OF: Final = '{"secretKeyRef": {"name": "a", "key": "b"}}'
ROOT_CA: Final = "configmaps/kube-root-ca.crt"


def whole() -> dict[str, Any]:
    """A namespace with everything that the development values need, by paths below it."""
    some = base64.b64encode(b"x").decode()
    secrets = {
        f"secrets/gather-backing-{room}": {"data": dict.fromkeys(keys, some)} for room, keys in KEYS.items()
    }
    return {ROOT_CA: {}, "deployments": {"items": []}, **secrets}


def installed(helm: Helm, flags: Sequence[str], checks: str = "Fail", *more: str) -> CompletedProcess[str]:
    """What an installation would say; nothing is made."""
    values = ["--values", str(CHART / "values-dev.yaml"), "--set", f"checks.existingSecrets={checks}",
              "--set", "bridge.allowAnonymous=false"]  # fmt: skip
    return helm(["template", "gather", str(CHART), *flags, *values, *more])


def test_nothing_is_said_where_nothing_is_missing(helm: Helm, tmp_path: Path) -> None:
    """With the keys that gather-backing makes."""
    with readable(whole(), tmp_path) as flags:
        done = installed(helm, flags)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("room", KEYS)
def test_a_missing_secret_is_named_with_its_keys(helm: Helm, tmp_path: Path, room: str) -> None:
    """Before anything is made, and with the value that names it."""
    objects = whole()
    del objects[f"secrets/gather-backing-{room}"]
    with readable(objects, tmp_path) as flags:
        done = installed(helm, flags)
        off = installed(helm, flags, "Off")
        later = installed(helm, flags, "Warn")
    assert done.returncode != 0
    assert f"Secret gather-backing-{room} (" in done.stderr
    assert all(key in done.stderr for key in KEYS[room])
    assert (off.returncode, later.returncode) == (0, 0)


@pytest.mark.parametrize(("room", "key"), [(room, key) for room, keys in KEYS.items() for key in keys])
def test_a_missing_or_empty_key_is_named(helm: Helm, tmp_path: Path, room: str, key: str) -> None:
    """The one and no other."""
    objects = whole()
    objects[f"secrets/gather-backing-{room}"]["data"][key] = ""
    with readable(objects, tmp_path) as flags:
        done = installed(helm, flags)
    assert f"Secret gather-backing-{room} (" in done.stderr
    assert f"lacks {key}. Make it first" in done.stderr


def test_keys_that_values_ask_for_are_needed(helm: Helm, tmp_path: Path) -> None:
    """An authority's file, OpenRouter's key; what extraEnv gives is not."""
    with readable(whole(), tmp_path) as flags:
        asked = installed(helm, flags, "Fail", "--set", "redis.caFile=/etc/gather/secrets/redis-ca.crt")
        router = installed(helm, flags, "Fail", "--set", "llmBaseUrl=https://openrouter.ai/api/v1")
        given = installed(
            helm, flags, "Fail", "--set", "llmBaseUrl=https://openrouter.ai/api/v1", "--set-json",
            f'worker.extraEnv=[{{"name": "OPENROUTER_API_KEY", "valueFrom": {KEY_OF}}}]',
        )  # fmt: skip
    assert "Secret gather-backing-http-door (doors.http.existingSecret) lacks redis-ca.crt" in asked.stderr
    assert "Secret gather-backing-worker (worker.existingSecret) lacks OPENROUTER_API_KEY" in router.stderr
    assert given.returncode == 0, given.stderr


def test_a_second_release_in_a_namespace_is_refused(helm: Helm, tmp_path: Path) -> None:
    """Both operators would work on the same runs; other programs, and one's own upgrade, are let be."""
    objects = whole()
    labels = {"app.kubernetes.io/name": "gather", "app.kubernetes.io/component": "operator"}
    ours = {"metadata": {"name": "a", "labels": {**labels, "app.kubernetes.io/instance": "gather"}}}
    bare = {"metadata": {"name": "b"}}
    objects["deployments"]["items"] = [bare, ours]
    with readable(objects, tmp_path) as flags:
        assert installed(helm, flags).returncode == 0
    theirs = {"metadata": {"name": "c", "labels": {**labels, "app.kubernetes.io/instance": "first"}}}
    objects["deployments"]["items"] = [bare, theirs]
    with readable(objects, tmp_path) as flags:
        done = installed(helm, flags)
    assert done.returncode != 0
    assert "namespace film has an operator already, of the release first" in done.stderr


def test_the_notes_name_what_is_missing(helm: Helm, tmp_path: Path) -> None:
    """With its value; where nothing could be looked at, all that has to be there; else nothing."""
    chart = with_notes_shown(CHART, tmp_path)

    def notes(objects: dict[str, Any], checks: str) -> str:
        values = ["--values", str(CHART / "values-dev.yaml"), "--set", f"checks.existingSecrets={checks}"]
        with readable(objects, tmp_path) as flags:
            done = helm(["template", "gather", str(chart), *flags, *values])
        assert done.returncode == 0, done.stderr
        shown = (d for d in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if d)
        return next(str(d["data"]["notes"]) for d in shown if d["metadata"]["name"] == "notes")

    objects = whole()
    del objects["secrets/gather-backing-brain"]
    missing = "Secret gather-backing-brain (brain.existingSecret) is missing; it needs the keys keys.json"
    assert missing in notes(objects, "Warn")
    assert "is missing" not in notes(whole(), "Warn")
    assert "is missing" not in notes(objects, "Off")
    unseen = notes({"deployments": {"items": []}}, "Fail")
    assert "gather-backing-brain (brain.existingSecret) with keys.json" in unseen
    assert "\n\n\n" not in unseen


def test_a_namespace_that_is_yet_to_be_made_is_not_looked_at(helm: Helm, tmp_path: Path) -> None:
    """Nothing can be in it; the notes say what has to be."""
    with readable({"deployments": {"items": []}}, tmp_path) as flags:
        done = installed(helm, flags)
    assert done.returncode == 0, done.stderr
