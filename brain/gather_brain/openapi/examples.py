"""One example of a request and its answer for each operation, and code made from it.

They stand in the published document and in docs/api.md; tests check them against the bodies' models and run
the code against a real brain, in this order.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

PROJECT: Final = "507f1f77bcf86cd799439011"
NODE_ID: Final = "0198c5a0-7b1e-7c40-9a35-5d2f7be0a1c4"
OTHER_ID: Final = "0198c5a0-7b1e-7c40-9a35-5d2f7be0a1c5"
PREMISE: Final = "Ada has kept the lighthouse alone for eleven years and lets nobody near the lamp."
RADIO: Final = "Tomas mends the radio at night because he is afraid of the quiet."


@dataclass(frozen=True, slots=True)
class Operation:
    """What the document says of one operation beyond its bodies; `shown` is Python that shows the answer."""

    id: str
    tag: str
    request: Mapping[str, Any]
    response: Mapping[str, Any]
    shown: str


OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("post", "/api/v1/nodes/batch"): Operation(
        id="createNodes",
        tag="nodes",
        request={
            "nodes": [
                {
                    "id": NODE_ID,
                    "type": "GatherItem",
                    "content": PREMISE,
                    "projectId": PROJECT,
                    "properties": {
                        "department": "story",
                        "departmentName": "Story Department",
                        "isAutomated": True,
                        "iteration": 5,
                        "qualityScore": 75.5,
                        "model": "anthropic/claude-sonnet-4.5",
                        "taskId": "celery-task-123",
                        "summary": "Ada and the lamp",
                        "context": "The premise that the first act rests on",
                    },
                },
                {
                    "id": OTHER_ID,
                    "type": "GatherItem",
                    "content": RADIO,
                    "projectId": PROJECT,
                    "properties": {"department": "character", "isAutomated": True},
                },
            ]
        },
        response={
            "success": True,
            "created": 2,
            "nodeIds": [NODE_ID, OTHER_ID],
            "nodes": [
                {
                    "id": NODE_ID,
                    "type": "GatherItem",
                    "properties": {"department": "story", "isAutomated": True, "qualityScore": 75.5},
                    "embedding": {"dimensions": 384, "model": "all-MiniLM-L6-v2-w8a8"},
                },
                {
                    "id": OTHER_ID,
                    "type": "GatherItem",
                    "properties": {"department": "character", "isAutomated": True},
                    "embedding": {"dimensions": 384, "model": "all-MiniLM-L6-v2-w8a8"},
                },
            ],
            "timing": {"embedding_time_ms": 21, "neo4j_write_time_ms": 14, "total_time_ms": 35},
        },
        shown='answer["created"], answer["nodeIds"]',
    ),
    ("post", "/api/v1/search/duplicates"): Operation(
        id="findDuplicates",
        tag="search",
        request={
            "content": "Ada has kept the lighthouse alone for eleven years; nobody may come near the lamp.",
            "projectId": PROJECT,
            "threshold": 0.9,
            "limit": 10,
            "type": "GatherItem",
            "department": "story",
            "excludeNodeIds": [OTHER_ID],
        },
        response={
            "duplicates": [
                {
                    "nodeId": NODE_ID,
                    "similarity": 0.961204,
                    "content": PREMISE,
                    "properties": {
                        "createdAt": "2025-01-15T10:30:00.000Z",
                        "department": "story",
                        "isAutomated": True,
                        "summary": "Ada and the lamp",
                    },
                }
            ],
            "query_embedding_time_ms": 6,
            "search_time_ms": 9,
            "total_time_ms": 17,
        },
        shown='[(found["nodeId"], found["similarity"]) for found in answer["duplicates"]]',
    ),
    ("post", "/api/v1/search/duplicates/batch"): Operation(
        id="findDuplicatesBatch",
        tag="search",
        request={
            "contents": [PREMISE, "The ferry brings the post once a month."],
            "projectId": PROJECT,
            "threshold": 0.9,
        },
        response={
            "results": [
                {
                    "duplicates": [
                        {
                            "nodeId": NODE_ID,
                            "similarity": 1.0,
                            "content": PREMISE,
                            "properties": {
                                "createdAt": "2025-01-15T10:30:00.000Z",
                                "department": "story",
                            },
                        }
                    ]
                },
                {"duplicates": []},
            ],
            "query_embedding_time_ms": 7,
            "search_time_ms": 12,
            "total_time_ms": 20,
        },
        shown='[len(result["duplicates"]) for result in answer["results"]]',
    ),
    ("post", "/api/v1/search/similarity"): Operation(
        id="compareTexts",
        tag="search",
        request={
            "projectId": PROJECT,
            "pairs": [
                {"a": PREMISE, "b": "For eleven years nobody but Ada has been near the lamp."},
                {"a": PREMISE, "b": RADIO},
            ],
        },
        response={
            "similarities": [0.702713, 0.164207],
            "model": "all-MiniLM-L6-v2-w8a8",
            "total_time_ms": 9,
        },
        shown='answer["similarities"]',
    ),
    ("get", "/api/v1/context/department"): Operation(
        id="getDepartmentContext",
        tag="context",
        request={
            "projectId": PROJECT,
            "department": "sound",
            "previousDepartments[]": ["story", "character"],
            "limit": 20,
        },
        response={
            "projectId": PROJECT,
            "targetDepartment": "sound",
            "context": {
                "story": {
                    "nodeCount": 1,
                    "qualityScore": 75.5,
                    "topNodes": [
                        {
                            "nodeId": NODE_ID,
                            "content": PREMISE,
                            "summary": "Ada and the lamp",
                            "relevance": 0.114203,
                        }
                    ],
                    "keyThemes": ["lighthouse", "lamp"],
                }
            },
            "aggregatedSummary": "Story (1 note) on lighthouse and lamp.",
            "relevantNodes": [
                {
                    "nodeId": NODE_ID,
                    "department": "story",
                    "content": PREMISE,
                    "relevanceToTarget": 0.114203,
                }
            ],
            "totalNodesAggregated": 1,
            "timing": {"query_time_ms": 22, "aggregation_time_ms": 3, "total_time_ms": 25},
        },
        shown='answer["aggregatedSummary"]',
    ),
    ("post", "/api/v1/analyze/coverage"): Operation(
        id="analyzeCoverage",
        tag="coverage",
        request={
            "projectId": PROJECT,
            "department": "story",
            "gatherItems": [
                {"id": NODE_ID, "content": PREMISE, "summary": "Ada and the lamp"},
                {"content": "Pacing: the first act breathes slowly, the storm cuts every scene short."},
            ],
            "departmentDescription": "Story Department handles narrative, plot structure, pacing and "
            "character arcs",
        },
        response={
            "department": "story",
            "coverageScore": 31.4,
            "analysis": {
                "coveredAspects": [
                    {
                        "aspect": "Pacing",
                        "coverage": 62.1,
                        "itemCount": 1,
                        "quality": "fair",
                        "items": ["item-1"],
                    }
                ],
                "gaps": [
                    {
                        "aspect": "Character Arcs",
                        "coverage": 12.0,
                        "itemCount": 1,
                        "severity": "high",
                        "suggestion": "Expand on character arcs: who changes, and what forces it.",
                    }
                ],
                "recommendations": ["Focus next iteration on character arcs - this is the biggest gap"],
            },
            "itemDistribution": {"pacing": 1, "character arcs": 1},
            "qualityMetrics": {"depth": 41.5, "breadth": 40.0, "coherence": 71.2, "actionability": 35.0},
            "timing": {"embedding_time_ms": 18, "analysis_time_ms": 2, "total_time_ms": 20},
        },
        shown='answer["coverageScore"], answer["analysis"]["recommendations"]',
    ),
}


def curl(method: str, path: str, operation: Operation) -> str:
    """Return the example's request as a shell command; the address and the key come from the environment."""
    url = f"$BRAIN_SERVICE_BASE_URL{path}"
    lines = ["curl -sS --fail-with-body"]
    if method == "get":
        url += f"?{_query(operation.request)}"
    lines += [f'"{url}"', '-H "Authorization: Bearer $BRAIN_SERVICE_API_KEY"']
    if method == "post":
        body = json.dumps(operation.request, indent=2, ensure_ascii=False)
        if "'" in body:
            raise ValueError("an apostrophe would end the shell's quotes")
        lines += ["-H 'Content-Type: application/json'", f"-d '{body}'"]
    return " \\\n  ".join(lines)


def python(method: str, path: str, operation: Operation) -> str:
    """Return the example's request as a Python program."""
    argument = "params" if method == "get" else "json"
    return "\n".join(
        (
            "import os",
            "",
            "import requests",
            "",
            f"request = {_literal(operation.request)}",
            f"response = requests.{method}(",
            f"""    f"{{os.environ['BRAIN_SERVICE_BASE_URL']}}{path}",""",
            """    headers={"Authorization": f"Bearer {os.environ['BRAIN_SERVICE_API_KEY']}"},""",
            f"    {argument}=request,",
            "    timeout=30,",
            ")",
            "response.raise_for_status()",
            "answer = response.json()",
            f"print({operation.shown})",
        )
    )


def _literal(value: Any, margin: str = "") -> str:
    """Return a value as Python, a line for each part."""
    inner = f"{margin}    "
    if isinstance(value, Mapping):
        parts = "".join(
            f"{inner}{json.dumps(name)}: {_literal(each, inner)},\n" for name, each in value.items()
        )
        return f"{{\n{parts}{margin}}}"
    if isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        return f"[\n{''.join(f'{inner}{_literal(each, inner)},' + chr(10) for each in value)}{margin}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value) if not isinstance(value, list) else f"[{', '.join(map(_literal, value))}]"


def _query(request: Mapping[str, Any]) -> str:
    pairs = [
        (name, each)
        for name, value in request.items()
        for each in (value if isinstance(value, list) else [value])
    ]
    return "&".join(f"{quote(name, safe='')}={quote(str(value), safe='')}" for name, value in pairs)
