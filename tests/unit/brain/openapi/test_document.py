"""The published document: OpenAPI 3.0 that says what the API checks and all that it can answer."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator
from pydantic import BaseModel

from dev.generate import openapi
from dev.paths import ROOT
from gather_brain.app import published_document
from gather_brain.openapi.examples import OPERATIONS
from gather_clients.web.downgrade import ConversionError, convert
from gather_contracts import brain as bodies

MODELS: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
    "createNodes": (bodies.BatchRequest, bodies.BatchResponse),
    "findDuplicates": (bodies.DuplicatesRequest, bodies.DuplicatesResponse),
    "findDuplicatesBatch": (bodies.DuplicatesBatchRequest, bodies.DuplicatesBatchResponse),
    "compareTexts": (bodies.SimilarityRequest, bodies.SimilarityResponse),
    "getDepartmentContext": (bodies.ContextQuery, bodies.ContextResponse),
    "analyzeCoverage": (bodies.CoverageRequest, bodies.CoverageResponse),
    "listNodes": (bodies.NodesQuery, bodies.NodesPage),
    "getNode": (bodies.NodeQuery, bodies.StoredNode),
    "deleteNodes": (bodies.DeleteNodesQuery, bodies.NodesDeleted),
    "eraseProject": (bodies.EraseProjectQuery, bodies.ProjectErased),
    "readLimits": (bodies.LimitsQuery, bodies.LimitsResponse),
}
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as it is served."""
    served: dict[str, Any] = json.loads(json.dumps(published_document()))
    return served


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The operations by their ids."""
    return {each["operationId"]: each for path in document["paths"].values() for each in path.values()}


def test_the_document_is_openapi_3_0(document: dict[str, Any]) -> None:
    """As a validator of 3.0 sees it, not of 3.1."""
    assert re.fullmatch(r"3\.0\.\d", document["openapi"])
    assert list(OpenAPIV30SpecValidator(document).iter_errors()) == []


def test_the_validator_rejects_words_of_3_1(document: dict[str, Any]) -> None:
    """The validator is strict enough for the test above to mean something."""
    for broken in ({"type": ["string", "null"]}, {"const": 1}, {"anyOf": [{"type": "null"}]}):
        schemas = {**document["components"]["schemas"], "X": broken}
        spoilt = {**document, "components": {**document["components"], "schemas": schemas}}
        assert list(OpenAPIV30SpecValidator(spoilt).iter_errors()), broken


def test_operation_ids_are_stable(operations: dict[str, dict[str, Any]]) -> None:
    """Generated clients name their methods after them."""
    assert set(operations) == set(MODELS)


def test_every_answer_is_documented(operations: dict[str, dict[str, Any]]) -> None:
    """With its body, and with an example of each."""
    of_all = {"200", "400", "401", "403", "404", "405", "429", "500", "503"}
    for name, operation in operations.items():
        expected = of_all | ({"408", "413", "415"} if "requestBody" in operation else set())
        assert set(operation["responses"]) == expected, name
        assert operation["summary"]
        assert operation["description"]
        assert {sample["lang"] for sample in operation["x-codeSamples"]} == {"Shell", "Python"}


def test_every_error_code_is_an_example_of_its_status(document: dict[str, Any]) -> None:
    """And its body is the one that the clients read; a 429 has its own."""
    seen = set()
    for response in document["components"]["responses"].values():
        for code, example in response["content"]["application/json"]["examples"].items():
            assert bodies.ErrorBody.model_validate(example["value"]).error == code
            seen.add(code)
    assert seen == set(bodies.ErrorCode)
    limited = document["components"]["responses"]["RateLimitExceeded"]
    (example,) = limited["content"]["application/json"]["examples"].values()
    assert bodies.RateLimitBody.model_validate(example["value"]).limit == 30
    assert {"Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} <= set(
        limited["headers"]
    )


def test_examples_are_what_the_api_takes_and_gives(operations: dict[str, dict[str, Any]]) -> None:
    """Read by the same models as the real ones."""
    for sample in OPERATIONS.values():
        request, response = MODELS[sample.id]
        request.model_validate(
            {name: value for name, value in sample.request.items() if name not in sample.path_parameters}
        )
        response.model_validate(sample.response)
        assert operations[sample.id]["responses"]["200"]["content"]["application/json"]["example"]


def test_the_schema_bounds_what_the_models_bound(document: dict[str, Any]) -> None:
    """A caller who validates before sending is not refused afterwards."""
    schemas = document["components"]["schemas"]
    node = schemas["NodeIn"]
    assert node["additionalProperties"] is False
    assert node["properties"]["id"] == {
        "type": "string", "minLength": 1, "maxLength": 64, "nullable": True,
        "description": node["properties"]["id"]["description"],
    }  # fmt: skip
    properties = schemas["NodeProperties"]
    assert properties["maxProperties"] == bodies.PROPERTIES_MAX
    assert properties["properties"]["department"]["maxLength"] == bodies.DEPARTMENT_MAX
    assert schemas["NodeOut"]["properties"]["duplicateOf"] == {
        "allOf": [{"$ref": "#/components/schemas/DuplicateOf"}], "nullable": True,
    }  # fmt: skip
    search = schemas["DuplicatesRequest"]["properties"]
    assert (search["threshold"]["minimum"], search["threshold"]["maximum"]) == (0, 1)
    assert search["limit"]["maximum"] == 50
    assert search["limit"]["description"].endswith("Default: `10`.")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": 1}, {"enum": [1]}),
        ({"exclusiveMinimum": 0}, {"minimum": 0, "exclusiveMinimum": True}),
        ({"exclusiveMaximum": 1.5}, {"maximum": 1.5, "exclusiveMaximum": True}),
        ({"type": "string", "examples": ["a", "b"]}, {"type": "string", "example": "a"}),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            {"type": "string", "nullable": True},
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
            {"anyOf": [{"type": "string", "nullable": True}, {"type": "integer"}]},
        ),
        (
            {"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]},
            {"allOf": [{"$ref": "#/components/schemas/A"}], "nullable": True},
        ),
        (
            {"$ref": "#/components/schemas/A", "description": "x"},
            {"allOf": [{"$ref": "#/components/schemas/A"}], "description": "x"},
        ),
        ({"type": "integer", "maximum": 50.0, "title": "X"}, {"type": "integer", "maximum": 50}),
        ({"type": "array", "items": {"const": 1}}, {"type": "array", "items": {"enum": [1]}}),
        ({"additionalProperties": False}, {"additionalProperties": False}),
        ({"additionalProperties": True, "properties": {}}, {"properties": {}}),
        ({"type": "number", "minimum": 0}, {"type": "number", "format": "double", "minimum": 0}),
    ],
)  # fmt: skip
def test_json_schema_is_said_in_the_words_of_3_0(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    """Null is a word beside a type, bounds exclude by a flag."""
    assert convert(schema, {"A": {"type": "object"}}) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"prefixItems": [{"type": "string"}]},
        {"type": "object", "patternProperties": {"a": {}}},
        {"anyOf": [{"enum": [1]}, {"type": "null"}]},
        {"properties": {"a": {"if": {}}}},
    ],
)
def test_schemas_without_an_equivalent_in_3_0_are_refused(schema: dict[str, Any]) -> None:
    """Dropping it would promise more than the API takes."""
    with pytest.raises(ConversionError):
        convert(schema, {})


def test_the_error_table_names_every_code() -> None:
    """In docs/brain.md, with its status."""
    table = (DOCS / "brain.md").read_text(encoding="utf-8")
    for code in bodies.ErrorCode:
        assert re.search(rf"^\| `{code}` \| \d{{3}} \|", table, re.MULTILINE), code


def test_a_file_that_is_not_what_the_contracts_say_is_named(tmp_path: Path) -> None:
    """`make check` must fail before a caller reads something old."""
    for path in (openapi.DOCUMENT, openapi.REFERENCE, openapi.TYPES):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    openapi.write(tmp_path)
    stamp = openapi.stamp(openapi.files())
    (tmp_path / openapi.TYPES).write_text(f"{stamp}export interface paths {{}}\n")
    assert openapi.outdated(tmp_path) == []
    (tmp_path / openapi.TYPES).write_text("// of another document\n")
    (tmp_path / openapi.DOCUMENT).write_text("{}")
    assert openapi.outdated(tmp_path) == [openapi.DOCUMENT, openapi.TYPES]
