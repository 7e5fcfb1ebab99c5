"""Reading departments from Payload: query, pages, retries, and answers that are wrong."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from gather_clients.backoff import Backoff
from gather_clients.cms_requests import PAGE_BYTES_MAX, CmsForm
from gather_operator.cms import cms_client as module
from gather_operator.errors import CmsUnavailable
from tests.support.application.payload_answers import document, page, read


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


async def test_a_key_that_was_replaced_is_sent_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so that the operator need not be started again."""
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path))
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return page(document("story", 1))

    (tmp_path / "PAYLOAD_API_KEY").write_text("later\n", encoding="utf-8")
    await read(respond, api_key="k")
    assert seen[0].headers["Authorization"] == "users API-Key later"


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
            r"HTTP 400 \(The following path cannot be queried: gatherCheck\)\. Its departments need",
            id="a field that this CMS does not have",
        ),
        pytest.param(
            httpx.Response(400, json={"errors": [{"message": "x" * 5000}]}),
            r"HTTP 400\. Its",
            id="too many words",
        ),
        pytest.param(
            httpx.Response(404, json={"errors": "none"}),
            r"HTTP 404\. NEXT_PUBLIC_APP_URL must be",
            id="other words",
        ),
        pytest.param(httpx.Response(200, text="[" * 200_000), "JSON", id="a tower of brackets"),
        pytest.param(
            httpx.Response(200, json={"errors": [{"message": "Not here"}]}),
            r"without a list of documents \(Not here\)",
            id="no documents",
        ),
        pytest.param(
            httpx.Response(500, json={"errors": [{"message": "Something went wrong."}]}),
            r"HTTP 500 \(Something went wrong\)\.$",
            id="a filter on a localized field",
        ),
        pytest.param(
            httpx.Response(302, headers={"Location": "/admin/login?redirect=%2Fapi"}),
            r"HTTP 302, to http://cms/admin/login\. Check PAYLOAD_API_KEY",
            id="a login page",
        ),
        pytest.param(
            httpx.Response(301, headers={"Location": "https://cms/api/departments?limit=100"}),
            r"HTTP 301, to https://cms/api/departments\. Set NEXT_PUBLIC_APP_URL \(appUrl\) to https://cms\.$",
            id="TLS alone",
        ),
        pytest.param(
            httpx.Response(308, headers={"Location": "https://www.cms.example:8443/api/departments/"}),
            r"Set NEXT_PUBLIC_APP_URL \(appUrl\) to https://www\.cms\.example:8443\.$",
            id="another host",
        ),
        pytest.param(
            httpx.Response(307, headers={"Location": "https://sso.example/start"}),
            r"to https://sso\.example/start\. NEXT_PUBLIC_APP_URL must be",
            id="a sign-on",
        ),
        pytest.param(httpx.Response(302), r"HTTP 302\. NEXT_PUBLIC_APP_URL", id="to nowhere"),
        pytest.param(
            httpx.Response(302, headers={"Location": "http://[:"}), "NEXT_PUBLIC_APP_URL", id="to nonsense"
        ),
        pytest.param(
            httpx.Response(302, headers={"Location": "javascript:alert(1)"}), "did not answer", id="to code"
        ),
        pytest.param(
            httpx.Response(200, text="<!DOCTYPE html><html>"),
            r"a web page instead of JSON\. NEXT_PUBLIC_APP_URL must be",
            id="a web page",
        ),
        pytest.param(httpx.Response(204), r"HTTP 204\.$", id="nothing"),
        pytest.param(httpx.Response(200, text=""), "something else instead of JSON", id="an empty body"),
        pytest.param(httpx.Response(200, json=[]), "list of documents", id="no object"),
        pytest.param(httpx.Response(200, json={"docs": {}}), "list of documents", id="no list"),
        pytest.param(httpx.Response(200, content=b" " * (PAGE_BYTES_MAX + 1)), "bytes", id="far too much"),
        pytest.param(
            httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip")),
            "not as its header Content-Encoding says: cannot be unpacked",
            id="badly packed",
        ),
        *(
            pytest.param(
                httpx.Response(200, headers={"Content-Encoding": kind}, stream=httpx.ByteStream(b"docs: []")),
                f"Content-Encoding says: {words}. Look at the proxy",
                id=f"{kind} over something else",
            )
            for kind, words in {
                "gzip": "cannot be unpacked",
                "deflate": "cannot be unpacked",
                "zstd": "cannot be unpacked",
                "br": "(cannot be unpacked|ends in the middle)",
                "gzip, gzip": "packed in a way that is not known",
            }.items()
        ),
    ],
)
async def test_wrong_answers_are_named(answer: httpx.Response, words: str) -> None:
    """The words end in the run's condition."""
    with pytest.raises(CmsUnavailable, match=words):
        await read(lambda _: answer)


@pytest.mark.parametrize("kind", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
async def test_an_answer_that_only_says_that_it_is_packed_is_read(kind: str) -> None:
    """A proxy unpacked it and left the header."""
    stream = httpx.ByteStream(b'{"docs": []}')
    answer = httpx.Response(200, headers={"Content-Encoding": kind}, stream=stream)
    assert not (await read(lambda _: answer)).departments


async def test_a_key_that_the_cms_repeats_is_not_shown() -> None:
    """A condition is read by everyone who may see the run."""
    answer = httpx.Response(401, json={"errors": [{"message": "unknown key s3cret"}]})
    with pytest.raises(CmsUnavailable) as raised:
        await read(lambda _: answer, api_key="s3cret")
    assert "s3cret" not in str(raised.value)


async def test_a_key_that_comes_back_in_a_broken_answer_is_not_shown() -> None:
    """The error quotes what came."""

    def respond(_: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("illegal header line: bytearray(b'Authorization s3cret')")

    with pytest.raises(CmsUnavailable, match="did not answer: RemoteProtocolError") as raised:
        await read(respond, api_key="s3cret")
    assert "s3cret" not in str(raised.value)


async def test_the_whole_reading_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """However the pages and attempts add up."""
    monkeypatch.setattr(module, "BACKOFF", Backoff(60, 60))
    with pytest.raises(CmsUnavailable, match="within"):
        await read(lambda _: httpx.Response(503), timeout_s=0.05)


async def test_an_application_that_wants_a_slash_at_the_end_gets_it() -> None:
    """Next.js with `trailingSlash` sends clients there; the key goes nowhere else by that."""
    asked: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if not request.url.path.endswith("/"):
            return httpx.Response(
                308, headers={"Location": f"{request.url.path}/?{request.url.query.decode()}"}
            )
        return page(document("a", 1))

    assert len((await read(respond)).departments) == 1
    assert asked == ["/api/departments", "/api/departments/"]


@pytest.mark.parametrize(
    ("status", "header", "after_s"),
    [(429, "7", 7), (503, "7", 7), (503, "86400", module.RETRY_AFTER_MAX_S), (503, "soon", None)],
)
async def test_a_cms_that_asks_to_be_left_alone_is(status: int, header: str, after_s: float | None) -> None:
    """One request, and the time goes to who asks again; a day is too long for a run."""
    asked: list[int] = []

    def respond(_: httpx.Request) -> httpx.Response:
        asked.append(1)
        return httpx.Response(status, headers={"Retry-After": header})

    with pytest.raises(CmsUnavailable) as raised:
        await read(respond)
    assert raised.value.retry_after_s == after_s
    assert len(asked) == (1 if after_s else module.ATTEMPTS)


async def test_cookies_are_not_kept() -> None:
    """The key alone says who asks."""
    seen: list[httpx.Headers] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        more = len(seen) == 1
        body = {"docs": [document(f"a{len(seen)}", 1)], "hasNextPage": more}
        return httpx.Response(200, json=body, headers={"Set-Cookie": "payload-token=x; Path=/"})

    await read(respond)
    assert len(seen) == 2
    assert "Cookie" not in seen[1]


async def test_a_fault_of_ours_is_an_answer_too(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run's condition says it, the log has the trace, and the pass goes on."""

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "read_documents", broken)
    with pytest.raises(CmsUnavailable, match=r"cannot be read \(ZeroDivisionError\)"):
        await read(lambda _: page())
    assert "ZeroDivisionError" in caplog.text
