"""A browser for each file of tests, and bridges that serve the page; all in one event loop."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from dev.artefacts.page_assets import PageAssets
from tests.support.page.browsing import Watched, browsing

TOKEN = "a-token-for-every-project"  # noqa: S105 - of these tests alone
Open = Callable[..., Awaitable[Watched]]


@pytest.fixture(scope="session")
def page_assets() -> PageAssets:
    """What the page serves of others, and the browser."""
    return PageAssets.from_environment()


@pytest.fixture(scope="session")
def axe(page_assets: PageAssets) -> str:
    """The script that looks for barriers."""
    return page_assets.axe().read_text(encoding="utf-8")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(page_assets: PageAssets) -> AsyncIterator[Browser]:
    """One Chromium for a file's tests."""
    async with browsing(page_assets.browser()) as program:
        yield program


@pytest.fixture
def page_settings(page_assets: PageAssets, mongodb_uri: str) -> dict[str, Any]:
    """Settings of a bridge that serves the page, with MongoDB."""
    return {"page_dir": page_assets.folder(), "mongodb_uri": mongodb_uri}


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(browser: Browser) -> AsyncIterator[Open]:
    """Return a function that opens a signed-in page of a serving bridge; what it opened is closed."""
    async with AsyncExitStack() as stack:

        async def opened(
            serving: Any, path: str = "", *, token: str | None = TOKEN, **options: Any
        ) -> Watched:
            context = await browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
            stack.push_async_callback(context.close)
            page = Watched(await context.new_page(), f"http://127.0.0.1:{serving.port}")
            if token is not None:
                await page.goto("/sign-in")
                await page.page.fill("#token", token)
                await page.page.click("text=Sign in >> visible=true >> nth=-1")
                await page.page.wait_for_url(f"{page.base}/")
            if path:
                await page.goto(path)
            return page

        yield opened
