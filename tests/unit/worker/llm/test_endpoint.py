"""One request: where it goes, what it holds, and that no answer takes more than its share of memory."""

import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import brotli  # type: ignore[import-untyped]
import httpx
import pytest
from backports import zstd

from gather_worker.errors import InvalidInput, ModelRejected, ModelTransient
from gather_worker.llm.access.model_client import Access, new_client
from gather_worker.llm.endpoint import BODY_MAX_BYTES, REFUSAL_MAX_BYTES, Endpoint
from gather_worker.llm.request_form import first_form
from tests.support.scripted_model import VERDICT, client_of, reply

NewModel = Callable[..., Any]
SCHEMA = {"name": "judge", "strict": True, "schema": {"type": "object"}}
MESSAGES = [{"role": "user", "content": "écris"}]


async def asked(endpoint: Endpoint) -> Any:
    """Return the body that the endpoint answers."""
    form = first_form(is_openrouter=endpoint.is_openrouter)
    return await endpoint.complete(form.body("m/x", MESSAGES, SCHEMA, 100), 30)


def packed(content: bytes, encoding: str = "gzip") -> httpx.Response:
    """Return an answer in that encoding."""
    return httpx.Response(200, stream=httpx.ByteStream(content), headers={"Content-Encoding": encoding})


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("http://m.test/v1", "http://m.test/v1/chat/completions"),
        ("http://m.test/v1/", "http://m.test/v1/chat/completions"),
        ("https://m.test/api/v1", "https://m.test/api/v1/chat/completions"),
        ("http://m.test:8080", "http://m.test:8080/chat/completions"),
        ("http://m.test/v1/chat/completions", "http://m.test/v1/chat/completions"),
        ("http://m.test/a%2Fb/v1", "http://m.test/a%2Fb/v1/chat/completions"),
        (
            "http://m.test/v1?api-version=2024-10-21",
            "http://m.test/v1/chat/completions?api-version=2024-10-21",
        ),
        ("http://m.test/v1/?a=1&b=%2F#x", "http://m.test/v1/chat/completions?a=1&b=%2F"),
    ],
)
async def test_the_base_url_may_have_a_path_and_parameters_and_end_with_a_slash_or_not(
    new_model: NewModel, base_url: str, expected: str
) -> None:
    """As users write it. Clients lose Azure's version in joining the path, and are answered 404."""
    model = new_model(reply(), base_url=base_url)
    await asked(Endpoint(model.client, 5))
    assert str(model.requests[0].url) == expected


async def test_the_whole_request(new_model: NewModel) -> None:
    """Nothing more than this is sent, and the key only where it belongs."""
    model = new_model(reply(), base_url="https://openrouter.ai/api/v1")
    await asked(Endpoint(model.client, 5))
    assert model.body() == {
        "model": "m/x",
        "messages": MESSAGES,
        "response_format": {"type": "json_schema", "json_schema": SCHEMA},
        "max_tokens": 100,
        "provider": {"require_parameters": True},
        "usage": {"include": True},
    }
    sent = model.requests[0].headers
    assert (sent["Authorization"], sent["User-Agent"]) == ("Bearer k", "gather-worker")
    assert (sent["Content-Type"], sent["Accept-Encoding"]) == ("application/json", "gzip")
    other = new_model(reply(), base_url="https://m.test/v1")
    await asked(Endpoint(other.client, 5))
    assert set(other.body()) == {"model", "messages", "response_format", "max_tokens"}


async def sent_by(base_url: str, key: str = "", access: Access | None = None) -> httpx.Headers:
    """Return the headers of a request."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    async with new_client(base_url, key, httpx.MockTransport(answer), access) as client:
        await asked(Endpoint(client, 5))
    return seen[0].headers


async def test_without_a_key_none_is_sent() -> None:
    """An endpoint that wants none might refuse one that is wrong."""
    assert "Authorization" not in await sent_by("http://m.test/v1")


async def test_headers_of_an_endpoint_s_own_are_sent() -> None:
    """Azure's key, and what some gateways tell users by."""
    headers = await sent_by("http://m.test/v1", access=Access({"api-key": "k", "X-Team": "art"}))
    assert (headers["api-key"], headers["X-Team"]) == ("k", "art")
    assert "Authorization" not in headers


async def test_a_user_in_the_address_goes_before_a_key() -> None:
    """Both would be one header."""
    headers = await sent_by("http://us%20er:pass@m.test/v1", "k")
    assert headers.get_list("Authorization") == ["Basic dXMgZXI6cGFzcw=="]


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "m.test/v1",
        "ftp://m.test/v1",
        "http://",
        "http://[::1",
        "http://m.test:port/v1",
        "http://m.test:99999/v1",
    ],
)
def test_an_address_that_can_never_work_is_a_wrong_setting(base_url: str) -> None:
    """Said at the start, without the address, which may hold a password."""
    with pytest.raises(InvalidInput, match=r"GATHER_LLM_BASE_URL: (is|has) "):
        new_client(base_url, "k")


@pytest.mark.parametrize("key", ["käse", "two\nlines", "nul\0"])
def test_a_key_that_no_header_can_hold_is_a_wrong_setting(key: str) -> None:
    """Said without the key."""
    with pytest.raises(InvalidInput, match="OPENROUTER_API_KEY") as caught:
        new_client("http://m.test/v1", key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(301, ModelRejected), (308, ModelRejected), (302, ModelTransient), (307, ModelTransient)],
)
async def test_a_redirect_is_not_followed(
    new_model: NewModel, status: int, expected: type[Exception]
) -> None:
    """It would take key and prompt elsewhere; one for good is a wrong setting, and the error says which."""
    moved = reply(status=status, Location="http://elsewhere.test/v1/chat/completions")
    model = new_model(moved)
    with pytest.raises(expected, match="GATHER_LLM_BASE_URL"):
        await asked(Endpoint(model.client, 5))
    assert len(model.requests) == 1


BODY = json.dumps({"choices": [{"message": {"content": VERDICT}}]}).encode()


@pytest.mark.parametrize(
    "answer",
    [
        packed(gzip.compress(BODY)),
        packed(BODY, "identity"),
        packed(zlib.compress(BODY), "deflate"),
        packed(zlib.compress(BODY)[2:-4], "deflate"),
        packed(brotli.compress(BODY), "br"),
        packed(zstd.compress(BODY), "zstd"),
    ],
    ids=["gzip", "plain", "deflate", "deflate without a frame", "br", "zstd"],
)
async def test_an_answer_may_be_packed(new_model: NewModel, answer: httpx.Response) -> None:
    """As it was asked for, and as servers and caches do that do not look at that."""
    assert await asked(Endpoint(new_model(answer).client, 5)) == json.loads(BODY)


@pytest.mark.parametrize("kind", ["text/event-stream; charset=utf-8", "application/x-ndjson"])
async def test_an_answer_may_be_a_stream_longer_than_a_body(new_model: NewModel, kind: str) -> None:
    """Though none was asked for; its frame around each token is much longer than the token."""
    chunk = {"choices": [{"index": 0, "delta": {"content": "x"}}], "padding": "p" * 2000}
    events = f"data: {json.dumps(chunk)}\n\n".encode() * 3000
    assert len(events) > BODY_MAX_BYTES
    answer = httpx.Response(200, content=events, headers={"Content-Type": kind})
    body = await asked(Endpoint(new_model(answer).client, 5))
    assert body["choices"][0]["message"]["content"] == "x" * 3000


@pytest.mark.parametrize(
    "answer",
    [
        packed(gzip.compress(b" " * 4 * BODY_MAX_BYTES, 1)),
        packed(gzip.compress(b"{}") + b"x" * 2 * BODY_MAX_BYTES),
        packed(gzip.compress(gzip.compress(b"{}")), "gzip, gzip"),
        packed(zlib.compress(b"{}"), "br"),
        packed(b"x", "compress"),
        packed(b"not packed at all"),
        packed(gzip.compress(b'{"choices": []}')[:-12]),
    ],
    ids=["bomb", "behind its end", "twice", "otherwise", "unknown", "broken", "half"],
)
async def test_a_badly_packed_answer_may_pass_and_may_have_been_charged(
    new_model: NewModel, answer: httpx.Response
) -> None:
    """Whatever it is, it is one of our errors."""
    with pytest.raises(ModelTransient) as caught:
        await asked(Endpoint(new_model(answer).client, 5))
    assert caught.value.may_be_charged


async def test_a_bomb_is_unpacked_only_as_far_as_an_answer_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the network gives it in one piece."""
    unpacked: list[int] = []
    genuine = zlib.decompressobj

    class Counting:
        def __init__(self, *arguments: Any) -> None:
            self._genuine = genuine(*arguments)

        def decompress(self, *arguments: Any) -> bytes:
            piece = self._genuine.decompress(*arguments)
            unpacked.append(len(piece))
            return piece

        @property
        def eof(self) -> bool:
            return bool(self._genuine.eof)

    async def bomb(_: httpx.Request) -> httpx.Response:
        return packed(gzip.compress(b" " * 4 * BODY_MAX_BYTES, 1))

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    with pytest.raises(ModelTransient, match="too long"):
        await asked(Endpoint(client_of(bomb), 5))
    assert sum(unpacked) == BODY_MAX_BYTES + 1


async def test_of_an_errors_body_the_beginning_is_read(new_model: NewModel) -> None:
    """It may be endless."""
    read: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        yield b"It is away. "
        while True:
            read.append(2**12)
            yield b" " * 2**12

    with pytest.raises(ModelTransient, match=r"answered 503: It is away\."):
        await asked(Endpoint(new_model(httpx.Response(503, content=endless())).client, 5))
    assert sum(read) <= REFUSAL_MAX_BYTES + 2**12


@pytest.mark.parametrize(
    "answer",
    [packed(b"not packed at all"), packed(gzip.compress(b"no" * 9)[:-12]), packed(b"", "br")],
    ids=["not packed", "half", "empty"],
)
async def test_an_error_whose_body_is_broken_is_still_known_by_its_status(
    new_model: NewModel, answer: httpx.Response
) -> None:
    """And nothing is charged for it."""
    answer.status_code = 503
    with pytest.raises(ModelTransient, match="answered 503") as caught:
        await asked(Endpoint(new_model(answer).client, 5))
    assert not caught.value.may_be_charged


async def test_a_refusal_shows_no_header_that_says_who_asks() -> None:
    """The key, and headers of the user's own."""

    async def told(request: httpx.Request) -> httpx.Response:
        words = f"no access for {request.headers['Authorization']} and {request.headers['api-key']}"
        return httpx.Response(401, json={"error": {"message": words}})

    headers = {"Authorization": "Bearer hidden-key-1", "api-key": "hidden-key-2"}
    client = client_of(told, access=Access(headers=headers))
    with pytest.raises(ModelRejected, match=r"for Bearer \*\*\* and \*\*\*") as caught:
        await asked(Endpoint(client, 5))
    assert "hidden" not in str(caught.value)


async def ways_of(base_url: str, access: Access | None = None) -> list[str]:
    """Return the patterns of addresses that a client reaches by a proxy."""
    async with new_client(base_url, "k", access=access) as client:
        return [pattern.pattern for pattern in client._mounts]


async def test_proxies_come_from_the_environment_or_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster may have no other way out; an endpoint in it is reached without."""
    for name in (
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
        "no_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", ".svc,fd00::/8")
    assert await ways_of("https://m.test/v1") == []
    named = Access(proxy="http://user:pass@proxy.invalid:3128")
    assert await ways_of("https://m.test/v1", named) == ["all://"]
    assert await ways_of("http://vllm.film.svc/v1", named) == []
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    assert await ways_of("https://m.test/v1") == ["all://"]


def test_a_proxy_of_the_environment_that_can_never_work_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not an error of the HTTP client, whose text has its password."""
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:sekret@proxy:1080")
    with pytest.raises(InvalidInput, match="settings: the proxy") as caught:
        new_client("https://m.test/v1", "k")
    assert "sekret" not in str(caught.value)
