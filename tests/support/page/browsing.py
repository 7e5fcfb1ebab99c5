"""A real browser, and what it must never do: break the page's policy, ask another site, log an error."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
"""The browser runs as root in tests, and calls nobody of its own."""
WAIT_MS = 60_000
WANTED = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@asynccontextmanager
async def browsing(program: Path) -> AsyncIterator[Browser]:
    """Run a headless Chromium for as long as the block lasts."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


class Watched:
    """A page, with what it has said and asked for."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.said: list[str] = []
        self.foreign: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.said.append(message.text)

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.base).netloc:
            self.foreign.append(request.url)

    async def goto(self, path: str) -> Any:
        """Open an address of the bridge."""
        return await self.page.goto(f"{self.base}{path}", timeout=WAIT_MS)

    async def live(self) -> None:
        """Wait until the page follows."""
        await self.page.wait_for_selector("#connection[data-state=live]", timeout=WAIT_MS)

    async def until(self, expression: str) -> None:
        """Wait until an expression of JavaScript holds, by polling: the policy allows no other way."""
        async with asyncio.timeout(WAIT_MS / 1000):
            while not await self.page.evaluate(expression):  # noqa: ASYNC110 - the page tells nobody
                await asyncio.sleep(0.05)

    async def text(self, selector: str) -> str:
        """Return the text of the first element, as a person reads it."""
        return " ".join((await self.page.locator(selector).first.inner_text()).split())

    async def shows(self, selector: str, words: str) -> None:
        """Wait until an element has these words."""
        found = self.page.locator(selector).filter(has_text=words).first
        await found.wait_for(state="attached", timeout=WAIT_MS)

    async def barriers(self, axe: str) -> list[str]:
        """Return what axe-core finds, by rule and place, once no colour is on its way to another."""
        await self.until("!document.getAnimations().some(one => one instanceof CSSTransition)")
        await self.page.evaluate(axe)
        found = await self.page.evaluate(
            "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", list(WANTED)
        )
        return [
            f"{rule['id']}: {node['html'][:160]}" for rule in found["violations"] for node in rule["nodes"]
        ]

    def assert_quiet(self, *allowed: str) -> None:
        """Fail if the page broke its policy, logged an error, or asked anybody else."""
        left = [text for text in self.said if not any(word in text for word in allowed)]
        assert (left, self.foreign) == ([], []), f"{left} {self.foreign}"
