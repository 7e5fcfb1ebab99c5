# ruff: noqa: E501 - tables, a case a row
"""Calls and watches over connections that break, credentials that change, and other servers."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gather_cli.cluster import runs as module
from gather_cli.cluster.api_server import ApiServer
from gather_cli.cluster.kubeconfig import Access
from gather_cli.cluster.runs import Runs
from gather_cli.commands.options import open_runs
from gather_cli.errors import AlreadyThere, Forbidden, NotFound, Refused, Unreachable

Answer = Callable[[BaseHTTPRequestHandler], None]


class Scripted:
    """An API server that plays one answer after the other, and what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, str]] = []
        self.port = 0

    def runs(self, **user: Any) -> Runs:
        """Return the runs of a namespace on it."""
        access = Access(f"http://127.0.0.1:{self.port}", "films", "the kubeconfig c", "c", user=user)
        return Runs(ApiServer(access, 5), "films")


@pytest.fixture
def api() -> Iterator[Scripted]:
    """One on this machine, with connections that are kept."""
    scripted = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            scripted.asked.append((self.path, self.headers.get("Authorization", "")))
            scripted.answers.pop(0)(self)

        do_POST = do_GET  # noqa: N815 - as the library calls it

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scripted.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield scripted
    server.shutdown()
    server.server_close()
    thread.join()


def says(body: Any, status: int = 200, *, is_closing: bool = False) -> Answer:
    """Answer with an object, or with bytes; without a word of it close the connection then."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
        handler.close_connection = is_closing

    return answer


def streams(*lines: bytes) -> Answer:
    """Answer with lines, then break the connection off."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for line in lines:
            handler.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        handler.close_connection = True

    return answer


def run(version: int, phase: str, uid: str = "u") -> dict[str, Any]:
    """A run as the API server has it."""
    return {
        "metadata": {"name": "film", "uid": uid, "resourceVersion": str(version)},
        "status": {"phase": phase},
    }


def event(kind: str, found: Any) -> bytes:
    """A watch's line."""
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


def phases(found: Iterator[Any]) -> list[str | None]:
    """Each state once, to the end of the run."""
    seen: list[str | None] = []
    for each in found:
        phase = None if each is None else each["status"]["phase"]
        seen += [phase] if seen[-1:] != [phase] else []
        if phase == "Succeeded":
            break
    return seen


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are tried again at once."""
    monkeypatch.setattr(module, "RECONNECT_S", 0)


GONE = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}


@pytest.mark.parametrize(
    "answers",
    [
        [streams(event("MODIFIED", run(2, "Suspended")), event("MODIFIED", run(3, "Succeeded")))],
        [streams(event("MODIFIED", run(2, "Suspended")), b'{"type": "MODI'), says(run(3, "Succeeded"))],
        [streams(), says(run(2, "Suspended")), streams(event("MODIFIED", run(3, "Succeeded")))],
        [says(GONE, 410), says(run(2, "Suspended")), streams(event("MODIFIED", run(3, "Succeeded")))],
        [streams(event("ERROR", GONE)), says(run(2, "Suspended")), says({"code": 503}, 503), says({}, 429),
         streams(event("MODIFIED", run(3, "Succeeded")))],
        [says(GONE, 410), says({}, 503), says(GONE, 410), says(run(2, "Suspended")),
         streams(event("MODIFIED", run(3, "Succeeded")))],
        [streams(event("BOOKMARK", {"metadata": {"resourceVersion": "9"}}), event("MODIFIED", run(10, "Suspended"))),
         says(run(11, "Succeeded"))],
    ],
    ids=["plain", "torn line", "ends at once", "too old", "too old within, then away", "too old and away", "bookmark"],
)  # fmt: skip
def test_a_watch_outlives_what_breaks_it(api: Scripted, answers: list[Answer]) -> None:
    """And misses no end."""
    api.answers = list(answers)
    runs = api.runs()
    assert phases(runs.follow(run(1, "Running"))) == ["Running", "Suspended", "Succeeded"]
    runs.server.close()


@pytest.mark.parametrize(
    "answers",
    [
        [streams(event("DELETED", run(2, "Running")))],
        [streams(), says({"kind": "Status", "code": 404, "message": "gone"}, 404)],
        [streams(event("MODIFIED", run(3, "Pending", "another")))],
        [streams(), says(run(3, "Pending", "another"))],
    ],
    ids=["deleted", "not there any more", "made again", "made again meanwhile"],
)
def test_a_run_that_is_deleted_or_made_again_ends_a_watch(api: Scripted, answers: list[Answer]) -> None:
    """Another run of its name is another run."""
    api.answers = list(answers)
    runs = api.runs()
    assert phases(runs.follow(run(1, "Running"))) == ["Running", None]
    runs.server.close()


def test_credentials_that_end_are_read_again(api: Scripted, tmp_path: Path) -> None:
    """A token's file may hold another by now; if it does not, it says what to do."""
    token = tmp_path / "token"
    token.write_text("old", "utf-8")
    refuse = says({"kind": "Status", "code": 401}, 401)
    runs = api.runs(tokenFile=str(token))
    token.write_text("new", "utf-8")
    api.answers = [refuse, says(run(1, "Running"))]
    runs.get("film")
    assert [who for _, who in api.asked] == ["Bearer old", "Bearer new"]
    api.answers = [refuse, refuse]
    with pytest.raises(Forbidden, match=r"does not know who asks \(401\); log in again, or mend the user"):
        runs.get("film")
    runs.server.close()


def test_a_connection_that_was_closed_meanwhile_is_opened_again(api: Scripted) -> None:
    """Of a call that may be made twice."""
    api.answers = [says(run(1, "Running"), is_closing=True), says(run(2, "Running"))]
    runs = api.runs()
    runs.get("film")
    assert runs.get("film")["metadata"]["resourceVersion"] == "2"
    runs.server.close()


@pytest.mark.parametrize(
    ("answer", "error", "says_what"),
    [
        (says(b"<html>login</html>"), Unreachable, "something else than JSON; is it an API server"),
        (says(b"404 page not found", 404), NotFound, "has no GatherRuns: install Gather"),
        (
            says({"code": 403, "message": 'User "u" cannot list'}, 403),
            Forbidden,
            "ask for a Role with that right",
        ),
        (says({"code": 422, "message": "spec.projectId: Invalid"}, 422), Refused, "spec.projectId: Invalid"),
        (says({"code": 409, "reason": "AlreadyExists"}, 409), AlreadyThere, "AlreadyExists"),
        (
            says({"code": 409, "message": "quota was modified"}, 409),
            Unreachable,
            "quota was modified; try again",
        ),
        (says(b"", 502), Unreachable, "status 502; try again"),
    ],
    ids=["page", "no crd", "forbidden", "invalid", "exists", "conflict", "gateway"],
)
def test_each_answer_is_one_line_that_helps(
    api: Scripted, answer: Answer, error: type[Exception], says_what: str
) -> None:
    """Whatever answers."""
    api.answers = [answer]
    runs = api.runs()
    with pytest.raises(error, match=says_what) as told:
        runs.create({"metadata": {"name": "film"}})
    assert "\n" not in str(told.value)
    runs.server.close()


@pytest.mark.parametrize("name", ["", "run/", "..", "."], ids=["empty", "kind alone", "above", "here"])
def test_what_names_no_run_is_one_line_and_asks_nothing(api: Scripted, name: str) -> None:
    """Its path would be that of all runs, or of something else."""
    runs = api.runs()
    for ask in (runs.get, lambda each: runs.cancel(runs.resolve(each))):
        with pytest.raises(NotFound, match="is no run's name; give one, or @latest"):
            ask(name)
    assert api.asked == []


def test_a_name_is_quoted_in_its_path(api: Scripted) -> None:
    """It stays one name, of one run."""
    api.answers = [says(run(1, "Running"))]
    runs = api.runs()
    runs.get("a?watch=1#b c")
    runs.server.close()
    assert api.asked[0][0].endswith("/gatherruns/a%3Fwatch%3D1%23b%20c")


@pytest.mark.parametrize("namespace", ["a/b", "..", "Films", "-a"])
def test_what_is_no_namespace_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, namespace: str
) -> None:
    """It would be part of a path."""
    (tmp_path / "config").write_text(
        "{current-context: c, contexts: [{name: c, context: {cluster: c}}], "
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}]}"
    )
    monkeypatch.delenv("GATHER_NAMESPACE", raising=False)
    with pytest.raises(NotFound, match="is no namespace's name"):
        open_runs(namespace, None, str(tmp_path / "config"))


def test_a_server_that_is_not_there_is_named_with_its_context() -> None:
    """And what to look at."""
    scripted = Scripted()
    scripted.port = 9
    with pytest.raises(
        Unreachable, match=r"127\.0\.0\.1:9 \(context c\) cannot be reached: .*right --context"
    ):
        scripted.runs().all()
