"""What users of Payload have met at its REST API, each as a whole answer."""

from typing import Any

import httpx
import pytest

from gather_clients.cms_requests import CmsForm
from gather_operator.decisions.facts import CmsReading
from gather_operator.errors import CmsUnavailable
from tests.support.application import payload_answers as answers

KEY = "0190c8f0-key"


def document(slug: str, number: int, **fields: Any) -> dict[str, Any]:
    return answers.document(slug, number, updatedAt="2026-01-01T00:00:00.000Z", **{"id": number, **fields})


def envelope(docs: list[Any], **fields: Any) -> dict[str, Any]:
    """Payload's answer on one page, all its fields filled."""
    return {
        "docs": docs, "totalDocs": len(docs), "limit": 100, "totalPages": 1, "page": 1, "pagingCounter": 1,
        "hasPrevPage": False, "hasNextPage": False, "prevPage": None, "nextPage": None, **fields,
    }  # fmt: skip


async def ask(*given: tuple[int, Any], form: CmsForm | None = None) -> tuple[CmsReading, list[httpx.Request]]:
    """Read a CMS that gives these answers one after the other, and the last one over and over."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        status, body = given[min(len(seen), len(given)) - 1]
        return httpx.Response(status, json=body)

    return await answers.read(respond, KEY, form=form), seen


async def test_documents_of_one_number_come_on_two_pages_or_on_none() -> None:
    """The sort has ties, so each page is cut from another order; the total stays right."""
    a, b, c, d = (document(slug, 10, id=place) for place, slug in enumerate("abcd"))
    first = envelope([a, b], totalDocs=4, limit=2, totalPages=2, hasNextPage=True, nextPage=2)
    second = envelope([b, a], totalDocs=4, limit=2, totalPages=2, page=2, pagingCounter=3, hasPrevPage=True)
    reading, seen = await ask((200, first), (200, second), (200, envelope([d, c, b, a])))
    assert sorted(department.slug for department in reading.departments) == ["a", "b", "c", "d"]
    assert not reading.is_cut
    assert [request.url.params["limit"] for request in seen] == ["100", "100", "1000"]


@pytest.mark.parametrize("total", [7, 0, None, "7"])
async def test_a_total_that_is_wrong_costs_one_request_and_no_department(total: Any) -> None:
    """Some plugins count double; without paging nothing is counted."""
    reading, seen = await ask((200, envelope([document("a", 1)], totalDocs=total)))
    assert [department.slug for department in reading.departments] == ["a"]
    assert reading.is_cut is (total in {7, "7"})
    assert len(seen) <= 2


@pytest.mark.parametrize("limit", [0, 1, 100, None])
async def test_without_paging_the_limit_is_heeded_by_some_versions_and_not_by_others(
    limit: int | None,
) -> None:
    """All that came is read, and a full answer is called possibly cut."""
    docs = [document("a", 1), document("b", 2)]
    answer = envelope(docs, limit=limit, totalPages=None, pagingCounter=None)
    reading, _ = await ask((200, answer), form=CmsForm(limit=100, is_paged=False))
    assert [department.slug for department in reading.departments] == ["a", "b"]
    assert not reading.is_cut


async def test_all_languages_come_at_once() -> None:
    """And relations stay ids then, whatever depth was asked for: no model's name, so the default is used."""
    localised = document(
        "story",
        1,
        name={"de": "Handlung", "en": "Story"},
        description={"de": {"root": {"children": [{"children": [{"text": "Alles"}]}]}}, "en": None},
        defaultModel={"de": 3, "en": 3},
    )
    reading, _ = await ask((200, envelope([localised])))
    (department,) = reading.departments
    assert (department.name, department.description, department.default_model) == ("Story", "Alles", None)
    assert reading.defaulted == ("story (defaultModel)",)


async def test_ids_on_sql_are_numbers_and_so_are_relations() -> None:
    """A number is no model's name; asking for it would cost the run."""
    reading, _ = await ask((200, envelope([document("story", 1, id=51, defaultModel=7, icon=12)])))
    assert [(d.id, d.default_model) for d in reading.departments] == [("51", None)]
    assert reading.defaulted == ("story (defaultModel)",)


async def test_a_relation_to_what_is_not_published_is_null() -> None:
    """As one that was never filled."""
    reading, _ = await ask((200, envelope([document("story", 1, defaultModel=None, icon=None)])))
    assert [(d.slug, d.default_model) for d in reading.departments] == [("story", None)]
    assert reading.defaulted == ()


async def test_a_document_that_was_never_published_comes_beside_the_others() -> None:
    """Without drafts in the query too; it is named, and costs nothing."""
    docs = [document("story", 1, _status="published"), document("world", 2, _status="draft")]
    reading, _ = await ask((200, envelope(docs)))
    assert [department.slug for department in reading.departments] == ["story"]
    assert reading.drafts == ("world",)


async def test_a_key_of_another_collection_is_refused_in_payload_s_words() -> None:
    """The prefix of the header has to name the collection that the key belongs to."""
    refusal = {"errors": [{"message": "You are not allowed to perform this action."}]}
    with pytest.raises(
        CmsUnavailable, match=r"perform this action\)\. Check PAYLOAD_API_KEY and GATHER_CMS_AUTH"
    ):
        await ask((403, refusal))


async def test_a_fault_within_the_cms_is_said_in_its_words() -> None:
    """As of a filter that its version cannot do on a localized field; asked again, it stays."""
    fault = {"errors": [{"message": "Something went wrong."}]}
    with pytest.raises(CmsUnavailable, match=r"HTTP 500 \(Something went wrong\)\.$"):
        await ask((500, fault))


async def test_a_field_that_cannot_be_queried_is_named() -> None:
    """A collection without `gatherCheck`, or one whose field this key may not read."""
    refusal = {"errors": [{"name": "QueryError", "data": [{"path": "gatherCheck"}],
                           "message": "The following path cannot be queried: gatherCheck"}]}  # fmt: skip
    with pytest.raises(
        CmsUnavailable, match=r"cannot be queried: gatherCheck\)\. Its departments need the fields"
    ):
        await ask((400, refusal))
