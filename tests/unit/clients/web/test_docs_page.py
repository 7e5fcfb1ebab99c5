"""The page of the documentation works without the internet and lets the browser load nothing else."""

import re

import httpx
import pytest
from fastapi import FastAPI

from gather_clients.web import docs_routes

PREFIX = "/api/v1"


@pytest.fixture
def page() -> httpx.AsyncClient:
    """A client of the routes."""
    app = FastAPI(openapi_url=None)
    app.include_router(docs_routes.build_router({"openapi": "3.0.3"}, "Gather brain"), prefix=PREFIX)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service.invalid")


async def test_everything_that_the_page_names_is_served_from_here(page: httpx.AsyncClient) -> None:
    """Addresses are relative, so that a proxy may put a prefix before them."""
    html = (await page.get(f"{PREFIX}/docs")).text
    named = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert len(named) == 5
    for name in named:
        assert not re.match(r"[a-z]+:|/", name)
        answer = await page.get(f"{PREFIX}/{name}")
        assert answer.status_code == 200
        assert len(answer.content) > 10
    assert {f"{PREFIX}/{name}" for name in named} <= {f"{PREFIX}{path}" for path in docs_routes.PATHS}


async def test_no_text_of_ours_names_another_host(page: httpx.AsyncClient) -> None:
    """And the style sheet loads nothing either."""
    for path in (docs_routes.PAGE_PATH, docs_routes.START_PATH, docs_routes.STYLE_PATH):
        text = (await page.get(f"{PREFIX}{path}")).text
        loaded = re.findall(r"url\(\s*['\"]?+(?!data:)[^)]+\)|@import[^;]+;", text)
        assert loaded == []
        if path != docs_routes.STYLE_PATH:
            assert "//" not in text


async def test_the_policy_allows_this_host_alone(page: httpx.AsyncClient) -> None:
    """Even a script that named another host could not load it."""
    policy = (await page.get(f"{PREFIX}/docs")).headers["Content-Security-Policy"]
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == "'self'"
    sources = {source for rule in rules.values() for source in rule.split()}
    assert sources <= {"'none'", "'self'", "data:"}


async def test_the_page_asks_no_validator_on_the_internet(page: httpx.AsyncClient) -> None:
    """Swagger UI would send the document's address to one."""
    assert "validatorUrl: null" in (await page.get(f"{PREFIX}{docs_routes.START_PATH}")).text


async def test_scripts_are_scripts_and_may_be_kept(page: httpx.AsyncClient) -> None:
    """With `nosniff` a browser runs nothing else."""
    script = await page.get(f"{PREFIX}{docs_routes.SCRIPT_PATH}")
    assert "javascript" in script.headers["Content-Type"]
    assert "max-age" in script.headers["Cache-Control"]
    assert (
        (await page.get(f"{PREFIX}{docs_routes.STYLE_PATH}")).headers["Content-Type"].startswith("text/css")
    )
