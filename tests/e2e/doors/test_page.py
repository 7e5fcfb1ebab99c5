"""The run page on a real cluster: a run followed in a browser, and one cancelled through the HTTP door."""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from dev.artefacts.page_assets import PageAssets
from tests.support.deployed_gather import DeployedGather, new_project, run_of
from tests.support.page.browsing import Watched, browsing

PICTURES = os.environ.get("GATHER_E2E_PICTURES")
"""A folder for what the pages looked like; unset: none are taken."""


@pytest.fixture
def address(gather: DeployedGather) -> Iterator[str]:
    with gather.forward("gather-bridge", 8080) as port:
        yield f"http://127.0.0.1:{port}"


@pytest_asyncio.fixture
async def page(address: str) -> AsyncIterator[Watched]:
    async with browsing(PageAssets.from_environment().browser()) as browser:
        yield Watched(await browser.new_page(), address)


async def sign_in(page: Watched, gather: DeployedGather, project: str) -> None:
    """Sign in with a token that may cancel, made as docs/events.md says."""
    command = ("gather-bridge", "tokens", "create", "--project", project, "--name", "e2e", "--cancel")
    token = gather.kubectl("exec", "deployment/gather-bridge", "--", *command, "--expires-in", "1h").strip()
    await page.goto("/sign-in")
    await page.page.fill("#token", token)
    await page.page.click("main button")
    await page.page.wait_for_url(f"{page.base}/")


async def picture(page: Watched, name: str) -> None:
    if PICTURES:
        await page.page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


async def test_a_run_is_followed_to_its_end(page: Watched, gather: DeployedGather) -> None:
    """From its first pod on, without a reload; its notes are there and its files are offered."""
    name, project = f"page-{uuid.uuid4().hex[:8]}", new_project()
    with run_of(gather, name, project, departments=["story", "character"], maxIterations=12):
        gather.wait_run(name, "to begin", lambda run: run.status.phase == "Running", 60)
        await page.goto(f"/runs/{gather.namespace}/{name}")
        await page.live()
        await page.page.evaluate("window.isTheSamePage = true")
        await page.shows("h1", "Succeeded")
        assert await page.page.evaluate("window.isTheSamePage")
        assert await page.page.locator(".notes li, .notes article, .notes tr").count() > 0
        await picture(page, "succeeded")
        links = await page.page.locator("a[href*='/export?']").evaluate_all("all => all.map(a => a.href)")
        assert {link.split("format=")[1].split("&")[0] for link in links} == {"jsonl", "csv", "md", "docx"}
        for link in links:
            answer = await page.page.request.get(link)
            assert (answer.status, len(await answer.body()) > 500) == (200, True)
        page.assert_quiet()


@pytest.mark.usefixtures("slow_model")
async def test_a_run_is_cancelled_with_a_question(page: Watched, gather: DeployedGather) -> None:
    """Through the door, which alone may; what was written is kept."""
    name, project = f"page-{uuid.uuid4().hex[:8]}", new_project()
    with run_of(gather, name, project, departments=["story"], maxIterations=40, qualityThreshold=100):
        gather.wait_run(name, "to save notes", lambda run: run.status.items_created > 0, 120)
        await sign_in(page, gather, project)
        await page.goto(f"/runs/{gather.namespace}/{name}")
        await page.live()
        await page.page.click("#ask-cancel")
        await picture(page, "question")
        await page.page.click("button[name=sure][value=yes]")
        await page.shows("h1", "Cancelled")
        await picture(page, "cancelled")
        assert gather.items(project)
        page.assert_quiet()
