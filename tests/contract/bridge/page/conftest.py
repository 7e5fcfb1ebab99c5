"""A browser for each file of tests, and bridges that serve the page; all in one event loop."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from dev.artefacts.page_assets import PageAssets
from dev.rooms import bridge_service
from dev.service_process import ServiceProcess, free_port
from gather_clients.issued_secrets import secret_hash
from tests.support.page.browsing import Watched, browsing

PROJECT = "66f1a2b3c4d5e6f708192a3b"
TOKEN, CANCELLING, ONE_PROJECT = "a-token-for-all", "a-token-that-cancels", "a-token-for-one-project"
DOOR_KEY = "the-page-s-own-key"
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


@pytest.fixture(scope="module")
def page_bridge(
    tmp_path_factory: pytest.TempPathFactory, page_assets: PageAssets, redis_url: str, mongodb_uri: str
) -> Iterator[ServiceProcess]:
    """A bridge that serves the page, for a file's tests: a process of its own, which may be killed."""
    folder = tmp_path_factory.mktemp("bridge")
    tokens = folder / "tokens.json"
    entries = [
        {"name": "t", "sha256": secret_hash(TOKEN), "projects": ["*"]},
        {"name": "c", "sha256": secret_hash(CANCELLING), "projects": ["*"], "cancel": True},
        {"name": "o", "sha256": secret_hash(ONE_PROJECT), "projects": [PROJECT]},
    ]
    tokens.write_text(json.dumps(entries), encoding="utf-8")
    settings = {
        "GATHER_BRIDGE_ALLOW_ANONYMOUS": "false",
        "GATHER_BRIDGE_TOKENS_FILE": str(tokens),
        "GATHER_BRIDGE_PAGE_DIR": str(page_assets.folder()),
        "GATHER_BRIDGE_HEARTBEAT_INTERVAL_S": "0.3",
        "GATHER_REDIS_TIMEOUT_S": "0.5",
        "MONGODB_URI": mongodb_uri,
        "GATHER_BRIDGE_DOOR_URL": f"http://127.0.0.1:{free_port()}",
        "GATHER_BRIDGE_DOOR_KEY": DOOR_KEY,
    }
    with bridge_service(folder, redis_url, settings).running() as service:
        yield service


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(browser: Browser, page_bridge: ServiceProcess) -> AsyncIterator[Open]:
    """Return a function that opens a signed-in page of the bridge; what it opened is closed."""
    async with AsyncExitStack() as stack:

        async def opened(path: str = "", *, token: str | None = TOKEN, **options: Any) -> Watched:
            context = await browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
            stack.push_async_callback(context.close)
            page = Watched(await context.new_page(), page_bridge.uri)
            if token is not None:
                await page.goto("/sign-in")
                await page.page.fill("#token", token)
                await page.page.click("main button")
                await page.page.wait_for_url(f"{page.base}/")
            if path:
                await page.goto(path)
            return page

        yield opened
