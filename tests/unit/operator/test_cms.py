"""Reading departments from Payload: query, pages, retries, and answers that are wrong."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gather_clients.backoff import Backoff
from gather_operator import cms as module
from gather_operator.cms import Cms, read_documents
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


async def read(respond: Respond, api_key: str | None = None, timeout_s: float = 5) -> Any:
    def streamed(request: httpx.Request) -> httpx.Response:
        """As from a network: a response made with its body counts as read already."""
        answer = respond(request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=answer.stream)

    cms = Cms("http://cms/", api_key, timeout_s, httpx.MockTransport(streamed))
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
    await read(endless)
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
        pytest.param(httpx.Response(401), "HTTP 401", id="no right"),
        pytest.param(httpx.Response(302, headers={"Location": "/login"}), "HTTP 302", id="a login page"),
        pytest.param(httpx.Response(200, text="<html>"), "JSON", id="not JSON"),
        pytest.param(httpx.Response(200, json=[]), "list of documents", id="no object"),
        pytest.param(httpx.Response(200, json={"docs": {}}), "list of documents", id="no list"),
        pytest.param(
            httpx.Response(200, content=b" " * (module.PAGE_BYTES_MAX + 1)), "bytes", id="far too much"
        ),
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


async def test_the_whole_reading_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """However the pages and attempts add up."""
    monkeypatch.setattr(module, "BACKOFF", Backoff(60, 60))
    with pytest.raises(CmsUnavailable, match="within"):
        await read(lambda _: httpx.Response(503), timeout_s=0.05)


def test_nulls_are_fields_that_were_never_filled() -> None:
    """Payload writes null; the model has defaults."""
    reading = read_documents(
        [document("a", 1, description=None, defaultModel=None, coordinationSettings=None)]
    )
    (department,) = reading.departments
    assert (department.description, department.default_model) == ("", None)


@pytest.mark.parametrize("field", ["gatherCheck", "isActive"])
@pytest.mark.parametrize("value", [False, None])
def test_departments_that_nobody_ticked_are_left_out(field: str, value: bool | None) -> None:
    """Even if the CMS's filter did not work: they would cost money."""
    assert read_documents([document("a", 1, **{field: value})]).departments == ()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        pytest.param(document("Bad Slug", 1), "Bad Slug (slug)", id="slug"),
        pytest.param(document("a", "x"), "a (codeDepNumber)", id="number"),  # type: ignore[arg-type]
        pytest.param({"gatherCheck": True}, "document 1 (id)", id="nothing to name it by"),
        pytest.param("text", "document 1 (document)", id="not an object"),
        pytest.param(
            document("a", 1, coordinationSettings={"qualityThreshold": 101}),
            "a (coordinationSettings.qualityThreshold)",
            id="threshold",
        ),
    ],
)
def test_malformed_documents_are_named_with_their_field(wrong: Any, named: str) -> None:
    """And the others are worked on."""
    reading = read_documents([wrong, document("good", 2)])
    assert reading.malformed == (named,)
    assert [d.slug for d in reading.departments] == ["good"]


def test_only_some_of_many_malformed_documents_are_named() -> None:
    """A condition holds 256 characters."""
    reading = read_documents([json.loads("{}")] * 20)
    assert len(reading.malformed) == module.MALFORMED_MAX + 1
    assert reading.malformed[-1] == "12 more"
