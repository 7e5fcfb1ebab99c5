"""Whether a note of nobody's department treats one: the published figures, and the answer of the API."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.paths import ROOT
from gather_brain.embeddings.onnx_model import OnnxModel
from tests.evals.coverage import Vectors
from tests.evals.treatment import markdown_of, peoples_notes, report_on

DOCUMENT = ROOT / "docs" / "quality.md"
MARGIN = 0.08
"""Processors round differently: a case or two near a bound may fall on its other side."""


@pytest.mark.parametrize("half", [pytest.param("fit", marks=pytest.mark.long), "held_out"])
def test_the_published_figures_hold(embedding_model_dir: Path, half: str) -> None:
    """Better is fine, worse is not; precision is what keeps a score honest."""
    rows = [line.split("|") for line in DOCUMENT.read_text(encoding="utf-8").splitlines()]
    published = {
        row[1].strip(): (float(row[3]), float(row[5]))
        for row in rows
        if row[1:2] and row[1].strip().endswith(f"notes, {half}")
    }
    found = report_on(half, Vectors(OnnxModel(embedding_model_dir, None).embed))
    assert len(found) == 2
    for figures in found:
        precision, recall = published[f"{figures.name}, {half}"]
        assert figures.precision >= precision - MARGIN, markdown_of(half, figures)
        assert figures.recall >= recall - MARGIN, markdown_of(half, figures)


async def test_the_brain_names_them_only_if_it_is_asked(http: httpx.AsyncClient, project: str) -> None:
    """By id, and each by itself: the same alone as among others."""
    node = {"type": "GatherItem", "content": "Ada keeps the lamp.", "projectId": project}
    (await http.post("/api/v1/nodes/batch", json={"nodes": [node]})).raise_for_status()
    labelled = peoples_notes("fit")
    items = [{"id": f"n{place}", "content": text} for place, (_, text) in enumerate(labelled.notes)]

    async def treating(items: list[dict[str, str]], **more: Any) -> list[str]:
        body = {
            "projectId": project, "department": "sound", "gatherItems": items,
            "departmentDescription": labelled.descriptions["sound"], **more,
        }  # fmt: skip
        answer = (await http.post("/api/v1/analyze/coverage", json=body)).raise_for_status().json()
        found: list[str] = answer["analysis"]["treating"]
        return found

    assert await treating(items) == []
    among = await treating(items, findTreating=True)
    assert 1 <= len(among) < len(items) / 4
    assert await treating(items[::-1], findTreating=True) == among
    alone = [item["id"] for item in items if item["id"] in among[:1]]
    assert await treating([i for i in items if i["id"] in alone], findTreating=True) == alone
    assert await treating([], findTreating=True) == []
