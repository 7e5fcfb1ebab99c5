"""Whatever the CMS answers, there is a reading or a sentence for the run's condition."""

import gzip
import json
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_clients.cms_requests import CmsForm
from gather_contracts.run_document import decode_run_document, encode_run_document
from gather_operator.cms.cms_client import Cms
from gather_operator.decisions.actions import WriteDocument
from gather_operator.decisions.decide import decide
from gather_operator.decisions.facts import CmsFailure, CmsReading
from gather_operator.errors import CmsUnavailable

EXAMPLES = 150
"""Of each test: some seconds. 1,500 found no more."""
FIELDS = (
    "id", "slug", "name", "description", "codeDepNumber", "gatherCheck", "isActive", "defaultModel",
    "coordinationSettings", "_status", "qualityThreshold", "minQualityThreshold", "maxRetries", "en", "de",
    "root", "children", "text", "type", "value", "relationTo", "errors", "message", "gatherInstructions",
    "instructions", "examples",
)  # fmt: skip
ENVELOPE = ("docs", "hasNextPage", "nextPage", "totalPages", "totalDocs", "page", "errors")

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=20),
    st.sampled_from(
        ["story", "world", " story ", "a/b", "\ud800", "\x00", "10", "true", "draft", "x" * 9000]
    ),
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-1, 120), st.floats(), TEXTS, st.just(10**400)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(FIELDS), TEXTS), inner, max_size=4),
    ),
    max_leaves=12,
)
DOCUMENTS = st.one_of(
    VALUES,
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=12),
    st.fixed_dictionaries(
        {"slug": st.sampled_from(["story", "world"]), "codeDepNumber": st.integers(0, 9)},
        optional={name: VALUES for name in FIELDS[2:] if name != "codeDepNumber"},
    ).map(lambda d: {"gatherCheck": True, "isActive": True, **d}),
)
BODIES = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {"docs": st.lists(DOCUMENTS, max_size=5)},
        optional={name: st.one_of(SCALARS, VALUES) for name in ENVELOPE[1:]},
    ),
)
RAW = st.one_of(
    BODIES.map(lambda body: json.dumps(body).encode()),
    st.binary(max_size=200),
    st.sampled_from(
        [b"[" * 100_000, b'{"docs":' * 900 + b"1" + b"}" * 900, b'{"docs": [1', b"\xff\xfe", b""]
    ),
    st.integers(1, 990).map(
        lambda n: b'{"docs": [{"defaultModel":' + b'{"value":' * n + b"1" + b"}" * (n + 1) + b"]}"
    ),
)
HEADERS = st.dictionaries(
    st.sampled_from([
        "Content-Type", "Content-Encoding", "Content-Length", "Location", "Retry-After", "Set-Cookie",
    ]),
    st.one_of(
        st.sampled_from([
            "gzip", "br", "deflate", "text/html; charset=nonsense", "-1", "1e400",
            "http://[", "javascript:a", "//", "/x",
        ]),
        st.text(st.characters(codec="latin-1"), max_size=40),
    ).map(lambda text: text.encode("latin-1")),
    max_size=4,
)  # fmt: skip
STATUSES = st.one_of(
    st.just(200), st.sampled_from([201, 204, 301, 302, 304, 308, 400, 401, 404, 429, 500, 503])
)


async def answer_of(responses: list[tuple[int, dict[str, bytes], bytes]], is_paged: bool) -> Any:
    """The CMS's answer as a pass gets it, if it gives these answers over and over."""
    turn = 0

    def respond(_: httpx.Request) -> httpx.Response:
        nonlocal turn
        status, headers, body = responses[turn % len(responses)]
        turn += 1
        return httpx.Response(
            status,
            headers=[(name.encode(), value) for name, value in headers.items()],
            stream=httpx.ByteStream(body),
        )

    cms = Cms("http://cms", "s3cret", 5, CmsForm(is_paged=is_paged), httpx.MockTransport(respond))
    try:
        return await cms.departments()
    except CmsUnavailable as error:
        return CmsFailure(str(error))
    finally:
        await cms.close()


@settings(max_examples=EXAMPLES)
@given(st.lists(st.tuples(STATUSES, HEADERS, RAW), min_size=1, max_size=3), st.booleans())
async def test_whatever_the_cms_answers_there_is_an_answer(
    responses: list[tuple[int, dict[str, bytes], bytes]], is_paged: bool
) -> None:
    """A reading or a sentence, in any order of answers that are right, wrong and not HTTP's."""
    outcome = await answer_of(responses, is_paged)
    if isinstance(outcome, CmsFailure):
        assert 0 < len(outcome.message) < 600
        assert "s3cret" not in outcome.message
        assert "cannot be read (" not in outcome.message, "met only by the net below all others"
    else:
        assert isinstance(outcome, CmsReading)


@settings(max_examples=EXAMPLES)
@given(BODIES, st.booleans())
async def test_whatever_a_reading_holds_a_status_and_a_document_can_be_written(
    build_class: Any, body: Any, is_packed: bool
) -> None:
    """In UTF-8, within their bounds, and such that the worker reads the same."""
    raw = json.dumps(body).encode()
    headers = {"Content-Encoding": b"gzip"} if is_packed else {}
    outcome = await answer_of([(200, headers, gzip.compress(raw) if is_packed else raw)], is_paged=True)
    build = build_class()
    decision = decide(build.snapshot(build.run(), cms=outcome))
    for condition in decision.status.conditions:
        assert len(condition.message) <= 256
        condition.message.encode()
    for action in decision.actions:
        assert isinstance(action, WriteDocument)
        assert decode_run_document(encode_run_document(action.document)) == action.document
