"""The CRD follows from the contracts in every field, rule and example; the API server has its say in e2e."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from dev.generate import crds
from dev.paths import ROOT
from gather_contracts.crds import crd
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.resource import GatherRunSpec, GatherRunStatus, parse_run
from gather_contracts.run_document import (
    RunDocument,
    RunIdentity,
    decode_run_document,
    encode_run_document,
)

EXAMPLES = ROOT / "examples"
VALID = [*sorted(EXAMPLES.glob("gatherrun*.yaml")), *sorted((EXAMPLES / "valid").glob("*.yaml"))]


def spec_field(name: str) -> Any:
    return crd.spec_schema()["properties"][name]


def test_the_files_are_what_the_contracts_make_them() -> None:
    """`make crds` writes them; nobody edits them."""
    assert crds.outdated(ROOT) == []


def test_a_changed_file_is_noticed_and_written_again(tmp_path: Path) -> None:
    """Both copies are looked at, and the list of fields."""
    assert crds.outdated(tmp_path) == [crds.MANIFEST, crds.TEMPLATE, crds.FIELDS]
    crds.write(tmp_path)
    (tmp_path / crds.TEMPLATE).write_text("edited", encoding="utf-8")
    assert crds.outdated(tmp_path) == [crds.TEMPLATE]
    crds.write(tmp_path)
    assert crds.outdated(tmp_path) == []


def test_the_chart_s_template_is_the_manifest_under_two_values() -> None:
    """`crds.enabled` and `crds.keep`, and no other difference."""
    without = [line for line in crds.template().splitlines() if not line.strip().startswith("{{-")]
    kept = [
        "  annotations:",
        "    helm.sh/resource-policy: keep # uninstalling the chart deletes no GatherRun",
    ]
    assert [line for line in without if line not in kept] == crds.manifest().splitlines()
    assert ".Values.crds.enabled" in crds.template()
    assert ".Values.crds.keep" in crds.template()


def test_the_columns_are_those_that_people_were_promised() -> None:
    """In this order; those of priority 1 with `-o wide`."""
    columns = crd.custom_resource_definition()["spec"]["versions"][0]["additionalPrinterColumns"]
    normal = [c["name"].upper() for c in columns if not c.get("priority")]
    wide = [c["name"].upper() for c in columns if c.get("priority") == 1]
    assert normal == ["PROJECT", "PHASE", "DEPARTMENT", "PROGRESS", "ITEMS", "QUALITY", "AGE"]
    assert wide == ["ITERATIONS", "COST", "REASON"]


def test_every_column_shows_a_field_that_exists() -> None:
    """A slip in a path would show an empty column and no error."""
    root = crd.root_schema()
    for column in crd.COLUMNS:
        node: Any = root
        for part in str(column["jsonPath"]).split("[")[0].strip(".").split("."):
            if part == "metadata":
                break
            node = node["properties"][part]


@pytest.mark.parametrize("name", sorted(f.alias or n for n, f in GatherRunSpec.model_fields.items()))
def test_a_spec_field_is_immutable_unless_named(name: str) -> None:
    """A new field is immutable until somebody decides otherwise."""
    rules = [rule["rule"] for rule in spec_field(name).get("x-kubernetes-validations", [])]
    assert ("self == oldSelf" in rules) is (name not in crd.MUTABLE_FIELDS)


@pytest.mark.parametrize("name", ["webhookUrl", "budget", "focus", "language", "worker"])
def test_a_field_that_may_be_unset_cannot_appear_or_vanish_later(name: str) -> None:
    """A rule at a field sleeps while the field is unset; the one at the spec does not."""
    rules = [rule["rule"] for rule in crd.spec_schema()["x-kubernetes-validations"]]
    assert f"has(self.{name}) == has(oldSelf.{name})" in rules


def test_every_field_is_described() -> None:
    """`kubectl explain` is the manual."""

    def undescribed(node: Any, path: str) -> list[str]:
        mine = [] if "description" in node else [path]
        children = {**node.get("properties", {}), **({"[]": node["items"]} if "items" in node else {})}
        return mine + [p for name, child in children.items() for p in undescribed(child, f"{path}.{name}")]

    missing = undescribed(crd.root_schema(), "")
    assert [path for path in missing if path not in (".metadata", ".spec.departments.[]")] == []


def test_every_rule_names_its_field_and_is_one_sentence() -> None:
    """The message is all that a user sees."""
    for name, field in crd.spec_schema()["properties"].items():
        inner = field.get("items", {}).get("x-kubernetes-validations", [])
        for rule in [*field.get("x-kubernetes-validations", []), *inner]:
            assert name in rule["message"]
            assert "\n" not in rule["message"]
            assert len(rule["message"]) <= 160


def test_rules_are_written_for_fields_that_exist() -> None:
    """A rule for a field of another name would never be looked at."""
    fields = crd.spec_schema()["properties"]
    assert set(crd.FIELD_RULES) | crd.MUTABLE_FIELDS <= set(fields)


def test_the_api_server_fills_in_the_defaults_of_the_model() -> None:
    """What a worker reads and what a user sees are the same."""
    defaults = {n: f["default"] for n, f in crd.spec_schema()["properties"].items() if "default" in f}
    spec = GatherRunSpec(project_id="66f1a2b3c4d5e6f708192a3b", user_id="u")
    required = {"project_id", "user_id"}
    assert defaults == spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=required)


def test_the_status_has_no_defaults() -> None:
    """It holds what the operator wrote."""
    status = crd.root_schema()["properties"]["status"]
    assert "default" not in str(status)
    assert set(status["properties"]) == {f.alias or n for n, f in GatherRunStatus.model_fields.items()}


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid_examples_are_read_by_the_model(path: Path) -> None:
    """What the API server accepts, the operator understands."""
    document = yaml.safe_load(path.read_text("utf-8"))
    spec = {key: value for key, value in document["spec"].items() if value is not None}
    body = {**document, "spec": spec}
    body["metadata"] |= {"namespace": "n", "uid": "u"}
    assert parse_run(body).spec.project_id.lower().startswith("66f1a2b3c4d5e6f708192a3")


@pytest.mark.parametrize(
    ("tag", "is_one"),
    [
        ("de", True), ("pt-BR", True), ("zh-Hant-TW", True), ("yue", True), ("sl-rozaj-1994", True),
        ("German", False), ("pt_BR", False), ("de-", False), ("", False), ("d", False), ("de\nen", False),
        ("de-" + "a" * 33, False), ("x" * 36, False),
    ],
)  # fmt: skip
def test_a_language_is_a_tag_and_no_name(tag: str, is_one: bool) -> None:
    """A name would be guessed at by each model in its own way."""
    spec = {"projectId": "66f1a2b3c4d5e6f708192a3b", "userId": "u", "language": tag}
    try:
        assert GatherRunSpec.model_validate(spec).language == tag
        accepted = True
    except ValidationError:
        accepted = False
    assert accepted is is_one


def test_focus_and_language_reach_the_worker_in_the_run_document() -> None:
    """Text of any language and several lines comes through as it was written."""
    focus = "Wovor hat sie Angst?\n«塩»"
    spec = GatherRunSpec(project_id="66f1a2b3c4d5e6f708192a3b", user_id="u", focus=focus, language="pt-BR")
    department = ResolvedDepartment(slug="story", name="Story", code_dep_number=1, threshold=80, model="m")
    document = RunDocument(
        run=RunIdentity(name="r", namespace="n", uid="u"), spec=spec, departments=[department]
    )
    read = decode_run_document(encode_run_document(document)).spec
    assert (read.focus, read.language) == (focus, "pt-BR")
