"""Reading departments page by page: where they end, overlap, fall short or never end."""

from typing import Any

import httpx
import pytest

from gather_clients.cms_requests import CmsForm
from gather_operator.cms import cms_client as module
from tests.support.application.payload_answers import document, page, read


async def test_the_page_s_size_can_be_set() -> None:
    """The application's own client asks for a thousand."""
    seen: list[httpx.QueryParams] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.params)
        return page(document(f"a{len(seen)}", 1), following=2 if len(seen) == 1 else None)

    reading = await read(respond, form=CmsForm(limit=1000))
    assert [(p["limit"], p["page"], "pagination" in p) for p in seen] == [
        ("1000", "1", False), ("1000", "2", False),
    ]  # fmt: skip
    assert len(reading.departments) == 2


@pytest.mark.parametrize(
    ("limit", "following", "is_cut"),
    [
        pytest.param(50, None, False, id="all of them"),
        pytest.param(50, 2, True, id="the CMS pages all the same"),
        pytest.param(2, None, True, id="as many as were asked for"),
    ],
)
async def test_without_paging_one_answer_is_read(
    caplog: pytest.LogCaptureFixture, limit: int, following: int | None, is_cut: bool
) -> None:
    """And it is said if that may not have been all."""
    seen: list[httpx.QueryParams] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.params)
        return page(document("a", 1), document("b", 2), following=following)

    reading = await read(respond, form=CmsForm(limit=limit, is_paged=False))
    (parameters,) = seen
    assert (parameters["limit"], parameters["pagination"]) == (str(limit), "false")
    assert "page" not in parameters
    assert [d.slug for d in reading.departments] == ["a", "b"]
    assert reading.is_cut is is_cut
    assert ("more departments than were read" in caplog.text) is is_cut


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"hasNextPage": True, "nextPage": 2}, id="MongoDB"),
        pytest.param({"hasNextPage": True, "nextPage": "2"}, id="a number as text"),
        pytest.param({"hasNextPage": True, "nextPage": None}, id="no number"),
        pytest.param({"hasNextPage": True, "nextPage": "next"}, id="a word"),
        pytest.param({"hasNextPage": True, "nextPage": "/api/departments?page=2"}, id="an address"),
        pytest.param({"hasNextPage": True, "nextPage": 7}, id="too far"),
        pytest.param({"hasNextPage": True, "nextPage": 1}, id="back"),
        pytest.param({"hasNextPage": "true", "nextPage": [2]}, id="truth as text"),
        pytest.param({"nextPage": 2}, id="only the next page"),
        pytest.param({"totalPages": "2"}, id="only how many pages there are, as text"),
        pytest.param({"totalPages": 2, "page": 1, "totalDocs": 2}, id="only how many pages there are"),
    ],
)
async def test_the_next_page_is_found_however_it_is_named(metadata: dict[str, Any]) -> None:
    """Versions and proxies differ in what stands beside `docs`."""
    last = {"docs": [document("b", 2)], "totalPages": 2, "page": 2, "hasNextPage": False, "nextPage": None}
    bodies = {"1": {"docs": [document("a", 1)], **metadata}, "2": last}
    reading = await read(lambda request: httpx.Response(200, json=bodies[request.url.params["page"]]))
    assert [d.slug for d in reading.departments] == ["a", "b"]
    assert not reading.is_cut


async def test_an_answer_without_metadata_is_all_there_is() -> None:
    """As with `pagination=false` in some versions."""
    asked: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["page"])
        return httpx.Response(200, json={"docs": [document("a", 1)]})

    assert [d.slug for d in (await read(respond)).departments] == ["a"]
    assert asked == ["1"]


async def test_all_pages_are_read() -> None:
    """Payload gives ten a page by default, a hundred here."""
    pages = {"1": page(document("a", 1), following=2), "2": page(document("b", 2))}
    reading = await read(lambda request: pages[request.url.params["page"]])
    assert [d.slug for d in reading.departments] == ["a", "b"]


async def test_a_cms_that_never_ends_its_pages_is_left_after_a_bound() -> None:
    """A wrong `nextPage` must not hang a run."""
    asked: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["page"])
        return page(document("a", 1), following=1)

    assert (await read(respond)).is_cut
    assert asked == ["1", "2", "1"]

    def endless(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["page"])
        return page(following=int(request.url.params["page"]) + 1)

    asked.clear()
    assert (await read(endless)).is_cut
    assert len(asked) == module.PAGES_MAX + 1


class Pages:
    """A CMS that answers page by page, and says how many documents there are."""

    def __init__(
        self, *pages: list[dict[str, Any]], all_at_once: list[dict[str, Any]] | int, total: Any
    ) -> None:
        self.pages, self.all_at_once, self.total = pages, all_at_once, total
        self.limits: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.limits.append(request.url.params["limit"])
        if request.url.params["limit"] == str(module.ONE_PAGE_LIMIT):
            if isinstance(self.all_at_once, int):
                return httpx.Response(self.all_at_once)
            return httpx.Response(200, json={"docs": self.all_at_once, "hasNextPage": False})
        number = int(request.url.params["page"])
        docs, more = self.pages[number - 1], number < len(self.pages)
        return httpx.Response(200, json={"docs": docs, "totalDocs": self.total, "hasNextPage": more})


A, B, C = (document(slug, 1) for slug in "abc")


@pytest.mark.parametrize(
    ("cms", "slugs", "is_cut", "requests"),
    [
        pytest.param(Pages([A, B], [C], all_at_once=[], total=3), "abc", False, 2, id="as they should be"),
        pytest.param(Pages([A, B], [B], all_at_once=[A, B, C], total=3), "abc", False, 3, id="moved on"),
        pytest.param(Pages([A], [C], all_at_once=[A, B, C], total=3), "abc", False, 3, id="moved back"),
        pytest.param(Pages([A, B], [B], all_at_once=[A, B], total=2), "ab", False, 3, id="repeated only"),
        pytest.param(Pages([A], all_at_once=[A], total=2), "a", True, 2, id="never all"),
        pytest.param(Pages([A], [A], all_at_once=400, total=2), "a", True, 3, id="not at once"),
        pytest.param(Pages([A], all_at_once=[], total=None), "a", False, 1, id="without a count"),
        pytest.param(Pages([A], all_at_once=[], total="many"), "a", False, 1, id="a count that is none"),
        pytest.param(Pages([A, A], all_at_once=[A], total=1), "a", False, 2, id="twice on one page"),
    ],
)
async def test_pages_that_overlap_or_fall_short_are_asked_for_once_more_at_once(
    cms: Pages, slugs: str, is_cut: bool, requests: int
) -> None:
    """Payload sorts documents of the same number anew for each page, and people edit between two requests."""
    reading = await read(cms)
    assert "".join(sorted(d.slug for d in reading.departments)) == slugs
    assert reading.is_cut is is_cut
    assert len(cms.limits) == requests


async def test_documents_of_one_slug_are_told_apart_by_their_ids() -> None:
    """A slug that was given twice is named in the run's condition; a document that comes twice is not."""
    reading = await read(
        lambda _: page(document("a", 1, id=1), document("a", 2, id=2), document("a", 1, id=1))
    )
    assert [d.code_dep_number for d in reading.departments] == [1, 2]


async def test_a_flood_of_documents_is_cut() -> None:
    """They are looked at in the operator's only thread."""
    reading = await read(lambda _: httpx.Response(200, json={"docs": [0] * 100_000}))
    assert len(reading.malformed) == module.DOCUMENTS_MAX
    assert reading.is_cut
