"""Scenes for pictures of the run page: runs at work and at their ends, as they would be in life."""

from collections.abc import Iterable
from typing import Final

from tests.support.page.shown_run import ShownRun

MANY: Final = tuple((f"unit-{number:02d}", f"Unit {number}") for number in range(1, 33))
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


async def succeeded(shown: ShownRun) -> None:
    """Each department is good enough; none takes as long as another."""
    await shown.write("Running")
    await shown.send(shown.started())
    at_s = await _done(shown, (slug for slug, _ in shown.departments), 2)
    await shown.send(shown.end("complete", items=132, iterations=22, at_s=at_s))


async def failed(shown: ShownRun) -> None:
    """Sound is too slow in each of four attempts of ten minutes; those after it go on."""
    await shown.write("Running")
    await shown.send(shown.started())
    at_s = await _done(shown, ("story", "character", "visual", "production"), 2)
    await shown.send(shown.department("sound", at_s), *shown.iterations("sound", 52, 61.5))
    at_s += 4 * 600 + 10 + 20 + 40
    await shown.send(shown.failed("sound", "DeadlineExceeded", at_s))
    at_s = await _done(shown, ("music", "editing"), at_s + 3)
    message = "Pod was active on the node longer than the specified deadline"
    ended = {"phase": "Failed", "reason": "DeadlineExceeded", "attempt": 4, "message": message}
    await shown.write("Running", departments={"sound": ended})
    await shown.send(shown.end("failed", items=126, iterations=21, at_s=at_s))


async def cancelled(shown: ShownRun) -> None:
    """Stopped by a person while the third department was at work."""
    await shown.write("Running")
    await shown.send(shown.started())
    at_s = await _done(shown, ("story", "character"), 2)
    await shown.send(shown.department("visual", at_s), *shown.iterations("visual", 49, 60.5))
    stopped = {"phase": "Cancelled", "reason": "Cancelled"}
    others = (slug for slug, _ in shown.departments[2:])
    await shown.write("Running", departments=dict.fromkeys(others, stopped))
    await shown.send(shown.end("cancelled", items=48, at_s=at_s + 71))


async def out_of_money(shown: ShownRun) -> None:
    """The third department ends because the budget is used; those after it are left out."""
    shown.max_cost_usd = 0.2
    await shown.write("Running")
    await shown.send(shown.started())
    at_s = await _done(shown, ("story", "character"), 2)
    await shown.send(shown.department("visual", at_s), *shown.iterations("visual", 49, 60.5, usd=0.0295))
    await shown.send(shown.complete("visual", 60.5, 2, at_s + 64))
    skipped = {"phase": "Skipped", "reason": "BudgetUsed"}
    changes = dict.fromkeys((slug for slug, _ in shown.departments[3:]), skipped)
    await shown.write(
        "Running", departments=changes | {"visual": {"phase": "Succeeded", "reason": "BudgetUsed"}}
    )
    await shown.send(shown.end("complete", items=48, iterations=8, at_s=at_s + 66))


async def many_at_work(shown: ShownRun) -> None:
    """32 departments: twenty done, four at work at once."""
    shown.max_iterations, shown.max_cost_usd = 160, 5
    await shown.write("Running")
    await shown.send(shown.started())
    slugs = [slug for slug, _ in shown.departments]
    at_s = await _done(shown, slugs[:20], 2)
    for number, slug in enumerate(slugs[20:24]):
        await shown.send(
            shown.department(slug, at_s + number), *shown.iterations(slug, 47 + 4 * number, 63 - number)
        )
    shown.notes([(slugs[20], text, 2) for _, text in NOTES], first=1_500)


async def _done(shown: ShownRun, slugs: Iterable[str], at_s: float) -> float:
    """Let departments end well, one after the other; returns when, in seconds after the run's start."""
    for number, slug in enumerate(slugs):
        scores = (52 + 5 * (number % 3), 66.5, 74 - number % 2, 81 + 1.5 * (number % 4))[number % 2 :]
        took_s = 31 * len(scores) + 7 * (number % 4)
        await shown.send(
            shown.department(slug, at_s), *shown.iterations(slug, *scores),
            shown.complete(slug, scores[-1], len(scores), at_s + took_s),
        )  # fmt: skip
        at_s += took_s + 3
    return at_s
