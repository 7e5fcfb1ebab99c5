"""Each alert leads to its runbook, which has its parts; their commands are tried with those of all pages."""

import re
from typing import Final

import pytest

from dev.paths import ROOT
from gather_brain.metrics import Metrics
from gather_bridge.celery_door.celery_metrics import CeleryMetrics
from gather_bridge.http_door.door_metrics import DoorMetrics
from gather_operator import worker_metrics
from gather_operator.metrics import REGISTRY
from tests.support.alerts.recorded_series import rules
from tests.support.shown_commands.cluster_tools import value_named

FOLDER: Final = ROOT / "docs" / "runbooks"
PAGES: Final = sorted(page for page in FOLDER.glob("*.md") if page.name != "README.md")
RULES: Final = rules()
PARTS: Final = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
URL: Final = re.compile(r"https://gather\.ft\.tc/docs/runbooks/([a-z]+)/#([a-z-]+)")


def sections() -> dict[tuple[str, str], str]:
    """Each section by its page's name and its heading."""
    return {
        (page.stem, part.partition("\n")[0]): part.partition("\n")[2]
        for page in PAGES
        for part in re.split(r"^## ", page.read_text("utf-8"), flags=re.MULTILINE)[1:]
    }


@pytest.mark.parametrize("alert", RULES)
def test_each_alert_leads_to_its_runbook(alert: str) -> None:
    """By an address that ends with the heading that names it."""
    found = URL.fullmatch(RULES[alert]["annotations"]["runbook_url"])
    assert found
    headings = {
        re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-"): h for page, h in sections() if page == found[1]
    }
    assert alert in headings[found[2]].split(", ")


@pytest.mark.parametrize("place", sections(), ids=lambda place: place[1])
def test_each_runbook_is_an_alert_s_and_has_its_four_parts(place: tuple[str, str]) -> None:
    """In their order, and with something to look at."""
    text = sections()[place]
    assert set(place[1].split(", ")) <= RULES.keys()
    assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == PARTS
    assert re.search(r"^    \S", text, re.MULTILINE)


def test_metrics_values_and_alerts_that_runbooks_name_exist() -> None:
    """Between backticks, or by their names."""
    text = "\n".join(page.read_text("utf-8") for page in FOLDER.glob("*.md"))
    registries = (REGISTRY, Metrics().registry, DoorMetrics().registry, CeleryMetrics("t").registry)
    assert worker_metrics.TIMED  # registered by its import
    metrics = {family.name for registry in registries for family in registry.collect()}
    named = set(re.findall(r"`((?:gather|celery|neo4j|embedding)_\w+)`", text))
    assert {re.sub(r"_total$", "", name) for name in named} <= metrics
    values = set(
        re.findall(
            r"`((?:operator|worker|brain|bridge|doors|model|outbox|monitoring|networkPolicy|crds)\.[\w.]+)",
            text,
        )
    )
    assert len(values) > 10
    for name in values - {"brain.md"}:
        value_named(name)
    assert {word for word in re.findall(r"\bGather[A-Z]\w+", text) if word != "GatherRuns"} <= RULES.keys()
