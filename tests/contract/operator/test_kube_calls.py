"""Single calls to an API server that answers well, badly, late or not at all."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.aio.client.configuration import Configuration

from gather_clients.kube_api.api_access import load_access
from gather_clients.kube_api.cluster_errors import (
    ClusterError,
    ClusterUnavailable,
    Conflict,
    Missing,
    Refused,
)
from gather_contracts import names
from gather_operator.kube.cluster import Cluster
from gather_operator.kube.connections import connect
from gather_operator.metrics import API_ERRORS
from tests.support.kubernetes.scripted_kube_api import (
    ScriptedApi,
    hangs,
    reaching,
    refuses,
    says,
    scripted_api,
    streams,
)

TIMEOUT_S = 30.0
RUN = {"metadata": {"name": "film", "resourceVersion": "7"}}


@pytest.fixture
async def api() -> AsyncIterator[ScriptedApi]:
    """An API server without answers yet."""
    async with scripted_api() as served:
        yield served


def kubeconfig(path: Path, api: ScriptedApi, user: dict[str, Any]) -> None:
    """Write a kubeconfig that leads to the API."""
    config = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": api.url}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")


# --- what is sent


async def test_a_call_names_us_and_asks_for_plain_json(api: ScriptedApi) -> None:
    """For the API server's log and for whom a field belongs to."""
    api.plays(says(RUN))
    async with reaching(api) as cluster:
        await cluster.put_status("film", "7", {"phase": "Running"})
    (asked,) = api.asked
    assert asked.method == "PATCH"
    assert asked.path == f"/apis/{names.GROUP}/{names.VERSION}/namespaces/films/gatherruns/film/status"
    assert asked.query == {"fieldManager": "gather-operator"}
    assert asked.headers["User-Agent"].startswith("gather-operator/")
    assert asked.headers["Content-Type"] == "application/merge-patch+json"
    assert asked.headers["Accept-Encoding"] == "identity"
    expected = {"metadata": {"resourceVersion": "7"}, "status": {"phase": "Running"}}
    assert json.loads(asked.body) == expected


async def test_a_job_is_suspended_and_marked_in_one_write(api: ScriptedApi) -> None:
    """And resumed likewise; a Job that is gone is no error."""
    api.plays(says({"kind": "Job"}), says({"kind": "Job"}), refuses(404))
    async with reaching(api) as cluster:
        await cluster.suspend_job("j")
        await cluster.resume_job("j")
        await cluster.resume_job("gone")
    assert [a.method for a in api.asked] == ["PATCH"] * 3
    assert api.asked[0].path == "/apis/batch/v1/namespaces/films/jobs/j"
    key = "gather.ft.tc/suspended"
    assert [json.loads(a.body) for a in api.asked[:2]] == [
        {"metadata": {"annotations": {key: "true"}}, "spec": {"suspend": True}},
        {"metadata": {"annotations": {key: None}}, "spec": {"suspend": False}},
    ]


async def test_a_job_is_deleted_in_the_background(api: ScriptedApi) -> None:
    """The garbage collector takes its pods."""
    api.plays(says({"kind": "Status"}))
    async with reaching(api) as cluster:
        await cluster.delete_job("j")
    assert api.asked[0].query == {"propagationPolicy": "Background"}


async def test_a_run_is_deleted_only_as_it_was_seen(api: ScriptedApi) -> None:
    """The API server itself compares, so that nothing can change in between."""
    api.plays(says({"kind": "Status"}), refuses(409, "Conflict", "Precondition failed: UID"), refuses(404))
    async with reaching(api) as cluster:
        await cluster.delete_run("film", "u-1", "7")
        with pytest.raises(Conflict, match="Precondition"):
            await cluster.delete_run("film", "u-1", "7")
        with pytest.raises(Missing):
            await cluster.delete_run("film", "u-1", "7")
    assert json.loads(api.asked[0].body)["preconditions"] == {"uid": "u-1", "resourceVersion": "7"}


# --- what is answered


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (refuses(404, "NotFound", "gone"), Missing, "gone"),
        (refuses(409, "Conflict", "the object has been modified"), Conflict, "modified"),
        (refuses(410, "Expired", "too old"), Conflict, "too old"),
        (refuses(410), Conflict, "no"),
        (refuses(403, "Forbidden", "exceeded quota: pods"), Refused, "exceeded quota"),
        (refuses(422, "Invalid", "status.x: too long"), Refused, "too long"),
        (refuses(413, "RequestEntityTooLarge", "big"), Refused, "big"),
        (refuses(401, "Unauthorized", "Unauthorized"), ClusterUnavailable, "Unauthorized"),
        (refuses(429, "TooManyRequests", "slow down"), ClusterUnavailable, "slow down"),
        (refuses(500, "InternalError", "failed calling webhook"), ClusterUnavailable, "webhook"),
        (refuses(504, "Timeout", "not in time"), ClusterUnavailable, "not in time"),
        (says("<html>bad gateway</html>", 502), ClusterUnavailable, "502 Bad Gateway"),
        (says("[]", 503), ClusterUnavailable, "503 Service Unavailable"),
        (says("", 599), ClusterUnavailable, "status 599"),
        (says("{"), ClusterUnavailable, "get gatherrun"),
        (says("[1]"), ClusterUnavailable, "no object"),
        (says("[" * 100_000), ClusterUnavailable, "get gatherrun"),
        (streams(b'{"metadata": "\xff"}', end="clean"), ClusterUnavailable, "get gatherrun"),
        (streams(b'{"metadata": ', end="reset"), ClusterUnavailable, "get gatherrun"),
    ],
)
async def test_whatever_is_answered_is_an_error_of_ours(
    api: ScriptedApi, answer: Any, error: type[ClusterError], words: str
) -> None:
    """Split by what the caller can do; in the API server's own words."""
    api.plays(answer)
    async with reaching(api) as cluster:
        with pytest.raises(error, match=words) as caught:
            await cluster.get_run("film")
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


async def test_an_api_server_that_hangs_costs_the_timeout(api: ScriptedApi) -> None:
    """Not the client's own five minutes."""
    api.plays(hangs)
    async with reaching(api, timeout_s=0.2) as cluster:
        with pytest.raises(ClusterUnavailable):
            async with asyncio.timeout(TIMEOUT_S):
                await cluster.get_run("film")


async def test_an_api_server_that_is_not_there_is_unavailable() -> None:
    """The connection is refused."""
    async with scripted_api() as gone:
        pass
    async with reaching(gone) as cluster:
        with pytest.raises(ClusterUnavailable):
            await cluster.get_run("film")


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (refuses(429, headers={"Retry-After": "7"}), 7),
        (refuses(503, headers={"Retry-After": "30"}), 30),
        (refuses(500, headers={"Retry-After": "2"}), 2),
        (refuses(429, headers={"Retry-After": "86400"}), 600),
        (refuses(429, headers={"Retry-After": "soon"}), None),
        (refuses(429, details={"retryAfterSeconds": 3}), 3),
        (refuses(429), None),
    ],
)
async def test_the_time_that_the_api_server_asks_for_is_handed_on(
    api: ScriptedApi, answer: Any, seconds: float | None
) -> None:
    """Bounded, so that no answer can stop us for a day."""
    api.plays(answer)
    async with reaching(api) as cluster:
        with pytest.raises(ClusterUnavailable) as caught:
            await cluster.delete_job("j")
    assert caught.value.retry_after_s == seconds


async def test_what_exists_or_is_gone_already_is_done(api: ScriptedApi) -> None:
    """A call that was executed and answered 504 is simply made again."""
    manifest = {"metadata": {"name": "j"}}
    api.plays(refuses(504, "Timeout"), refuses(409, "AlreadyExists"), refuses(504, "Timeout"), refuses(404))
    async with reaching(api) as cluster:
        with pytest.raises(ClusterUnavailable):
            await cluster.create_job(manifest)
        await cluster.create_job(manifest)
        with pytest.raises(ClusterUnavailable):
            await cluster.delete_job("j")
        await cluster.delete_job("j")


async def test_a_job_that_a_quota_s_race_kept_out_does_not_count_as_created(api: ScriptedApi) -> None:
    """It answers 409 too, but nothing was made."""
    api.plays(refuses(409, "Conflict", "Operation cannot be fulfilled on resourcequotas"))
    async with reaching(api) as cluster:
        with pytest.raises(Conflict, match="resourcequotas"):
            await cluster.create_job({"metadata": {"name": "j"}})


async def test_only_what_is_no_ordinary_answer_is_counted(api: ScriptedApi) -> None:
    """A 404 is none."""
    counted = API_ERRORS.labels(call="get gatherrun", error="ClusterUnavailable")
    before = counted._value.get()
    api.plays(refuses(404), refuses(500))
    async with reaching(api) as cluster:
        for _ in range(2):
            with pytest.raises(ClusterError):
                await cluster.get_run("film")
    assert counted._value.get() == before + 1


# --- credentials


def write(path: Path, text: str) -> None:
    """Write a file, not on the event loop's own line."""
    path.write_text(text, encoding="utf-8")


def remove(path: Path) -> None:
    """Remove a file, likewise."""
    path.unlink()


def tokens(api: ScriptedApi) -> list[str]:
    return [a.headers.get("authorization", a.headers.get("Authorization", "")) for a in api.asked]


@pytest.fixture
def token_file(tmp_path: Path, api: ScriptedApi, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A token in a file that a kubeconfig names, written as an editor writes it: with a line break."""
    token = tmp_path / "token"
    token.write_text("old\n", encoding="utf-8")
    kubeconfig(tmp_path / "kubeconfig", api, {"tokenFile": str(token)})
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    return token


@pytest.fixture
async def as_user(token_file: Path) -> AsyncIterator[Callable[[], Cluster]]:
    """Reach the cluster as the kubeconfig says; called once."""
    made: list[Cluster] = []
    configuration = await load_access()

    def make() -> Cluster:
        made.append(Cluster(connect(configuration, load_access, TIMEOUT_S), "films"))
        return made[-1]

    yield make
    for cluster in made:
        await cluster.close()


async def test_a_rotated_token_is_read_again_when_it_is_refused(
    api: ScriptedApi, token_file: Path, as_user: Callable[[], Cluster]
) -> None:
    """The call that found out is made again, and succeeds."""
    api.plays(says(RUN), refuses(401), says(RUN))
    cluster = as_user()
    await cluster.get_run("film")
    write(token_file, "new\n")
    assert await cluster.get_run("film") == RUN
    await cluster.get_run("film")
    assert tokens(api) == ["Bearer old", "Bearer old", "Bearer new", "Bearer new"]


async def test_many_calls_that_are_refused_at_once_read_the_token_once(
    api: ScriptedApi, token_file: Path, as_user: Callable[[], Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And all of them go through."""
    loads: list[int] = []

    async def handle(request: Any) -> Any:
        is_new = request.headers["Authorization"] == "Bearer new"
        return await (says(RUN) if is_new else refuses(401))(request)

    async def load() -> Configuration:
        loads.append(1)
        return await load_access()

    api.plays(handle)
    cluster = as_user()
    monkeypatch.setattr(cluster._calls, "_load", load)
    write(token_file, "new")
    assert await asyncio.gather(*(cluster.get_run("film") for _ in range(20))) == [RUN] * 20
    assert len(loads) == 1


async def test_a_token_that_stays_refused_is_not_read_again_and_again(
    api: ScriptedApi, as_user: Callable[[], Cluster]
) -> None:
    """A revoked account must not start a plugin a hundred times a second."""
    api.plays(refuses(401))
    cluster = as_user()
    for _ in range(5):
        with pytest.raises(ClusterUnavailable):
            await cluster.get_run("film")
    assert len(api.asked) == 6


async def test_a_token_file_that_is_gone_is_an_error_of_ours(
    api: ScriptedApi, token_file: Path, as_user: Callable[[], Cluster]
) -> None:
    """While it is being replaced."""
    api.plays(refuses(401, "Unauthorized", "Unauthorized"))
    cluster = as_user()
    remove(token_file)
    with pytest.raises(ClusterUnavailable, match="Unauthorized"):
        await cluster.get_run("film")


async def test_no_proxy_is_taken_from_the_environment(
    api: ScriptedApi, as_user: Callable[[], Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client would by itself."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    api.plays(says(RUN))
    assert await as_user().get_run("film") == RUN
