"""Series as Prometheus would have scraped them of a process's own metrics, and promtool's tests of them."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from dev.paths import ROOT

FILES: Final = tuple(sorted((ROOT / "charts/gather/dashboards").glob("*.yaml")))
SCRAPE_S: Final = 30
"""The charts' default between two scrapes."""
NOTHING_SCRAPED: Final = 21
"""How many scrapes a case takes that has no series: ten minutes."""
NAMESPACE: Final = "film"
_NAME: Final = re.compile(r"\b(?:gather|celery|http|rate_limit)_[a-z_]+")

Series = dict[str, str]
"""`series` and `values`, as promtool reads them."""
Play = tuple[float, Callable[[], None]]
"""For how many minutes what happens between each two scrapes."""


@dataclass(frozen=True)
class Case:
    """What is recorded, and whether an alert fires at its end."""

    alert: str
    fires: bool
    name: str
    record: Callable[[Sequence[str]], list[Series]]
    """Records the metrics of these names."""
    labels: Mapping[str, str] | None = None
    """Of the firing alert, besides the rule's own."""


def rules() -> dict[str, dict[str, Any]]:
    """Return all of the chart's rules by their name."""
    groups = [group for file in FILES for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def metrics_of(rule: Mapping[str, Any]) -> list[str]:
    """Return the names of the metrics that a rule is about."""
    return sorted(set(_NAME.findall(rule["expr"])))


def recorded(
    source: Collector, names: Sequence[str], plays: Iterable[Play], namespace: str = NAMESPACE
) -> list[Series]:
    """Return what the scrapes saw, the first one before anything has happened."""
    if isinstance(source, CollectorRegistry):
        source = source.restricted_registry(names)
    scrapes = _Scrapes(source, names, namespace)
    scrapes.look()
    for minutes, happens in plays:
        count = round(minutes * 60 / SCRAPE_S)
        if happens is nothing:
            scrapes.stay(count)
            continue
        for _ in range(count):
            happens()
            scrapes.look()
    return [{"series": key, "values": " ".join(values)} for key, values in scrapes.seen.items()]


class _Scrapes:
    """The values of each series, one a scrape; "_" before the first one."""

    def __init__(self, source: Collector, names: Sequence[str], namespace: str) -> None:
        self._source = source
        self._names = names
        self._namespace = namespace
        self._count = 0
        self.seen: dict[str, list[str]] = {}

    def look(self) -> None:
        """Scrape once."""
        for family in self._source.collect():
            for sample in family.samples:
                if sample.name in self._names:
                    self._keep(sample.name, {**sample.labels, "namespace": self._namespace}, sample.value)
        self._count += 1

    def stay(self, count: int) -> None:
        """Scrape so often while nothing happens."""
        self._count += count
        for values in self.seen.values():
            values.extend([values[-1]] * count)

    def _keep(self, name: str, labels: Mapping[str, str], value: float) -> None:
        said = ",".join(f'{label}="{text}"' for label, text in labels.items())
        values = self.seen.setdefault(f"{name}{{{said}}}", [])
        values.extend(["_"] * (self._count - len(values)))
        values.append(f"{value:g}")


def nothing() -> None:
    """Happens where nothing happens; what is seen stays."""


def written(cases: Iterable[Case], folder: Path) -> list[Path]:
    """Write promtool's files into a folder, one an alert, and return those that it is asked to run.

    Each names a file with its rule alone: promtool evaluates all rules that it is given, for each case.
    """
    files = []
    for alert, rule in rules().items():
        rule_file, test_file = folder / f"{alert}.rules.json", folder / f"{alert}.json"
        group = {"name": alert, "rules": [rule]}
        rule_file.write_text(json.dumps({"groups": [group]}), encoding="utf-8")
        document = {
            "rule_files": [str(rule_file)],
            "evaluation_interval": f"{SCRAPE_S}s",
            "tests": [_test(case, rule) for case in cases if case.alert == alert],
        }
        # JSON is YAML, and much faster to write.
        test_file.write_text(json.dumps(document), encoding="utf-8")
        files.append(test_file)
    return files


def _test(case: Case, rule: Mapping[str, Any]) -> dict[str, Any]:
    series = case.record(metrics_of(rule))
    scrapes = max((len(each["values"].split()) for each in series), default=NOTHING_SCRAPED)
    labels = {"namespace": NAMESPACE} if case.labels is None else dict(case.labels)
    text = re.sub(
        r"{{ \$labels\.(\w+) }}", lambda found: labels.get(found[1], ""), rule["annotations"]["summary"]
    )
    fired = {
        "exp_labels": {**rule["labels"], **labels},
        "exp_annotations": {**rule["annotations"], "summary": text},
    }
    asked = {
        "alertname": case.alert,
        "eval_time": f"{(scrapes - 1) * SCRAPE_S}s",
        "exp_alerts": [fired] if case.fires else [],
    }
    return {
        "name": f"{case.alert}: {case.name}",
        "interval": f"{SCRAPE_S}s",
        "input_series": series,
        "alert_rule_test": [asked],
    }
