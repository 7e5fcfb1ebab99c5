"""Pictures of the run page for README and docs: `make screenshots`.

A bridge, Redis and MongoDB of their own play runs that look like real ones; the browser is Debian's Chromium.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser

from dev.artefacts.page_assets import PageAssets
from dev.artefacts.store_binaries import StoreArtefacts
from dev.paths import ROOT
from dev.rooms import bridge_service
from dev.stores import running
from gather_bridge.access.token_file import token_hash
from tests.support.page.browsing import Watched, browsing
from tests.support.page.shown_run import FILM, ShownRun

FOLDER: Final = ROOT / "docs" / "images"
PROJECT: Final = "66f1a2b3c4d5e6f708192a3b"
TOKEN: Final = "a-token-for-pictures"  # noqa: S105 - of no use anywhere else
NOTES: Final = (
    ("story", "The keeper hides the logbook that proves the ship was warned"),
    ("story", "Act two turns when the lamp is lit by somebody else"),
    ("character", "Mara counts steps when she lies; the stairs have 114"),
    ("character", "The inspector never removes his gloves until the last scene"),
    ("visual", "Salt on every window: nothing outside is ever sharp"),
    ("visual", "The tower is shot from below until Mara decides to stay"),
)
GAP_FIELDS: Final = ("aspect", "severity", "coverage", "suggestion")
GAPS: Final = (
    ("night exteriors", "high", 18, "Say how the beam lights faces, and what stays dark."),
    ("colour over the acts", "medium", 41, "Name the palette of act three, and when it changes."),
    ("lenses", "low", 63, "One line on focal lengths for the stairwell."),
)


async def at_work(shown: ShownRun) -> None:
    """A run in its middle: three departments done, one at work, one that waits for a node."""
    await shown.write(
        "Running",
        departments={
            "story": {"phase": "Succeeded", "reason": "ThresholdReached"},
            "character": {"phase": "Succeeded", "reason": "ThresholdReached"},
            "production": {
                "phase": "Running", "reason": "Unschedulable", "attempt": 1,
                "message": "0/4 nodes are available: 4 Insufficient memory.",
            },
        },
    )  # fmt: skip
    await shown.send(
        shown.started(), shown.department("story", 2), *shown.iterations("story", 58, 67, 74, 83),
        shown.complete("story", 83, 4, 190), shown.department("character", 194),
        *shown.iterations("character", 52, 66, 71, 79, 81.5), shown.complete("character", 81.5, 5, 420),
        shown.department("visual", 424), *shown.iterations("visual", 49, 60.5, 68),
    )  # fmt: skip
    shown.notes([(slug, text, 3) for slug, text in NOTES], first=400)
    for slug, dropped in (("story", 4), ("character", 7), ("visual", 2)):
        named = [dict(zip(GAP_FIELDS, gap, strict=True)) for gap in GAPS] if slug == "visual" else ()
        shown.checkpoint(slug, dropped, named)


async def ended(shown: ShownRun, how: str) -> None:
    """Runs beside it in the project's list."""
    await shown.write("Running")
    await shown.send(shown.started())
    for number, (slug, _) in enumerate(shown.departments):
        at_s = 100 * number + 2
        await shown.send(
            shown.department(slug, at_s), *shown.iterations(slug, 60 + number, 72, 80.5 + number)
        )
        if how == "failed" and slug == "sound":
            await shown.send(shown.failed(slug, "DeadlineExceeded", at_s + 95))
        else:
            await shown.send(shown.complete(slug, 80.5 + number, 3, at_s + 95))
    if how == "failed":
        message = "4 attempts of 600 s each"
        failed = {"phase": "Failed", "reason": "DeadlineExceeded", "attempt": 4, "message": message}
        await shown.write("Running", departments={"sound": failed})
    await shown.send(shown.end(how, items=126, iterations=21, at_s=702))


async def take(browser: Browser, base: str) -> None:
    """Take all pictures."""
    here, failed = "/runs/films/the-lighthouse-3", "/runs/films/the-lighthouse-2"
    light, dark = {"color_scheme": "light"}, {"color_scheme": "dark"}
    shots: Sequence[tuple[str, str, dict[str, Any]]] = (
        ("run-light", here, {"viewport": {"width": 1180, "height": 1730}, **light}),
        ("run-dark", here, {"viewport": {"width": 1180, "height": 860}, **dark}),
        ("run-phone", here, {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5, **light}),
        ("run-failed", failed, {"viewport": {"width": 1180, "height": 900}, **light}),
        ("project", f"/projects/{PROJECT}", {"viewport": {"width": 1180, "height": 430}, **light}),
        ("run-cancel", here, {"viewport": {"width": 1180, "height": 560}, **light}),
    )
    for name, path, options in shots:
        context = await browser.new_context(**options)
        page = Watched(await context.new_page(), base)
        await page.goto("/sign-in")
        await page.page.fill("#token", TOKEN)
        await page.page.click("main button")
        await page.page.wait_for_url(f"{base}/")
        await page.goto(path)
        await page.page.wait_for_selector("#connection:not([data-state=still])", state="attached")
        if name == "run-cancel":
            await page.page.click("#ask-cancel")
        if name == "run-light":
            await page.page.click(".gaps summary")
            await page.page.mouse.move(0, 0)
            await page.page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
        await page.page.screenshot(path=FOLDER / f"{name}.png")
        page.assert_quiet()
        await context.close()


async def main() -> None:
    """Play the runs and take the pictures."""
    FOLDER.mkdir(exist_ok=True)
    assets, programs = PageAssets.from_environment(), StoreArtefacts.from_environment()
    with (
        running("redis", programs) as redis,
        running("mongodb", programs) as mongodb,
        tempfile.TemporaryDirectory(prefix="gather-bridge-") as folder,
    ):
        entry = {"name": "p", "sha256": token_hash(TOKEN), "projects": [PROJECT], "cancel": True}
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
        for number, how in ((1, "complete"), (2, "failed")):
            began = now - timedelta(hours=30 - 12 * number)
            await ended(
                ShownRun(PROJECT, redis.uri, mongodb.uri, f"the-lighthouse-{number}", began=began), how
            )
        began = now - timedelta(seconds=511)
        await at_work(
            ShownRun(PROJECT, redis.uri, mongodb.uri, "the-lighthouse-3", began=began, departments=FILM)
        )
        with bridge_service(Path(folder), redis.uri, settings).running() as bridge:
            async with browsing(assets.browser()) as browser:
                await take(browser, bridge.uri)
    sys.stdout.write(f"{FOLDER}: {', '.join(sorted(file.name for file in FOLDER.glob('*.png')))}\n")


if __name__ == "__main__":
    asyncio.run(main())
