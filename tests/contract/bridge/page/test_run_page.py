"""The run page in a real browser: a run from Pending to its end, whatever happens to the connection."""

from typing import Any

import pytest

from tests.support.page.shown_run import ShownRun

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def shown(project: str, redis_url: str, mongodb_uri: str) -> ShownRun:
    """A run that nobody has heard of yet."""
    return ShownRun(project, redis_url, mongodb_uri, namespace=f"films-{project}")


async def test_a_run_from_pending_to_succeeded_without_a_reload(
    serve_bridge: Any, page_settings: dict[str, Any], open_page: Any, shown: ShownRun, axe: str
) -> None:
    """What waits and why, what is at work, scores, notes as they come, money, and the end."""
    await shown.write(reason="CMSUnavailable", message="the CMS answers 503")
    async with serve_bridge(**page_settings) as serving:
        page = await open_page(serving, f"/runs/{shown.namespace}/{shown.run}")
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
        assert "3 duplicates dropped" in await page.text(".tiles")
        assert "$0.04" in await page.text(".tiles")
        assert "$1.96 left of $2.00" in await page.text(".tiles")
        await page.page.click("summary:has-text('Story')")
        assert await page.barriers(axe) == []
        await shown.write(
            "Running",
            departments={"sound": {"phase": "Running", "reason": "Unschedulable", "message": "0/3 nodes"}},
        )
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
