"""Calls every operation with the generated client, and says in a line each what was answered."""

import os
from typing import TypeVar

from brain_client import AuthenticatedClient
from brain_client.api.context import get_department_context
from brain_client.api.coverage import analyze_coverage
from brain_client.api.nodes import create_nodes, delete_nodes, get_node, list_nodes
from brain_client.api.projects import erase_project, read_limits
from brain_client.api.search import compare_texts, find_duplicates, find_duplicates_batch
from brain_client.models import (
    BatchRequest,
    CoverageItem,
    CoverageRequest,
    DuplicatesBatchRequest,
    DuplicatesRequest,
    ErrorBody,
    ListNodesInclude,
    NodeIn,
    NodeProperties,
    SimilarityPair,
    SimilarityRequest,
)

Answer = TypeVar("Answer")
FIRST = "Full text content for embedding generation"
SECOND = "Another gather item content"
URL = os.environ["BRAIN_URL"]
PROJECT = os.environ["BRAIN_PROJECT"]


def done(answer: Answer | ErrorBody | None) -> Answer:
    """Return the answer, or end if it is an error's."""
    if answer is None or isinstance(answer, ErrorBody):
        raise SystemExit(f"refused: {answer}")
    return answer


def node(content: str, properties: dict[str, bool | float | int | list[str] | str | None]) -> NodeIn:
    """Return a node as the requirements have it."""
    made = NodeProperties()
    made.additional_properties = properties
    return NodeIn(type_="GatherItem", content=content, project_id=PROJECT, properties=made)


def main() -> None:
    """Call the operations one after the other."""
    brain = AuthenticatedClient(base_url=URL, token=os.environ["BRAIN_KEY"])
    first = node(
        FIRST,
        {
            "department": "story",
            "departmentName": "Story Department",
            "isAutomated": True,
            "iteration": 5,
            "qualityScore": 75.5,
            "model": "anthropic/claude-sonnet-4.5",
            "taskId": "celery-task-123",
            "summary": "Brief summary text",
            "context": "Why this matters",
        },
    )
    second = node(SECOND, {"department": "character", "isAutomated": True})
    created = done(create_nodes.sync(client=brain, body=BatchRequest(nodes=[first, second])))
    print("createNodes:", created.created, created.nodes[0].properties["qualityScore"])
    ids = created.node_ids

    page = done(list_nodes.sync(client=brain, project_id=PROJECT, include=ListNodesInclude.CONTENT))
    print("listNodes:", len(page.nodes))
    print("getNode:", done(get_node.sync(ids[1], client=brain, project_id=PROJECT)).content)

    least = DuplicatesRequest(project_id=PROJECT, content=FIRST)
    full = DuplicatesRequest(
        project_id=PROJECT,
        content=FIRST,
        threshold=0.90,
        limit=10,
        type_="GatherItem",
        department="story",
        exclude_node_ids=[ids[0]],
    )
    found = [len(done(find_duplicates.sync(client=brain, body=each)).duplicates) for each in (least, full)]
    print("findDuplicates:", *found)
    batch = DuplicatesBatchRequest(project_id=PROJECT, contents=[FIRST, SECOND])
    results = done(find_duplicates_batch.sync(client=brain, body=batch)).results
    print("findDuplicatesBatch:", *(len(each.duplicates) for each in results))
    pairs = SimilarityRequest(project_id=PROJECT, pairs=[SimilarityPair(a=FIRST, b=FIRST)])
    print("compareTexts:", len(done(compare_texts.sync(client=brain, body=pairs)).similarities))

    context = done(
        get_department_context.sync(
            client=brain,
            project_id=PROJECT,
            department="character",
            previous_departments=["story", "visual"],
            limit=20,
        )
    ).context.additional_properties
    print("getDepartmentContext:", context["story"].node_count, context["visual"].node_count)

    coverage = CoverageRequest(
        project_id=PROJECT,
        department="story",
        gather_items=[
            CoverageItem(content="Plot overview: The story follows...", summary="Plot structure"),
            CoverageItem(content="Character relationships: The protagonist has..."),
        ],
    )
    print("analyzeCoverage:", done(analyze_coverage.sync(client=brain, body=coverage)).department)
    print("readLimits:", done(read_limits.sync(client=brain, project_id=PROJECT)).project_id)

    gone = done(delete_nodes.sync(client=brain, project_id=PROJECT, ids=[ids[0], "unknown"]))
    print("deleteNodes:", gone.deleted, gone.not_found)
    print("eraseProject:", done(erase_project.sync(PROJECT, client=brain, confirm=PROJECT)).deleted)

    stranger = AuthenticatedClient(base_url=URL, token="unknown")  # noqa: S106 - none
    refused = read_limits.sync(client=stranger, project_id=PROJECT)
    print("refused:", refused.error if isinstance(refused, ErrorBody) else refused)


if __name__ == "__main__":
    main()
