"""The run page in a real browser: a run from Pending to its end, whatever happens to the connection."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dev.service_process import ServiceProcess
from tests.support.page.browsing import WAIT_MS, Watched
from tests.support.page.shown_run import ShownRun

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANCELLING = "a-token-that-cancels"
EVIL = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>{{7*7}}"


@pytest.fixture
def shown(project: str, redis_url: str, mongodb_uri: str) -> ShownRun:
    """A run that nobody has heard of yet."""
    return ShownRun(project, redis_url, mongodb_uri, namespace=f"films-{project}")


def address(shown: ShownRun) -> str:
    return f"/runs/{shown.namespace}/{shown.run}"


async def test_a_run_from_pending_to_succeeded_without_a_reload(
    open_page: Any, shown: ShownRun, axe: str
) -> None:
    """What waits and why, what is at work, scores, notes as they come, money, and the end."""
    await shown.write(reason="CMSUnavailable", message="the CMS answers 503")
    page = await open_page(address(shown))
    await page.live()
    assert "Pending" in await page.text("h1")
    assert "the CMS answers 503" in await page.text(".reason")
    await page.page.evaluate("window.isTheSamePage = true")
    await shown.send(shown.started(), shown.department("story"))
    await page.shows(".step[data-look=running]", "Writing notes")
    shown.note("story", "The lamp goes out twice before the storm.")
    shown.checkpoint("story", 3, [{"aspect": "stakes", "severity": "high", "suggestion": "Say them."}])
    await shown.send(*shown.iterations("story", 61, 74))
    await page.shows("table.scores", "61 → 74")
    await page.shows(".notes", "The lamp goes out twice")
    await page.shows(".gaps", "Say them.")
    tiles = await page.text(".tiles")
    for words in ("3 duplicates dropped", "$0.04", "$1.96 left of $2.00", "of at most 50"):
        assert words in tiles
    await page.page.click("summary:has-text('Story')")
    assert await page.barriers(axe) == []
    waits = {"phase": "Running", "reason": "Unschedulable", "message": "0/3 nodes"}
    await shown.write("Running", departments={"sound": waits})
    await shown.send(shown.complete("story", 83, 3))
    await page.shows(".step[data-look=waiting]", "No node takes the pod")
    await page.shows(".step[data-look=done]", "Good enough")
    await page.shows("details[open]", "Say them.")  # what a person has opened stays open
    await shown.send(shown.end("complete"))
    await page.shows("h1", "Succeeded")
    await page.page.wait_for_selector("#connection[data-state=ended]", state="attached")
    assert await page.page.evaluate("window.isTheSamePage")
    assert await page.page.title() == f"{shown.run} – Succeeded – Gather"  # noqa: RUF001
    page.assert_quiet()


async def test_a_lost_connection_is_said_and_stops_the_clocks(
    open_page: Any, shown: ShownRun, page_bridge: ServiceProcess
) -> None:
    """The next bridge goes on where the killed one was; what was missed meanwhile is there."""
    await shown.write("Running")
    await shown.send(shown.started(), shown.department("story"))
    page = await open_page(address(shown))
    await page.live()
    page_bridge.kill()
    try:
        await page.shows("#connection[data-state=lost]", "Connection lost at")
        clocks = "[...document.querySelectorAll('[data-since]')].map(e => e.textContent).join()"
        stood = await page.page.evaluate(clocks)
        assert stood.count(":") >= 2
        await page.page.evaluate("new Promise(done => setTimeout(done, 1300))")
        assert await page.page.evaluate(clocks) == stood
        await shown.send(*shown.iterations("story", 64))
    finally:
        await asyncio.to_thread(page_bridge.start)
    await page.live()
    await page.shows(".facts", "6 notes")
    await page.until(f"{clocks} !== '{stood}'")
    page.assert_quiet("ERR_CONNECTION_", "ERR_EMPTY_RESPONSE", "WebSocket connection to", "Failed to fetch")


async def test_a_bridge_that_cannot_hear_redis_says_so(
    open_page: Any,
    shown: ShownRun,
    redis_store: ServiceProcess,
) -> None:
    """The page keeps what it has, and goes on by itself."""
    await shown.write("Running")
    await shown.send(shown.started(), shown.department("story"))
    page = await open_page(address(shown))
    await page.live()
    with redis_store.absent():
        await page.shows("#connection[data-state=lost]", "cannot hear Redis")
        assert "Writing notes" in await page.text(".step")
    await page.live()
    await shown.send(*shown.iterations("story", 64))
    await page.shows(".facts", "6 notes")


async def test_what_cannot_be_read_is_said_and_asked_for_again(
    open_page: Any, shown: ShownRun, mongodb_store: ServiceProcess
) -> None:
    """Without MongoDB the rest is shown with a notice; its return is learnt by itself, without news."""
    await shown.write("Running")
    await shown.send(shown.started(), shown.department("story"))
    shown.note("story", "The lamp goes out twice before the storm.")
    page = await open_page()
    with mongodb_store.absent():
        await page.goto(address(shown))
        await page.live()
        assert "Part of this could not be read just now" in await page.text(".notice")
        assert "cannot read MongoDB now" in await page.text("main")
        assert "Writing notes" in await page.text(".step")
    await page.shows(".notes", "The lamp goes out twice")
    await page.page.wait_for_selector(".notice", state="detached")
    page.assert_quiet()


async def test_seven_tabs_follow_at_once(open_page: Any, shown: ShownRun) -> None:
    """Browsers open six HTTP connections to one host at most. Signing out in one ends them all."""
    await shown.write("Running")
    await shown.send(shown.started(), shown.department("story"))
    first = await open_page(address(shown))
    tabs = [first]
    for _ in range(6):
        tabs.append(Watched(await first.page.context.new_page(), first.base))
        await tabs[-1].goto(address(shown))
    await asyncio.gather(*(tab.live() for tab in tabs))
    await shown.send(*shown.iterations("story", 64))
    await asyncio.gather(*(tab.shows(".facts", "6 notes") for tab in tabs))
    for tab in tabs:
        tab.assert_quiet()
    await tabs[-1].page.click("text=Sign out")
    for tab in tabs[:-1]:
        await tab.page.wait_for_url(f"**/sign-in?next={address(shown)}", timeout=WAIT_MS)


@pytest.mark.parametrize(
    ("how", "spec", "words"),
    [
        ("cancelled", {"story": {"phase": "Cancelled", "reason": "Cancelled"}}, "Cancelled"),
        (
            "failed",
            {"story": {"phase": "Failed", "reason": "OOMKilled", "message": "limit 512Mi", "attempt": 4}},
            "used more memory than its limit",
        ),
        (
            "complete",
            {"story": {"phase": "Succeeded", "reason": "BudgetUsed", "cost_usd": 2.0}},
            "budget used, $0.00 left of $2.00",
        ),
    ],
    ids=["cancelled", "failed", "budget used"],
)
async def test_how_a_run_ended_is_said(  # noqa: PLR0917
    open_page: Any, shown: ShownRun, axe: str,
    how: str, spec: dict[str, Any], words: str,
) -> None:  # fmt: skip
    """With the reason in words; nothing counts on, and nothing is asked again."""
    await shown.write("Running", departments=spec)
    await shown.send(shown.started(), shown.end(how))
    page = await open_page(address(shown))
    await page.page.wait_for_selector("#connection[data-state=ended]", state="attached")
    await page.shows("main", words)
    assert await page.page.locator("[data-since]").count() == 0
    assert await page.page.locator("#ask-cancel").count() == 0
    assert await page.barriers(axe) == []
    page.assert_quiet()


async def test_thirty_two_departments_and_ten_thousand_notes_on_a_phone(
    open_page: Any, shown: ShownRun, axe: str
) -> None:
    """Nothing is wider than the screen, no barrier stands in either theme, and the page stays small."""
    shown.departments = [(f"department-{number:02d}", f"Department {number}") for number in range(32)]
    await shown.write("Running")
    await shown.send(shown.started())
    for slug, _ in shown.departments[:12]:
        await shown.send(
            shown.department(slug), *shown.iterations(slug, 55, 66, 81), shown.complete(slug, 81, 3)
        )
    shown.notes([(slug, f"Note {n}", 1) for n in range(10_000) for slug in ("department-03",)])
    options = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}
    page = await open_page(**options)
    answer = await page.goto(address(shown))
    assert len(await answer.body()) < 50_000
    await page.live()
    assert await page.page.locator(".step").count() == 32
    assert await page.text(".notes li") != ""
    assert "Note 9999" in await page.text(".notes li")
    assert await page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for theme in ("dark", "light"):
        await page.page.emulate_media(color_scheme=theme)
        assert await page.barriers(axe) == [], theme
    page.assert_quiet()


async def test_no_text_becomes_more_than_text(open_page: Any, shown: ShownRun) -> None:
    """Names, messages, reasons, notes and gaps that try to be HTML or scripts, at first and as they come."""
    shown.departments = [("story", EVIL), ("sound", EVIL)]
    department = {"phase": "Running", "reason": EVIL, "message": EVIL}
    await shown.write("Running", reason=EVIL, message=EVIL, departments={"story": department})
    shown.note("story", EVIL)
    shown.checkpoint("story", 1, [{"aspect": EVIL, "severity": EVIL, "suggestion": EVIL}])
    page = await open_page()
    page.page.on("dialog", lambda dialog: page.said.append(f"dialog {dialog.message}"))
    await page.goto(address(shown))
    await page.live()
    shown.note("story", f"{EVIL} again", number=1)
    await shown.send(shown.department("sound"), *shown.iterations("sound", 64))
    await page.shows(".notes", f"{EVIL} again")
    found = await page.page.evaluate(
        "document.querySelectorAll('main img, main script, script:not([src]), [onerror]').length"
    )
    assert found == 0
    body = await page.page.inner_text("main")
    assert body.count("<script>alert(2)</script>{{7*7}}") >= 10
    await page.goto(f"/projects/{shown.project}")
    await page.live()
    assert "<img src=x onerror=alert(1)>" in await page.page.inner_text("main")
    page.assert_quiet()


async def test_a_page_that_waits_shows_no_zeros_and_no_clock(open_page: Any, shown: ShownRun) -> None:
    """Before a run has begun nothing is known, and nothing is said to be nought; its printed form has all."""
    shown.began = datetime.now(UTC) - timedelta(minutes=3)
    await shown.write()
    page = await open_page(address(shown), java_script_enabled=False)
    assert "0" not in await page.text(".tiles")
    assert "not known yet" in await page.text("main .empty")
    assert "only with JavaScript" in await page.text("noscript")
    await page.page.emulate_media(media="print")
    assert not await page.page.locator("header.top").is_visible()


async def test_a_printed_page_has_all_and_is_readable(open_page: Any, shown: ShownRun) -> None:
    """The chart in colours for paper, what stands folded on the screen, and no row on two pages."""
    await shown.write("Running")
    await shown.send(shown.started(), shown.department("story"), *shown.iterations("story", 61, 74))
    shown.checkpoint("story", 3, [{"aspect": "stakes", "severity": "high", "suggestion": "Say them."}])
    page = await open_page(address(shown), color_scheme="dark")
    await page.live()
    ink = "Chart.getChart('curve').options.scales.x.ticks.color"
    on_screen = await page.page.evaluate(ink)
    await page.page.evaluate(
        f"""addEventListener("beforeprint", () => {{
            const {{width, height}} = Chart.getChart("curve").canvas;
            const pixels = Chart.getChart("curve").ctx.getImageData(0, 0, width, height).data;
            window.printed = [{ink}, pixels.some(Boolean)];
        }})"""
    )
    assert (await page.page.pdf()).startswith(b"%PDF")
    assert (await page.page.evaluate("window.printed"), on_screen) == (["#3f4a55", True], "#c8d1da")
    assert await page.page.evaluate(ink) == on_screen
    folded = page.page.get_by_text("Say them.")
    assert not await folded.is_visible()
    await page.page.emulate_media(media="print")
    assert await folded.is_visible()
    rows = "[...document.querySelectorAll('.step, .scores tr, .notes li, .chart')]"
    assert await page.page.evaluate(f"{rows}.every(each => getComputedStyle(each).breakInside === 'avoid')")
    cut = "[...document.querySelectorAll('.scroll')].filter(each => each.scrollHeight > each.clientHeight)"
    assert await page.page.evaluate(f"{cut}.length") == 0
    page.assert_quiet()


async def test_the_keyboard_alone_is_enough_to_cancel(open_page: Any, shown: ShownRun, axe: str) -> None:
    """A question first, with the harmless answer in focus; the escape key closes it."""
    await shown.write("Running")
    await shown.send(shown.started(), shown.department("story"))
    page = await open_page(address(shown), token=CANCELLING)
    await page.live()
    focused = "document.activeElement.textContent.trim()"
    await page.page.keyboard.press("Tab")
    assert await page.page.evaluate(focused) == "To the content"
    await page.page.focus("#ask-cancel")
    await page.page.keyboard.press("Enter")
    await page.page.wait_for_selector("dialog[open]")
    assert await page.page.evaluate(focused) == "Let it run"
    assert await page.barriers(axe) == []
    await page.page.keyboard.press("Escape")
    await page.page.wait_for_selector("dialog[open]", state="detached")
    await page.page.keyboard.press("Enter")
    await page.page.keyboard.press("Tab")
    await page.page.keyboard.press("Enter")
    await page.shows("main", "The HTTP door did not answer")  # there is none
    page.assert_quiet("503")


@pytest.mark.parametrize("theme", [pytest.param("light", marks=pytest.mark.long), "dark"])
async def test_no_other_page_has_a_barrier(open_page: Any, shown: ShownRun, axe: str, theme: str) -> None:
    """The project's list, the way there, signing in, the question before cancelling, and errors."""
    await shown.write("Running")
    await shown.send(shown.started())
    page = await open_page(token=CANCELLING, color_scheme=theme)
    for path in ("/", f"/projects/{shown.project}", f"{address(shown)}/cancel", "/sign-in", "/runs/a/b"):
        await page.goto(path)
        assert await page.barriers(axe) == [], path
    page.assert_quiet("404")
