"""The demo CMS answers Payload's queries truly."""

from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from gather_clients.cms_requests import CmsForm
from gather_contracts.departments import CmsDepartment
from gather_demo.cms.cms_api import DEPARTMENTS_FILE, build_app, read_departments
from gather_operator.cms.cms_client import Cms
from gather_operator.errors import CmsUnavailable

QUALIFYING = [
    "story", "character", "production-design", "cinematography", "sound", "editing", "production",
]  # fmt: skip
GATHER_QUERY = {
    "where[gatherCheck][equals]": "true",
    "where[isActive][equals]": "true",
    "sort": "codeDepNumber",
}


@pytest.fixture
def cms() -> TestClient:
    return TestClient(build_app(read_departments(DEPARTMENTS_FILE)))


def slugs(cms: TestClient, **parameters: str) -> list[str]:
    answer = cms.get("/api/departments", params=parameters)
    assert answer.status_code == 200, answer.text
    return [document["slug"] for document in answer.json()["docs"]]


def test_seven_of_at_least_nine_departments_take_part_in_order(cms: TestClient) -> None:
    """The query that Gather asks."""
    assert slugs(cms, **GATHER_QUERY) == QUALIFYING
    assert cms.get("/api/departments").json()["totalDocs"] >= 9


def test_the_file_s_own_order_is_not_that_of_code_dep_number(cms: TestClient) -> None:
    """A client that forgets to sort must see it."""
    unsorted = slugs(cms, **{k: v for k, v in GATHER_QUERY.items() if k != "sort"})
    assert sorted(unsorted) == sorted(QUALIFYING)
    assert unsorted != QUALIFYING


def test_every_document_is_what_gather_reads() -> None:
    """Names, slugs and thresholds keep to the contract."""
    for document in read_departments(DEPARTMENTS_FILE):
        CmsDepartment.model_validate(document)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param({"where[slug][equals]": "sound"}, {"sound"}, id="equals-text"),
        pytest.param({"where[codeDepNumber][equals]": "70"}, {"production"}, id="equals-number"),
        pytest.param({"where[isActive][equals]": "false"}, {"visual-effects", "archive"}, id="equals-false"),
        pytest.param({"where[gatherCheck][not_equals]": "true"}, {"marketing", "archive"}, id="not-equals"),
        pytest.param({"where[slug][in]": "story, sound"}, {"story", "sound"}, id="in"),
        pytest.param(
            {"where[performance.averageSeconds][exists]": "true"},
            {"story", "character", "sound"},
            id="exists-nested",
        ),
        pytest.param(
            {"where[coordinationSettings.requiresDepartmentHeadReview][equals]": "true"},
            {"story", "character"},
            id="equals-nested",
        ),
        pytest.param(
            {"where[coordinationSettings.maxRetries][equals]": "null"}, {"archive"}, id="never-filled"
        ),
        pytest.param(
            {"where[defaultModel][exists]": "false", "where[isActive][equals]": "true"},
            {"marketing", "production"},
            id="not-exists-and",
        ),
        pytest.param({"where[slug][equals]": "no-such"}, set(), id="nothing"),
    ],
)
def test_filters_are_evaluated(cms: TestClient, parameters: dict[str, str], expected: set[str]) -> None:
    """Each operator, on each kind of value."""
    assert set(slugs(cms, limit="0", **parameters)) == expected


def test_a_minus_sorts_downwards(cms: TestClient) -> None:
    """`sort=-codeDepNumber`."""
    assert slugs(cms, **(GATHER_QUERY | {"sort": "-codeDepNumber"})) == QUALIFYING[::-1]


def page(cms: TestClient, **parameters: str) -> dict[str, Any]:
    body: dict[str, Any] = cms.get("/api/departments", params=GATHER_QUERY | parameters).json()
    return body


def test_pages_cover_everything_once(cms: TestClient) -> None:
    """Three pages of three, three and one."""
    pages = [page(cms, limit="3", page=str(n)) for n in (1, 2, 3)]
    assert [d["slug"] for body in pages for d in body["docs"]] == QUALIFYING
    assert [b["pagingCounter"] for b in pages] == [1, 4, 7]
    assert [(b["hasPrevPage"], b["hasNextPage"]) for b in pages] == [
        (False, True), (True, True), (True, False),
    ]  # fmt: skip
    assert [(b["prevPage"], b["nextPage"]) for b in pages] == [(None, 2), (1, 3), (2, None)]
    assert {(b["totalDocs"], b["totalPages"], b["limit"]) for b in pages} == {(7, 3, 3)}


@pytest.mark.parametrize(("limit", "count"), [("0", 7), ("1000", 7), ("3", 3)])
def test_without_paging_there_is_one_page(cms: TestClient, limit: str, count: int) -> None:
    """`pagination=false`: the limit still holds, and nothing is counted."""
    body = page(cms, limit=limit, pagination="false")
    assert [d["slug"] for d in body["docs"]] == QUALIFYING[:count]
    assert (body["totalDocs"], body["totalPages"], body["hasNextPage"]) == (count, 1, False)


@pytest.mark.parametrize("form", [CmsForm(), CmsForm("Bearer", 10, False), CmsForm(limit=1000)], ids=str)
async def test_the_operator_reads_it_in_every_form(form: CmsForm) -> None:
    """All qualifying departments, in order, with none left out."""
    app = build_app(read_departments(DEPARTMENTS_FILE))
    client = Cms("http://cms", "key", 10, form, httpx.ASGITransport(app))
    try:
        reading = await client.departments()
    finally:
        await client.close()
    assert [d.slug for d in reading.departments] == QUALIFYING
    assert (reading.malformed, reading.is_cut) == ((), False)


@pytest.mark.parametrize("authorization", ["users API-Key k3y", "Bearer k3y"])
def test_both_forms_of_the_key_are_taken(authorization: str) -> None:
    """Payload's own, and that of the application's older client."""
    cms = TestClient(build_app(read_departments(DEPARTMENTS_FILE), "k3y"))
    answer = cms.get("/api/departments", params=GATHER_QUERY, headers={"Authorization": authorization})
    assert [d["slug"] for d in answer.json()["docs"]] == QUALIFYING


@pytest.mark.parametrize(
    "authorization",
    ["users API-Key wrong", "Bearer wrong", "users API-key k3y", "bearer k3y", "k3y", "", "Bearer kéy", None],
)
@pytest.mark.parametrize("path", ["/api/departments", "/api/departments/65d0000000000000000000a1"])
def test_another_key_is_refused_as_payload_refuses_it(path: str, authorization: str | None) -> None:
    """It takes the caller for nobody, and says that nobody may read."""
    cms = TestClient(build_app(read_departments(DEPARTMENTS_FILE), "k3y"))
    headers = [] if authorization is None else [(b"Authorization", authorization.encode())]
    answer = cms.get(path, headers=headers)
    assert answer.status_code == 403
    assert answer.json() == {"errors": [{"message": "You are not allowed to perform this action."}]}


@pytest.mark.parametrize("authorization", ["users API-Key", "Bearer"])
async def test_the_operator_is_let_in_with_its_key_alone(authorization: str) -> None:
    """In either form; a wrong key is named with the settings to look at."""
    app = build_app(read_departments(DEPARTMENTS_FILE), "k3y")
    for key, refusal in (("k3y", None), ("wrong", "PAYLOAD_API_KEY and GATHER_CMS_AUTHORIZATION")):
        client = Cms("http://cms", key, 10, CmsForm(authorization), httpx.ASGITransport(app))
        try:
            if refusal is None:
                assert len((await client.departments()).departments) == len(QUALIFYING)
                continue
            with pytest.raises(CmsUnavailable, match=refusal):
                await client.departments()
        finally:
            await client.close()


def test_a_page_behind_the_last_is_empty(cms: TestClient) -> None:
    """As Payload answers it: no error, no documents."""
    assert page(cms, limit="3", page="9")["docs"] == []


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"where[nope][equals]": "1"}, "nope"),
        ({"where[slug][resembles]": "1"}, "resembles"),
        ({"sort": "nope"}, "nope"),
        ({"limit": "-1"}, "limit"),
        ({"page": "0"}, "page"),
        ({"filter": "x"}, "filter"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    cms: TestClient, parameters: dict[str, str], named: str
) -> None:
    """A filter that is silently ignored would let a wrong query look right."""
    answer = cms.get("/api/departments", params=parameters)
    assert answer.status_code == 400
    assert named in answer.json()["errors"][0]["message"]


def test_it_goes_down_and_comes_back_when_told(cms: TestClient) -> None:
    """The switch that tests use."""
    cms.post("/demo/behaviour", json={"down": True}).raise_for_status()
    assert cms.get("/api/departments").status_code == 503
    cms.post("/demo/behaviour", json={}).raise_for_status()
    assert cms.get("/api/departments").status_code == 200
    assert cms.post("/demo/behaviour", json={"delay_s": -1}).status_code == 422


def test_it_says_that_it_is_a_demo(cms: TestClient) -> None:
    """Nobody should take it for a CMS."""
    assert "not for production" in cms.get("/healthz").json()["service"]
