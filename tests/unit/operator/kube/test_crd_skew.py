"""What the CRD in the cluster lacks is found before a write loses it."""

import logging
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest

from gather_clients.kube_api.cluster_errors import ClusterUnavailable, Missing
from gather_contracts.crds.crd import root_schema
from gather_operator.kube.crd_skew import CrdCheck, missing_fields, served_run_schema
from gather_operator.metrics import REGISTRY


def served(*removed: str) -> dict[str, Any]:
    """The API server's document for this version's CRD, without some of its fields."""
    schema = deepcopy(root_schema())
    for path in removed:
        *parents, name = path.split(".")
        place = schema
        for parent in parents:
            place = place["properties"][parent]
            place = place.get("items", place)
        del place["properties"][name]
    # The API server puts the schema of metadata in by reference.
    schema["properties"]["metadata"] = {"allOf": [{"$ref": "#/components/schemas/ObjectMeta"}]}
    kind = {"group": "gather.ft.tc", "kind": "GatherRun", "version": "v1alpha1"}
    schema["x-kubernetes-group-version-kind"] = [kind]
    listing = {
        "x-kubernetes-group-version-kind": [{**kind, "kind": "GatherRunList"}],
        "properties": {"items": {}},
    }
    return {"components": {"schemas": {"list": listing, "odd": 3, "run": schema}}}


def check(*answers: Any) -> CrdCheck:
    left = list(answers)

    async def served_schema() -> dict[str, Any]:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    return CrdCheck(SimpleNamespace(served_schema=served_schema))  # type: ignore[arg-type]


def shown() -> float | None:
    return REGISTRY.get_sample_value("gather_operator_crd_fields_missing")


async def test_a_crd_of_this_version_lacks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """And nothing is said."""
    assert await check(served()).look()
    assert shown() == 0
    assert not caplog.records


async def test_fields_that_the_crd_lacks_are_named_once_with_the_fix(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of spec, status and departments; later the number goes back."""
    old = served("spec.focus", "status.reason", "status.departments.iterationLimit")
    looking = check(old, old, served())
    with caplog.at_level(logging.INFO):
        assert await looking.look()
        assert shown() == 3
        assert await looking.look()
        (record,) = caplog.records
        assert record.fields == ["spec.focus", "status.departments.iterationLimit", "status.reason"]  # type: ignore[attr-defined]
        assert "helm upgrade" in record.hint  # type: ignore[attr-defined]
        assert await looking.look()
    assert shown() == 0
    assert "all fields" in caplog.records[-1].message


@pytest.mark.parametrize(
    "error", [ClusterUnavailable("gone"), Missing("no CRD")], ids=["no answer", "no CRD"]
)
async def test_without_an_answer_it_looks_again_soon(error: Exception) -> None:
    """Nothing of this is fatal."""
    assert not await check(error).look()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"components": 3},
        {"components": {"schemas": {"a": None, "b": {"x-kubernetes-group-version-kind": [1]}}}},
    ],
    ids=["empty", "no object", "foreign"],
)
async def test_a_document_of_another_form_says_nothing(document: dict[str, Any]) -> None:
    """An aggregated API server may answer anything."""
    assert served_run_schema(document) is None
    assert await check(document).look()


def test_a_schema_that_keeps_unknown_fields_lacks_none() -> None:
    """They are stored."""
    assert missing_fields(root_schema(), {"x-kubernetes-preserve-unknown-fields": True}) == []
