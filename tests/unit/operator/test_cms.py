"""Reading departments from Payload: query, pages, retries, and answers that are wrong."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gather_clients.backoff import Backoff
from gather_clients.cms_requests import PAGE_BYTES_MAX, CmsForm
from gather_operator import cms as module
from gather_operator.cms import Cms
from gather_operator.errors import CmsUnavailable

Respond = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once."""
    monkeypatch.setattr(module, "BACKOFF", Backoff(0, 0))


def document(slug: str, number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": slug, "slug": slug, "name": slug.title(), "codeDepNumber": number,
        "gatherCheck": True, "isActive": True, **fields,
    }  # fmt: skip


def page(*documents: dict[str, Any], following: int | None = None) -> httpx.Response:
    body = {"docs": list(documents), "hasNextPage": following is not None, "nextPage": following}
    return httpx.Response(200, json=body)


async def read(
    respond: Respond, api_key: str | None = None, timeout_s: float = 5, form: CmsForm | None = None
) -> Any:
    def streamed(request: httpx.Request) -> httpx.Response:
        """As from a network: a response made with its body counts as read already."""
        answer = respond(request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=answer.stream)

    cms = Cms("http://cms/", api_key, timeout_s, form, httpx.MockTransport(streamed))
    try:
        return await cms.departments()
    finally:
        await cms.close()


async def test_the_query_is_the_one_that_payload_understands() -> None:
    """Filters, sorting and paging, as the requirements name them."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return page(document("story", 1))

    await read(respond, api_key="k")
    assert seen[0].url.path == "/api/departments"
    parameters = dict(seen[0].url.params)
    assert parameters["where[gatherCheck][equals]"] == "true"
    assert parameters["where[isActive][equals]"] == "true"
    assert parameters["sort"] == "codeDepNumber"
    assert seen[0].headers["Authorization"] == "users API-Key k"


async def test_without_a_key_no_authorization_is_sent() -> None:
    """The CMS may be open inside the cluster."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return page()

    await read(respond)
    assert "Authorization" not in seen[0].headers


@pytest.mark.parametrize("authorization", ["users API-Key", "Bearer", "service-accounts API-Key"])
async def test_the_key_is_sent_as_the_cms_wants_it(authorization: str) -> None:
    """Payload's own form names the collection that the key belongs to."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return page()

    await read(respond, api_key="k", form=CmsForm(authorization=authorization))
    assert seen[0].headers["Authorization"] == f"{authorization} k"


async def test_the_page_s_size_can_be_set() -> None:
    """The application's own client asks for a thousand."""
    seen: list[httpx.QueryParams] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.params)
        return page(document("a", 1), following=2 if len(seen) == 1 else None)

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

    await read(respond)
    assert asked == ["1"]

    def endless(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["page"])
        return page(following=int(request.url.params["page"]) + 1)

    asked.clear()
    assert (await read(endless)).is_cut
    assert len(asked) == module.PAGES_MAX


@pytest.mark.parametrize(
    "trouble",
    [httpx.Response(503), httpx.Response(429), httpx.ConnectError("refused"), httpx.ReadTimeout("slow")],
    ids=["503", "429", "refused", "slow"],
)
async def test_passing_trouble_is_tried_again(trouble: httpx.Response | Exception) -> None:
    """Twice, within one reading."""
    answers: list[Any] = [trouble, trouble, page(document("a", 1))]

    def respond(_: httpx.Request) -> httpx.Response:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    assert len((await read(respond)).departments) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(httpx.Response(503), "HTTP 503", id="down for good"),
        pytest.param(httpx.Response(401), r"HTTP 401\. Check PAYLOAD_API_KEY", id="no right"),
        pytest.param(
            httpx.Response(
                403, json={"errors": [{"message": "You are not allowed to perform this action."}]}
            ),
            r"HTTP 403 \(You are not allowed to perform this action\)\. Check PAYLOAD_API_KEY",
            id="no right, in Payload's words",
        ),
        pytest.param(
            httpx.Response(
                400, json={"errors": [{"message": "The following path cannot be queried:\n gatherCheck"}]}
            ),
            r"HTTP 400 \(The following path cannot be queried: gatherCheck\)\.$",
            id="a field that this CMS does not have",
        ),
        pytest.param(
            httpx.Response(400, json={"errors": [{"message": "x" * 5000}]}),
            r"HTTP 400\.$",
            id="too many words",
        ),
        pytest.param(httpx.Response(404, json={"errors": "none"}), r"HTTP 404\.$", id="other words"),
        pytest.param(httpx.Response(200, text="[" * 200_000), "JSON", id="a tower of brackets"),
        pytest.param(
            httpx.Response(200, json={"errors": [{"message": "x"}]}), "list of documents", id="no documents"
        ),
        pytest.param(httpx.Response(302, headers={"Location": "/login"}), "HTTP 302", id="a login page"),
        pytest.param(httpx.Response(200, text="<html>"), "JSON", id="not JSON"),
        pytest.param(httpx.Response(200, json=[]), "list of documents", id="no object"),
        pytest.param(httpx.Response(200, json={"docs": {}}), "list of documents", id="no list"),
        pytest.param(httpx.Response(200, content=b" " * (PAGE_BYTES_MAX + 1)), "bytes", id="far too much"),
        pytest.param(
            httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip")),
            "unpacked",
            id="badly packed",
        ),
    ],
)
async def test_wrong_answers_are_named(answer: httpx.Response, words: str) -> None:
    """The words end in the run's condition."""
    with pytest.raises(CmsUnavailable, match=words):
        await read(lambda _: answer)


async def test_a_key_that_the_cms_repeats_is_not_shown() -> None:
    """A condition is read by everyone who may see the run."""
    answer = httpx.Response(401, json={"errors": [{"message": "unknown key s3cret"}]})
    with pytest.raises(CmsUnavailable) as raised:
        await read(lambda _: answer, api_key="s3cret")
    assert "s3cret" not in str(raised.value)


async def test_the_whole_reading_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """However the pages and attempts add up."""
    monkeypatch.setattr(module, "BACKOFF", Backoff(60, 60))
    with pytest.raises(CmsUnavailable, match="within"):
        await read(lambda _: httpx.Response(503), timeout_s=0.05)
