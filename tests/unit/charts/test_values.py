"""The charts' values: closed schemas, a comment for each, and nothing in one that the other lacks."""

import base64
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from dev.paths import ROOT
from gather_contracts import names
from gather_contracts.resource import GatherRun

CHARTS = ROOT / "charts"
NAMES = ("gather", "gather-backing")
OPEN_BY_NATURE = (
    "global", "brokerOptions", "extraBody", "nodeSelector", "env", "requests", "limits", "items", "labels",
    "annotations", "source", "matchLabels",
)  # fmt: skip
"""Maps whose keys are the user's, not ours; their values' types are still said."""


WHOLE = {("resources",), ("nodeSelector",), ("image",), ("podSecurityContext",)}
"""Values that are described as one."""


def read(chart: str, file: str) -> str:
    return (CHARTS / chart / file).read_text(encoding="utf-8")


def schema_of(chart: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(read(chart, "values.schema.json"))
    return schema


def objects(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield every object schema with its path."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for key, sub in schema.items():
            yield from objects(sub, (*path, key))


def leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every value."""
    if isinstance(values, dict) and values and path[-1:] not in WHOLE:
        for key, sub in values.items():
            yield from leaves(sub, (*path, key))
    else:
        yield path


@pytest.mark.parametrize("chart", NAMES)
def test_the_schema_is_closed_everywhere(chart: str) -> None:
    """A misspelt value is refused instead of ignored."""
    for path, schema in objects(schema_of(chart)):
        if path[-1:] and path[-1] in OPEN_BY_NATURE:
            assert path[-1] == "global" or "additionalProperties" in schema, path
        else:
            assert schema.get("additionalProperties") is False, path


@pytest.mark.parametrize("chart", NAMES)
@pytest.mark.parametrize("file", ["values.yaml", "values-dev.yaml"])
def test_the_values_obey_the_schema(chart: str, file: str) -> None:
    """Those for production and those of the one-machine cluster."""
    jsonschema.Draft7Validator(schema_of(chart)).validate(yaml.safe_load(read(chart, file)))


@pytest.mark.parametrize(
    "file", sorted((ROOT / "examples" / "values").glob("*.yaml")), ids=lambda file: file.stem
)
def test_the_values_files_obey_the_schema(file: Path) -> None:
    """Those that the documentation names, to be put behind one's own."""
    jsonschema.Draft7Validator(schema_of("gather")).validate(yaml.safe_load(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("chart", NAMES)
def test_every_value_of_the_schema_has_a_default(chart: str) -> None:
    """Schema and values.yaml name the same values."""

    def named(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        for key, sub in schema.get("properties", {}).items():
            if "properties" in sub and key not in {"resources", "image", "modelVolume", "provider"}:
                yield from named(sub, (*path, key))
            else:
                yield (*path, key)

    in_schema = {path for path in named(schema_of(chart)) if path != ("global",)}
    in_values = set(leaves(yaml.safe_load(read(chart, "values.yaml"))))
    assert in_schema == in_values


@pytest.mark.parametrize("chart", NAMES)
def test_every_value_has_a_comment(chart: str) -> None:
    """On the line before it; a group of values is described by its members."""
    lines = read(chart, "values.yaml").splitlines()
    bare = [
        line.strip()
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r"^\s*[A-Za-z]\w*: +\S", line)
        and not before.strip().startswith("#")
        and not re.match(r"^\s+(requests|limits):", line)
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("chart", "values", "named"),
    [
        ("gather", {"brain": {"replica": 2}}, "replica"),
        ("gather", {"operator": {"logLevel": "LOUD"}}, "LOUD"),
        ("gather", {"worker": {"env": {"MONGODB_URI": "mongodb://user:pass@db"}}}, "MONGODB_URI"),
        ("gather", {"worker": {"tolerations": [{"effect": "Sometimes"}]}}, "Sometimes"),
        ("gather", {"brain": {"neo4jUri": "http://neo4j"}}, "neo4jUri"),
        ("gather", {"operator": {"cms": {"authorization": "users API-key"}}}, "API-key"),
        ("gather", {"operator": {"cms": {"limit": 0}}}, "limit"),
        ("gather", {"operator": {"cms": {"emptyPatienceSeconds": -1}}}, "emptyPatienceSeconds"),
        ("gather", {"operator": {"startPatienceSeconds": -1}}, "startPatienceSeconds"),
        ("gather", {"worker": {"evaluation": {"task": "evaluate department"}}}, "task"),
        ("gather", {"worker": {"evaluation": {"priority": 10}}}, "priority"),
        ("gather", {"worker": {"evaluation": {"detail": "more"}}}, "more"),
        ("gather", {"worker": {"evaluation": {"callbackUrl": "https://user:pass@app/"}}}, "callbackUrl"),
        ("gather", {"appUrl": "app.example.com"}, "app.example.com"),
        ("gather", {"model": {"provider": {"data_collection": "no"}}}, "no"),
        ("gather", {"model": {"provider": {"max_price": {"prompt": "1"}}}}, "max_price"),
        ("gather", {"model": {"reasoning": {"effort": "much"}}}, "much"),
        ("gather", {"model": {"extraBody": {"max_tokens": 1}}}, "max_tokens"),
        ("gather", {"model": {"proxy": "http://user:pass@proxy:3128"}}, "proxy"),
        ("gather", {"model": {"proxy": "socks5://proxy:1080"}}, "proxy"),
        ("gather", {"worker": {"env": {"GATHER_LLM_EXTRA_HEADERS": "{}"}}}, "GATHER_LLM_EXTRA_HEADERS"),
        ("gather", {"worker": {"env": {"GATHER_LLM_MAX_TOKENS": 1023}}}, "1023"),
        ("gather", {"worker": {"env": {"GATHER_LLM_MAX_TOKENS": "256"}}}, "256"),
        ("gather", {"appUrl": "https://app:99999"}, "99999"),
        ("gather", {"appUrl": "https://user:pass@app"}, "appUrl"),
        ("gather", {"llmBaseUrl": "https://models:65536/v1"}, "65536"),
        ("gather", {"model": {"proxy": "http://proxy:0"}}, "proxy"),
        ("gather", {"worker": {"evaluation": {"callbackUrl": "https://app:70000/done"}}}, "70000"),
        ("gather", {"bridge": {"allowedOrigins": ["https://app:99999"]}}, "99999"),
        ("gather", {"bridge": {"page": {"doorUrl": "http://door:99999"}}}, "99999"),
        ("gather", {"brain": {"neo4jUri": "bolt://neo4j:99999"}}, "99999"),
        ("gather-backing", {"demo": {"llm": {"delay": 1}}}, "delay"),
        ("gather-backing", {"demo": {"llm": {"repeatShare": 2}}}, "2"),
    ],
)
def test_a_wrong_value_is_refused(chart: str, values: dict[str, Any], named: str) -> None:
    """Before anything is installed."""
    errors = list(jsonschema.Draft7Validator(schema_of(chart)).iter_errors(values))
    assert errors
    assert named in f"{errors[0].message} {list(errors[0].absolute_path)}"


@pytest.mark.parametrize("chart", NAMES)
def test_the_chart_has_the_version_of_the_distribution(chart: str) -> None:
    """Images are tagged with the chart's appVersion by default."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    metadata = yaml.safe_load(read(chart, "Chart.yaml"))
    assert (metadata["version"], metadata["appVersion"]) == (version, version)


def test_the_chart_says_what_a_hub_shows() -> None:
    """Icon, maintainers, images of its own version; what annotations hold is YAML."""
    chart = yaml.safe_load(read("gather", "Chart.yaml"))
    drawn = (ROOT / "bridge/gather_bridge/page/static/icon.svg").read_bytes()
    assert chart["icon"] == f"data:image/svg+xml;base64,{base64.b64encode(drawn).decode()}"
    assert chart["maintainers"]
    values = yaml.safe_load(read("gather", "values.yaml"))
    images = yaml.safe_load(chart["annotations"]["artifacthub.io/images"])
    rooms = ("operator", "worker", "brain", "bridge")
    assert images == [
        {"name": room, "image": f"{values[room]['image']['repository']}:{chart['appVersion']}"}
        for room in rooms
    ]
    (crd,) = yaml.safe_load(chart["annotations"]["artifacthub.io/crds"])
    assert (crd["kind"], crd["version"], crd["name"]) == (
        names.KIND,
        names.VERSION,
        f"{names.PLURAL}.{names.GROUP}",
    )
    (example,) = yaml.safe_load(chart["annotations"]["artifacthub.io/crdsExamples"])
    GatherRun.model_validate(
        {**example, "metadata": {**example["metadata"], "namespace": "film", "uid": "u"}}
    )


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"brain": {"image": {"digest": "sha256:12"}}}, "digest"),
        ({"operator": {"podLabels": {"app.kubernetes.io/name": "mine"}}}, "app.kubernetes.io/name"),
        ({"worker": {"podLabels": {"kueue.x-k8s.io/queue-name": "films"}}}, "kueue"),
        ({"commonLabels": {"team": 7}}, "team"),
        ({"bridge": {"extraEnv": [{"name": "A"}]}}, "extraEnv"),
        ({"bridge": {"extraEnv": [{"name": "A", "value": "1", "valueFrom": {}}]}}, "extraEnv"),
        ({"worker": {"extraEnv": [{"name": "MONGODB_URI", "value": "mongodb://db"}]}}, "extraEnv"),
        ({"worker": {"extraEnv": [{"name": "HTTPS_PROXY", "value": "http://u:p@proxy"}]}}, "extraEnv"),
        ({"brain": {"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}}, "tmp"),
        ({"brain": {"extraVolumes": [{"name": "host", "hostPath": {"path": "/"}}]}}, "hostPath"),
        (
            {"brain": {"extraVolumeMounts": [{"name": "a", "mountPath": "/etc/gather/run"}]}},
            "/etc/gather/run",
        ),
        ({"brain": {"affinity": {"nodeAfinity": {}}}}, "nodeAfinity"),
        ({"brain": {"topologySpreadConstraints": [{"maxSkew": 1}]}}, "topologyKey"),
        ({"brain": {"autoscaling": {"maxReplicas": 17}}}, "17"),
        ({"operator": {"podDisruptionBudget": {"minAvailable": "150%"}}}, "150%"),
        ({"service": {"ipFamilies": ["IPv5"]}}, "IPv5"),
        ({"checks": {"existingSecrets": "Maybe"}}, "Maybe"),
        ({"podSecurityContext": {"privileged": True}}, "privileged"),
        ({"bridge": {"ingress": {"hosts": [{"host": "https://app"}]}}}, "https://app"),
        ({"monitoring": {"prometheusRule": {"runbookUrl": "runbooks"}}}, "runbooks"),
        ({"brain": {"env": {"GATHER_BRAIN_EMBEDDING_API_KEY": "sk"}}}, "GATHER_BRAIN_EMBEDDING_API_KEY"),
    ],
)
def test_a_wrong_value_of_the_platform_is_refused(values: dict[str, Any], named: str) -> None:
    """Before anything is installed."""
    errors = list(jsonschema.Draft7Validator(schema_of("gather")).iter_errors(values))
    assert errors
    assert named in f"{errors[0].message} {list(errors[0].absolute_path)}"


def test_an_affinity_is_what_a_run_may_ask_for() -> None:
    """The operator reads the workers' by the same words; the schema has them from the CRD."""
    (file,) = (ROOT / "crds").glob("*.yaml")
    version = yaml.safe_load(file.read_text("utf-8"))["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    asked = version["properties"]["spec"]["properties"]["worker"]["properties"]["affinity"]
    definitions = schema_of("gather")["definitions"]
    assert _plain(definitions["affinity"], definitions) == _plain(asked, {})


def _plain(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return a schema without references, descriptions, Kubernetes' own words and what closes it."""
    if isinstance(schema, list):
        return [_plain(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _plain(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {
        key: _plain(sub, definitions)
        for key, sub in schema.items()
        if not key.startswith("x-kubernetes")
        and not (key == "description" and isinstance(sub, str))
        and not (key == "additionalProperties" and sub is False)
    }
