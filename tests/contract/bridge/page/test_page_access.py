"""Who sees the page and who may do what: over plain HTTP, against a real Redis."""

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from dev.artefacts.page_assets import PageAssets
from dev.service_process import ServiceProcess
from gather_bridge.access.sessions import COOKIE
from gather_bridge.page.rendering import POLICY
from gather_clients.issued_secrets import secret_hash
from tests.support.page.fake_door import FakeDoor, answering_door
from tests.support.page.shown_run import ShownRun

ServeBridge = Callable[..., AbstractAsyncContextManager[Any]]
LOOKING, CANCELLING, FOREIGN = "a-token-that-looks", "a-token-that-cancels", "a-token-for-another-project"
KEY = "the-page-s-own-key"
DOOR_ADDRESS = "/api/v1/tasks/the-lighthouse-1/cancel"


@pytest.fixture(scope="module")
def door() -> Iterator[FakeDoor]:
    """The HTTP door."""
    with answering_door() as made:
        yield made


@pytest.fixture
def settings(page_assets: PageAssets, tmp_path: Path, project: str, door: FakeDoor) -> dict[str, Any]:
    """Of a bridge with a page and three tokens."""
    door.asked.clear()
    door.status, door.project = 200, project
    path = tmp_path / "page-tokens.json"
    entries = [
        {"name": "l", "sha256": secret_hash(LOOKING), "projects": [project]},
        {"name": "c", "sha256": secret_hash(CANCELLING), "projects": ["*"], "cancel": True},
        {"name": "f", "sha256": secret_hash(FOREIGN), "projects": ["0" * 24]},
    ]
    path.write_text(json.dumps(entries), encoding="utf-8")
    return {
        "page_dir": page_assets.folder(),
        "tokens_file": path,
        "door_url": door.url,
        "door_key": KEY,
        "door_namespace": f"films-{project}",
    }


@pytest.fixture
async def serving_page(serve_bridge: ServeBridge, settings: dict[str, Any]) -> AsyncIterator[Any]:
    """A bridge with the page."""
    async with serve_bridge(**settings) as serving:
        yield serving


@pytest.fixture
async def browser_of(serving_page: Any) -> AsyncIterator[Any]:
    """Return a function that makes a client like a browser, signed in with a token."""
    base = f"http://127.0.0.1:{serving_page.port}"
    clients: list[httpx.AsyncClient] = []

    async def made(token: str | None) -> httpx.AsyncClient:
        headers = {"Accept": "text/html"}
        client = httpx.AsyncClient(base_url=base, headers=headers, timeout=20)
        clients.append(client)
        if token:
            answer = await client.post("/sign-in", data={"token": token}, headers={"Origin": base})
            assert answer.status_code == 200, answer.text
        return client

    yield made
    for client in clients:
        await client.aclose()


@pytest.fixture
async def shown(project: str, redis_url: str) -> ShownRun:
    """A run at work."""
    run = ShownRun(project, redis_url, namespace=f"films-{project}")
    await run.write("Running")
    await run.send(run.started(), run.department("story"))
    return run


def own(client: httpx.AsyncClient) -> dict[str, str]:
    """Return what a browser sends along with a form of our own."""
    return {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}


def page_of(shown: ShownRun) -> str:
    return f"/runs/{shown.namespace}/{shown.run}"


async def test_a_session_opens_what_its_token_opens_and_only_for_reading(
    browser_of: Any, shown: ShownRun, project: str
) -> None:
    """Page, snapshot and list; not a ticket, not what another site asks for, nothing after signing out."""
    client = await browser_of(LOOKING)
    api = f"/api/v1/projects/{project}"
    for path in (
        page_of(shown),
        f"/projects/{project}",
        f"/projects/{project}/runs/{shown.run}",
        f"{api}/runs",
    ):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), path
        assert "the-lighthouse-1" in answer.text
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert (await client.get(f"{api}/runs", headers=foreign)).status_code == 401
    assert (await client.post(f"{api}/tickets")).status_code == 401
    assert (await client.get(f"/projects/{'0' * 24}")).status_code == 404
    assert (await client.post("/sign-out")).status_code == 403
    kept = client.cookies[COOKIE]
    assert (await client.post("/sign-out", headers=own(client))).status_code == 303
    client.cookies.set(COOKIE, kept)
    answer = await client.get(page_of(shown))
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={page_of(shown)}")
    answer = await client.get(f"{page_of(shown)}/now", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, f"/sign-in?next={page_of(shown)}")


async def test_the_cookie_is_for_this_site_alone(browser_of: Any) -> None:
    """No script reads it; a wrong token, another site's form and other addresses get nothing."""
    client = await browser_of(None)
    answer = await client.post(
        "/sign-in", data={"token": LOOKING, "next": "//evil.example/"}, headers=own(client)
    )
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"))
    assert LOOKING not in answer.text
    assert 'url=/"' in answer.text
    answer = await client.post("/sign-in", data={"token": "wrong"}, headers=own(client))
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    assert "unknown, revoked or has run out" in answer.text
    answer = await client.post(
        "/sign-in", data={"token": LOOKING}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    answer = await client.post("/sign-in", data={"token": "x" * 10_000}, headers=own(client))
    assert answer.status_code == 400


async def test_a_socket_opens_for_our_own_pages_and_ends_with_the_session(
    browser_of: Any, shown: ShownRun
) -> None:
    """Another site's page gets none, although the browser has the cookie; nobody listens once signed out."""
    client = await browser_of(LOOKING)
    base = str(client.base_url).rstrip("/")
    url = f"{base.replace('http', 'ws', 1)}/api/v1/projects/{shown.project}/events"
    cookie = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
    for headers, status in (
        (cookie | {"Origin": "https://evil.example"}, 403),
        (cookie | {"Origin": base, "Sec-Fetch-Site": "cross-site"}, 401),
        ({"Origin": base}, 401),
    ):
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, additional_headers=headers, proxy=None)
        assert refused.value.response.status_code == status
    async with connect(url, additional_headers=cookie | {"Origin": base}, proxy=None) as socket:
        assert json.loads(await socket.recv())["type"] == "hello"
        await client.post("/sign-out", headers=own(client))
        async with asyncio.timeout(30):
            await socket.wait_closed()
        assert socket.close_code == 4003


async def test_a_ticket_signs_in_once_and_for_its_project_alone(browser_of: Any, shown: ShownRun) -> None:
    """From the application's own page, which another site is."""
    client = await browser_of(None)
    bearer = {"Authorization": f"Bearer {CANCELLING}"}
    ticket = (await client.post(f"/api/v1/projects/{shown.project}/tickets", headers=bearer)).json()["ticket"]
    form = {"ticket": ticket, "next": page_of(shown)}
    site = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
    answer = await client.post("/sign-in", data=form, headers=site)
    assert f'url={page_of(shown)}"' in answer.text
    assert (await client.get(page_of(shown))).status_code == 200
    assert (await client.get(f"/projects/{'0' * 24}")).status_code == 404
    assert (await client.get(f"/api/v1/projects/{'0' * 24}/runs")).status_code == 401
    client.cookies.clear()
    assert (await client.post("/sign-in", data=form, headers=site)).status_code == 401


async def test_a_link_on_another_site_leads_to_the_run(browser_of: Any, shown: ShownRun) -> None:
    """The browser holds the cookie back then, so the page has itself asked for once more."""
    client = await browser_of(None)
    answer = await client.get(page_of(shown), headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, f'url={page_of(shown)}"' in answer.text) == (200, True)
    assert "the-lighthouse-1 –" not in answer.text  # noqa: RUF001


async def test_cancelling_asks_first_and_goes_through_the_door(
    browser_of: Any, shown: ShownRun, door: FakeDoor
) -> None:
    """Only who may, only from our own form, only with a yes; what went wrong is said with what helps."""
    looking = await browser_of(LOOKING)
    assert "Cancel the run" not in (await looking.get(page_of(shown))).text
    assert (await looking.get(f"{page_of(shown)}/cancel")).status_code == 403
    client, path, yes = await browser_of(CANCELLING), f"{page_of(shown)}/cancel", {"sure": "yes"}
    assert "Cancel the run" in (await client.get(page_of(shown))).text
    assert "cannot be taken back" in (await client.get(path)).text
    assert (await client.post(path, data=yes)).status_code == 403
    assert (await client.post(path, data=yes, headers={"Origin": "https://evil.example"})).status_code == 403
    assert (await client.post(path, data={"sure": "no"}, headers=own(client))).status_code == 303
    assert door.asked == []
    answer = await client.post(path, data=yes, headers=own(client))
    assert (answer.status_code, answer.headers["location"]) == (303, f"{page_of(shown)}?cancelled")
    assert door.asked == [(DOOR_ADDRESS, KEY)]
    assert "is being cancelled" in (await client.get(answer.headers["location"])).text
    door.status = 409  # it has ended meanwhile, which the run's page says
    assert (await client.post(path, data=yes, headers=own(client))).status_code == 303
    for status, page_status, words in (
        (404, 404, "kubectl patch gatherrun the-lighthouse-1"),
        (401, 503, "GATHER_BRIDGE_DOOR_KEY"),
        (500, 503, "did not answer"),
    ):
        door.status = status
        answer = await client.post(path, data=yes, headers=own(client))
        assert (answer.status_code, words in answer.text) == (page_status, True)
        assert KEY not in answer.text


async def test_runs_of_other_namespaces_are_not_cancelled_by_their_name(
    browser_of: Any, shown: ShownRun, door: FakeDoor, redis_url: str
) -> None:
    """The door would take one of its own that is called the same."""
    other = ShownRun(shown.project, redis_url, namespace=f"other-{shown.project}", uid="uid-other")
    await other.write("Running")
    client = await browser_of(CANCELLING)
    answer = await client.get(page_of(other))
    assert (answer.status_code, "Cancel the run" in answer.text) == (200, False)
    answer = await client.post(f"{page_of(other)}/cancel", data={"sure": "yes"}, headers=own(client))
    assert (answer.status_code, door.asked) == (403, [])


async def test_every_page_keeps_everything_else_out(browser_of: Any, shown: ShownRun, project: str) -> None:
    """The same policy on pages, errors and files, which may be kept for ever."""
    client = await browser_of(LOOKING)
    for path in (page_of(shown), "/", "/sign-in", f"/projects/{project}", "/nothing", "/runs/a/b"):
        answer = await client.get(path)
        assert answer.headers["content-security-policy"] == POLICY, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        text = answer.text
        assert not any(word in text for word in ("<style", " style=", "onclick=", "http://", "https://"))
    text = (await client.get(page_of(shown))).text
    assets = [word.split('"')[1] for word in text.split("=") if word.startswith('"/assets/')]
    assert len(assets) >= 6
    for asset in assets:
        answer = await client.get(asset)
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
    assert (await client.get("/assets/0123456789abcdef/page.js")).status_code == 404


async def test_errors_are_pages_for_browsers_and_json_for_programs(
    browser_of: Any, serving_page: Any, redis_store: ServiceProcess
) -> None:
    """With what to do next; while Redis is away too."""
    client = await browser_of(LOOKING)
    answer = await client.get("/runs/films/unknown")
    assert (answer.status_code, "kubectl get gatherruns --all-namespaces" in answer.text) == (404, True)
    assert "There is nothing at this address" in (await client.get("/nothing")).text
    assert (await client.get("/nothing", headers={"Accept": "*/*"})).json() == {"detail": "Not Found"}
    with redis_store.absent():
        answer = await client.get("/runs/films/unknown")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "Redis does not answer" in answer.text
    metrics = serving_page.metrics
    assert 'gather_bridge_page_requests_total{page="run",status="5xx"} 1.0' in metrics
    assert 'gather_bridge_page_sign_ins_total{how="token",result="accepted"} 1.0' in metrics


@pytest.mark.parametrize(
    ("proxies", "is_believed"), [(["127.0.0.0/8"], True), (["10.0.0.0/8"], False)], ids=["proxy", "stranger"]
)
async def test_a_proxy_names_people_and_nobody_else_does(  # noqa: PLR0917
    serve_bridge: ServeBridge, settings: dict[str, Any], shown: ShownRun, tmp_path: Path,
    proxies: list[str], is_believed: bool,
) -> None:  # fmt: skip
    """Whatever X-Forwarded-For says; who has no line in the file sees nothing."""
    users = tmp_path / "users.json"
    users.write_text(json.dumps([{"user": "Ada@example.com", "projects": [shown.project]}]), encoding="utf-8")
    changed = {
        "trusted_proxies": proxies,
        "page_user_header": "X-Auth-Request-Email",
        "page_users_file": users,
    }
    async with serve_bridge(**settings, **changed) as serving:
        base = f"http://127.0.0.1:{serving.port}"
        async with httpx.AsyncClient(base_url=base, timeout=20) as client:
            forwarded = {"X-Forwarded-For": "127.0.0.1", "X-Auth-Request-Email": "ada@example.com"}
            status = (await client.get(page_of(shown), headers=forwarded)).status_code
            assert status == (200 if is_believed else 303)
            forwarded["X-Forwarded-For"] = "203.0.113.9"
            api = f"/api/v1/projects/{shown.project}/runs"
            assert (await client.get(api, headers=forwarded)).status_code == (200 if is_believed else 401)
            forwarded["X-Auth-Request-Email"] = "eve@example.com"
            assert (await client.get(page_of(shown), headers=forwarded)).status_code == 303


async def test_without_its_files_the_bridge_has_no_page(serve_bridge: ServeBridge) -> None:
    """Everything else is as it was; a session's cookie opens nothing then."""
    async with serve_bridge() as serving:
        assert (await serving.get("/sign-in")).json() == {"detail": "Not Found"}


async def test_links_to_exports_lead_to_files(
    serve_bridge: ServeBridge, settings: dict[str, Any], shown: ShownRun, mongodb_uri: str
) -> None:
    """Of the run and of the project, for the session that sees the page."""
    async with serve_bridge(**settings, mongodb_uri=mongodb_uri) as serving:
        base = f"http://127.0.0.1:{serving.port}"
        async with httpx.AsyncClient(base_url=base, timeout=60) as client:
            await client.post("/sign-in", data={"token": LOOKING}, headers=own(client))
            for path, kind in ((page_of(shown), "md"), (f"/projects/{shown.project}", "jsonl")):
                text = html.unescape((await client.get(path)).text)
                links = re.findall(r'href="(/api/v1/[^"]+)"', text)
                assert len(links) == 4
                (link,) = (each for each in links if f"format={kind}" in each)
                answer = await client.get(link)
                assert (answer.status_code, link) == (200, link)
                assert "attachment" in answer.headers["content-disposition"]
