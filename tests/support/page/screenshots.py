"""Pictures of the run page for README and docs: `make screenshots`.

A bridge, Redis and MongoDB of their own play runs that look like real ones; the browser is Debian's Chromium.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser

from dev.artefacts.page_assets import PageAssets
from dev.artefacts.store_binaries import StoreArtefacts
from dev.paths import ROOT
from dev.rooms import bridge_service
from dev.service_process import ServiceProcess
from dev.stores import running
from gather_clients.issued_secrets import secret_hash
from tests.support.page.browsing import Watched, browsing
from tests.support.page.scenes import (
    MANY,
    at_work,
    cancelled,
    failed,
    many_at_work,
    out_of_money,
    succeeded,
)
from tests.support.page.shown_run import FILM, ShownRun

FOLDER: Final = ROOT / "docs" / "images"
PROJECT: Final = "66f1a2b3c4d5e6f708192a3b"
AT_WORK: Final = "/runs/films/the-lighthouse-3"
TOKEN: Final = "a-token-for-pictures"  # noqa: S105 - of no use anywhere else
WIDE: Final = 1180
Scene = Callable[[ShownRun], Awaitable[None]]
ENDED: Final[tuple[tuple[str, float, Scene], ...]] = (
    ("the-lighthouse-1", 30, succeeded),
    ("the-lighthouse-2", 6, failed),
    ("the-lighthouse-draft", 54, cancelled),
    ("the-lighthouse-small", 70, out_of_money),
)
"""Name, hours since its start, and what happened in it."""
SHOTS: Final = (
    ("run-light", "the-lighthouse-3", 1730), ("run-dark", "the-lighthouse-3", 860),
    ("run-failed", "the-lighthouse-2", 960), ("run-cancel", "the-lighthouse-3", 560),
    ("run-succeeded", "the-lighthouse-1", 760), ("run-cancelled", "the-lighthouse-draft", 760),
    ("run-budget", "the-lighthouse-small", 760), ("run-many", "the-series-1", 860),
)  # fmt: skip
"""Picture, run and height; those of 360 pixels' width and of a list stand in `take`."""


async def opened(browser: Browser, base: str, path: str, **options: Any) -> Watched:
    """Return a signed-in page that follows, or that shows an end."""
    context = await browser.new_context(**options)
    page = Watched(await context.new_page(), base)
    await page.goto("/sign-in")
    await page.page.fill("#token", TOKEN)
    await page.page.click("main button")
    await page.page.wait_for_url(f"{base}/")
    await page.goto(path)
    await page.page.wait_for_selector("#connection:not([data-state=still])", state="attached")
    return page


async def take(browser: Browser, bridge: ServiceProcess) -> None:
    """Take all pictures; the last one without the bridge."""
    wide: list[tuple[str, str, dict[str, Any]]] = [
        (name, f"/runs/films/{run}", {
            "viewport": {"width": WIDE, "height": height},
            "color_scheme": "dark" if name == "run-dark" else "light",
        })
        for name, run, height in SHOTS
    ]  # fmt: skip
    phone: dict[str, Any] = {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 1.5,
        "color_scheme": "light",
    }
    listed: dict[str, Any] = {"viewport": {"width": WIDE, "height": 560}, "color_scheme": "light"}
    for name, path, options in (
        *wide,
        ("run-phone", AT_WORK, phone),
        ("project", f"/projects/{PROJECT}", listed),
    ):
        page = await opened(browser, bridge.uri, path, **options)
        if name == "run-cancel":
            await page.page.click("#ask-cancel")
        if name == "run-many":
            await page.page.evaluate("document.getElementById('quality-title').scrollIntoView()")
        if name == "run-light":
            await page.page.click(".gaps summary")
            await page.page.mouse.move(0, 0)
            await page.page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
        await page.page.screenshot(path=FOLDER / f"{name}.png")
        page.assert_quiet()
        await page.page.context.close()
    size = {"width": WIDE, "height": 420}
    page = await opened(browser, bridge.uri, AT_WORK, viewport=size, color_scheme="light")
    await page.live()
    bridge.kill()
    await page.page.wait_for_selector("#connection[data-state=lost]")
    await page.page.screenshot(path=FOLDER / "run-lost.png")


async def main() -> None:
    """Play the runs and take the pictures."""
    FOLDER.mkdir(exist_ok=True)
    assets, programs = PageAssets.from_environment(), StoreArtefacts.from_environment()
    with (
        running("redis", programs) as redis,
        running("mongodb", programs) as mongodb,
        tempfile.TemporaryDirectory(prefix="gather-bridge-") as folder,
    ):
        entry = {"name": "p", "sha256": secret_hash(TOKEN), "projects": [PROJECT], "cancel": True}
        tokens = Path(folder) / "tokens.json"
        tokens.write_text(json.dumps([entry]), encoding="utf-8")
        settings = {
            "GATHER_BRIDGE_PAGE_DIR": str(assets.folder()),
            "GATHER_BRIDGE_TOKENS_FILE": str(tokens),
            "GATHER_BRIDGE_ALLOW_ANONYMOUS": "false",
            "GATHER_BRIDGE_DOOR_URL": "http://127.0.0.1:9",
            "GATHER_BRIDGE_DOOR_KEY": "of-no-use",
            "MONGODB_URI": mongodb.uri,
        }
        now = datetime.now(UTC)

        def shown(run: str, ago_s: float, departments: Sequence[tuple[str, str]] = FILM) -> ShownRun:
            began = now - timedelta(seconds=ago_s)
            return ShownRun(PROJECT, redis.uri, mongodb.uri, run, began=began, departments=departments)

        for name, hours, play in ENDED:
            await play(shown(name, 3600 * hours))
        await many_at_work(shown("the-series-1", 2_500, MANY))
        await at_work(shown("the-lighthouse-3", 511))
        with bridge_service(Path(folder), redis.uri, settings).running() as bridge:
            async with browsing(assets.browser()) as browser:
                await take(browser, bridge)
    sys.stdout.write(f"{FOLDER}: {', '.join(sorted(file.name for file in FOLDER.glob('*.png')))}\n")


if __name__ == "__main__":
    asyncio.run(main())
