"""Keys, tenants and everything that is refused."""

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from dev.service_process import script
from tests.support.network.connections import Connections, addresses_in

CANARY = "canary-of-the-other-tenant"
SIMILARITY = "/api/v1/search/similarity"


def bodies(project: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    """One request to each endpoint."""
    return [
        (
            "POST",
            "/api/v1/nodes/batch",
            {"nodes": [{"type": "GatherItem", "content": "text", "projectId": project, "id": "shared"}]},
        ),
        ("POST", "/api/v1/search/duplicates", {"content": CANARY, "projectId": project, "threshold": 0}),
        (
            "POST",
            "/api/v1/search/duplicates/batch",
            {"contents": [CANARY], "projectId": project, "threshold": 0},
        ),
        ("POST", SIMILARITY, {"pairs": [{"a": "ours", "b": "Ours!"}], "projectId": project}),
        (
            "GET",
            f"/api/v1/context/department?projectId={project}&department=x&previousDepartments[]=story",
            None,
        ),
        (
            "POST",
            "/api/v1/analyze/coverage",
            {"projectId": project, "department": "story", "gatherItems": []},
        ),
    ]


@pytest.fixture
def tenant(brain: Any, project: str) -> Iterator[tuple[httpx.Client, str]]:
    """A tenant with a key for its own project, in which there is one node."""
    key = brain.project_key(project)
    with httpx.Client(base_url=brain.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as made:
        node = {"type": "GatherItem", "content": "ours", "projectId": project, "id": "shared"}
        assert made.post("/api/v1/nodes/batch", json={"nodes": [node]}).status_code == 200
        yield made, project


@pytest.fixture
def other_project(http: httpx.AsyncClient, brain: Any) -> str:
    """Another tenant's project with a canary in it."""
    project = secrets.token_hex(12)
    node = {
        "type": "GatherItem", "content": CANARY, "projectId": project, "id": "shared",
        "properties": {"department": "story", "summary": CANARY},
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {brain.service_key}"}
    assert (
        httpx.post(f"{brain.url}/api/v1/nodes/batch", json={"nodes": [node]}, headers=headers).status_code
        == 200
    )
    return project


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer nonsense", "Basic eDp5", f"Bearer gbk_{'a' * 43}_00000000"]
)
def test_without_a_valid_key_everything_is_401(brain: Any, project: str, authorization: str | None) -> None:
    """Before anything of the request is looked at, its body included."""
    headers = {} if authorization is None else {"Authorization": authorization}
    invalid: tuple[str, str, dict[str, Any]] = ("POST", "/api/v1/nodes/batch", {"nodes": []})
    for method, path, body in [*bodies(project), invalid]:
        response = httpx.request(method, brain.url + path, json=body, headers=headers)
        assert response.status_code == 401
        assert response.json() == {"error": "unauthorized", "message": "Invalid or missing API key"}


def test_another_tenants_project_looks_like_one_that_does_not_exist(
    tenant: tuple[httpx.Client, str], other_project: str
) -> None:
    """Same status, same body, nothing of the other tenant; a write changes nothing there."""
    client, _ = tenant
    for (method, path, body), (_, missing_path, missing_body) in zip(
        bodies(other_project), bodies("0" * 24), strict=True
    ):
        theirs = client.request(method, path, json=body)
        missing = client.request(method, missing_path, json=missing_body)
        assert theirs.status_code == missing.status_code == 404
        assert theirs.json() == missing.json() == {"error": "not_found", "message": "Project not found"}


def test_tenants_with_the_same_node_ids_do_not_meet(
    tenant: tuple[httpx.Client, str], other_project: str, brain: Any
) -> None:
    """An id is unique within its project: nobody can probe or overwrite another's."""
    client, project = tenant
    for method, path, body in bodies(project):
        response = client.request(method, path, json=body)
        assert response.status_code == 200, response.text
        assert CANARY not in response.text.replace(json.dumps(CANARY), "")
    headers = {"Authorization": f"Bearer {brain.service_key}"}
    found = httpx.post(
        f"{brain.url}/api/v1/search/duplicates",
        json={"content": CANARY, "projectId": other_project, "threshold": 0.9},
        headers=headers,
    ).json()["duplicates"]
    assert [(each["nodeId"], each["content"]) for each in found] == [("shared", CANARY)]


async def test_reading_a_project_without_nodes_is_404(http: httpx.AsyncClient, project: str) -> None:
    """A first write makes a project; comparing texts reads none."""
    for method, path, body in bodies(project)[1:]:
        response = await http.request(method, path, json=body)
        if path == SIMILARITY:
            assert (response.status_code, response.json()["similarities"]) == (200, [1.0])
        else:
            assert (response.status_code, response.json()["error"]) == (404, "not_found")


def test_the_command_for_keys_connects_to_neo4j_alone(brain: Any, connections: Connections) -> None:
    """And writes nothing but what was asked for."""
    command = connections.recorded([script("gather-brain"), "keys", "list"])
    with subprocess.Popen(
        command, env=brain.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    assert connections.of(process.pid) == addresses_in([brain.environment["NEO4J_URI"]])


def test_a_key_lives_from_create_to_revoke(brain: Any, project: str) -> None:
    """Shown once, alone on standard output; listed without it; useless 5 seconds after it is revoked."""
    created = brain.keys("create", "--project", project.upper(), "--name", "the app")
    assert created.returncode == 0, created.stderr
    key = created.stdout.removesuffix("\n")
    assert key.startswith("gbk_")
    assert "\n" not in key
    assert key not in created.stderr
    listed = brain.keys("list").stdout
    (line,) = [line for line in listed.splitlines() if project in line]
    assert key not in listed
    key_id, name, projects, _, revoked, *_ = line.split("\t")
    assert (name, projects, revoked) == ("the app", project, "-")

    def search() -> int:
        body = {"content": "x", "projectId": project}
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.post(f"{brain.url}/api/v1/search/duplicates", json=body, headers=headers).status_code

    assert search() == 200  # the key names the project, which has no node yet
    assert brain.keys("revoke", key_id).returncode == 0
    deadline = time.monotonic() + 30  # 5 s, and what a busy machine adds
    while search() != 401:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert brain.keys("revoke", "nobody").returncode == 1


@pytest.mark.parametrize(
    "arguments", [["--project", "short", "--name", "x"], ["--project", "0" * 24, "--name", ""]]
)
def test_keys_that_could_open_nothing_are_refused(brain: Any, arguments: list[str]) -> None:
    """A typing error must not become a key."""
    refused = brain.keys("create", *arguments)
    assert refused.returncode == 2
    assert refused.stdout == ""


async def test_texts_with_nul_and_other_oddities_are_returned_unchanged(
    http: httpx.AsyncClient, project: str
) -> None:
    """What JSON can say, a text may hold."""
    content = "nul \x00 tab \t emoji 🎬 right-to-left \u202e combining e\u0301 quote ' \" \\ $projectId {x}"
    made = await http.post(
        "/api/v1/nodes/batch",
        json={
            "nodes": [
                {"type": "GatherItem", "content": content, "projectId": project, "properties": {"p": content}}
            ]
        },
    )
    assert made.status_code == 200, made.text
    found = await http.post("/api/v1/search/duplicates", json={"content": content, "projectId": project})
    (match,) = found.json()["duplicates"]
    assert (match["content"], match["properties"]["p"]) == (content, content)


async def test_a_query_that_does_not_fit_is_400(http: httpx.AsyncClient, project: str) -> None:
    """Not FastAPI's 422."""
    cases: list[tuple[dict[str, Any], str]] = [
        ({"projectId": "x", "department": "a"}, "projectId"),
        ({"projectId": project}, "department"),
        ({"projectId": project, "department": "a", "limit": "0"}, "limit"),
        (
            {"projectId": project, "department": "a", "previousDepartments[]": ["x"] * 33},
            "previousDepartments[]",
        ),
    ]
    for params, field in cases:
        response = await http.get("/api/v1/context/department", params=params)
        assert (response.status_code, response.json()["error"]) == (400, "validation_failed")
        assert field in response.json()["details"]
