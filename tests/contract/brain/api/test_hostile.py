"""Bodies that nobody sends by mistake: each is refused cleanly, and the brain lives on."""

from typing import Final

import httpx
import pytest

from gather_contracts.brain import ErrorBody

BATCH: Final = "/api/v1/nodes/batch"
SEARCH: Final = "/api/v1/search/duplicates"
CONTEXT: Final = "/api/v1/context/department"
COVERAGE: Final = "/api/v1/analyze/coverage"
JSON: Final = {"Content-Type": "application/json"}
PROJECT: Final = "5e1dab1e" * 3
"""Nobody's: other tests' generated requests may write to one of zeros."""
CONTEXT_OF: Final = f"{CONTEXT}?projectId={PROJECT}&department=x"


def fields(text: str) -> bytes:
    """Return a search whose further fields are `text`."""
    return f'{{"projectId": "{PROJECT}", "content": "x"{text}}}'.encode()


def properties(text: str) -> bytes:
    """Return a batch of one node whose properties are `text`."""
    node = f'{{"type": "A", "content": "x", "projectId": "{PROJECT}", "properties": {text}}}'
    return f'{{"nodes": [{node}]}}'.encode()


BODIES: Final[dict[str, tuple[str, bytes]]] = {
    "empty": (SEARCH, b""),
    "broken": (SEARCH, b"{"),
    "null": (SEARCH, b"null"),
    "a number": (SEARCH, b"1"),
    "a list": (SEARCH, b"[]"),
    "two values": (SEARCH, b"{}{}"),
    "deep lists": (BATCH, b'{"nodes": ' + b"[" * 500_000),
    "deep objects": (BATCH, b'{"nodes": ' + b'{"a": ' * 200_000),
    "deep and closed": (SEARCH, fields(f', "limit": {"[" * 5_000}{"]" * 5_000}')),
    "deep properties": (BATCH, properties("{" + '"a": {' * 150 + "}" * 151)),
    "NaN": (SEARCH, fields(', "threshold": NaN')),
    "infinity": (SEARCH, fields(', "threshold": Infinity')),
    "minus infinity": (BATCH, properties('{"a": -Infinity}')),
    "1e400": (SEARCH, fields(', "threshold": 1e400')),
    "1e400 as a property": (BATCH, properties('{"a": 1e400}')),
    "a huge exponent": (SEARCH, fields(', "limit": 1e99999999999999999999')),
    "5,000 digits": (SEARCH, fields(f', "limit": {"9" * 5_000}')),
    "a million digits": (BATCH, properties(f'{{"a": {"9" * 1_000_000}}}')),
    "a number beyond every float": (SEARCH, fields(f', "threshold": {"9" * 4_000}')),
    "a text for a number": (SEARCH, fields(', "limit": "10"')),
    "a truth value for a number": (SEARCH, fields(', "limit": true')),
    "a fraction for a whole number": (SEARCH, fields(', "limit": 1.5')),
    "null for a number": (SEARCH, fields(', "limit": null')),
    "lone surrogate": (SEARCH, fields(', "department": "\\ud800"')),
    "surrogates the wrong way round": (SEARCH, fields(', "department": "\\udc00\\ud800"')),
    "lone surrogate as a name": (SEARCH, fields(', "\\ud800": 1')),
    "lone surrogate as a property": (BATCH, properties('{"\\udfff": 1}')),
    "raw NUL": (SEARCH, fields(', "department": "\x00"')),
    "not UTF-8": (SEARCH, fields(', "department": "') + b'\xff\xfe"}'),
    "UTF-16": (SEARCH, fields("").decode().encode("utf-16")),
    "UTF-32": (SEARCH, fields("").decode().encode("utf-32")),
    "byte order mark": (SEARCH, b"\xef\xbb\xbf" + fields("")),
    "single quotes": (SEARCH, b"{'content': 'x'}"),
    "a comment": (SEARCH, b"{} // x"),
    "an unknown field": (SEARCH, fields(', "project_id_": "x"')),
    "an unknown field of a control character": (SEARCH, fields(', "\\u0000\\u001b[31m": "x"')),
    "200,000 unknown fields": (SEARCH, fields("".join(f', "{n:x}": 1' for n in range(150_000)))),
    "150,000 properties": (BATCH, properties("{" + ", ".join(f'"{n:x}": []' for n in range(120_000)) + "}")),
    "a million nodes": (BATCH, b'{"nodes": [' + b"0," * 900_000 + b"0]}"),
    "a million ids": (SEARCH, fields(f', "excludeNodeIds": [{"0," * 900_000}0]')),
    "a property of lists": (BATCH, properties('{"a": [1, [2]]}')),
    "a department that is none": (BATCH, properties('{"department": {}}')),
    "a department in the project's place": (SEARCH, b'{"projectId": {"$ne": null}, "content": "x"}'),
    "a line end after the project": (SEARCH, b'{"projectId": "' + b"0" * 24 + b'\\n", "content": "x"}'),
    "digits of other scripts": (SEARCH, b'{"projectId": "' + "٣".encode() * 24 + b'", "content": "x"}'),
    "items that are none": (COVERAGE, b'{"projectId": "%s", "gatherItems": [[]]}' % PROJECT.encode()),
}  # fmt: skip


def standard(response: httpx.Response, *statuses: int) -> ErrorBody:
    """Return the body of a refusal, which has the standard form and reveals no internals."""
    assert response.status_code in statuses, response.text[:500]
    body = ErrorBody.model_validate_json(response.content)
    assert len(response.content) < 20_000
    for internal in ("Traceback", 'File "', "pydantic", "MATCH", "neo4j", "input_value"):
        assert internal not in response.text
    return body


@pytest.mark.usefixtures("lives")
@pytest.mark.parametrize("name", BODIES)
async def test_a_hostile_body_is_refused_cleanly(http: httpx.AsyncClient, name: str) -> None:
    """400 with the standard body, whatever stands in it."""
    path, content = BODIES[name]
    refused = standard(await http.post(path, content=content, headers=JSON), 400)
    assert refused.error in {"validation_failed", "batch_validation_failed"}
    assert refused.details


async def test_a_refusal_names_the_field_and_not_its_content(http: httpx.AsyncClient) -> None:
    """What a caller sent may be secret, and its place is enough to find it."""
    body = {"projectId": "secret-project-of-24-char", "content": 7, "limit": "secret-limit", "secret": "x"}
    response = await http.post(SEARCH, json=body)
    refused = standard(response, 400)
    assert refused.details is not None
    assert set(refused.details) == {"projectId", "content", "limit", "secret"}
    assert "secret-" not in response.text
    node = {
        "type": "A",
        "content": "x",
        "projectId": PROJECT,
        "properties": {"p": {"secret": "secret-value"}},
    }
    response = await http.post(BATCH, json={"nodes": [node, {**node, "type": "secret-type"}]})
    assert standard(response, 400).details == {
        "invalid_nodes": [
            {"index": 0, "reason": "properties.p: must be a text of at most 8000 characters, a list of at "
                                   "most 50 texts of as many together, a number, true, false or null"},
            {"index": 1, "reason": "type: String should match pattern '^[A-Za-z][A-Za-z0-9_]*$'"},
        ]
    }  # fmt: skip


@pytest.mark.usefixtures("lives")
@pytest.mark.parametrize(
    "content_type",
    [
        None, "", "text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x", "application/json; charset=utf-16",
        "application/json; charset=latin-1", "application/jsonx", "json", "application/json, text/plain",
        "application/problem+json", "\x7f", "application/json" * 500,
    ],
)  # fmt: skip
async def test_other_content_types_are_415(http: httpx.AsyncClient, content_type: str | None) -> None:
    """A body that claims to be something else is not looked at."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = await http.post(SEARCH, content=fields(""), headers=headers)
    assert standard(response, 415).error == "unsupported_media_type"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8",
     'application/json; charset="utf-8"'],
)  # fmt: skip
async def test_json_in_utf_8_is_taken_however_it_is_announced(
    http: httpx.AsyncClient, content_type: str
) -> None:
    """As clients write it; the project is not there."""
    response = await http.post(SEARCH, content=fields(""), headers={"Content-Type": content_type})
    assert standard(response, 404).error == "not_found"


async def test_a_compressed_body_is_415(http: httpx.AsyncClient) -> None:
    """Two MiB of it could be gigabytes."""
    headers = {**JSON, "Content-Encoding": "gzip"}
    standard(await http.post(SEARCH, content=b"\x1f\x8b", headers=headers), 415)


PATHS: Final = {
    BATCH: ("POST",),
    SEARCH: ("POST",),
    f"{SEARCH}/batch": ("POST",),
    COVERAGE: ("POST",),
    CONTEXT_OF: ("GET",),
    f"/api/v1/nodes?projectId={PROJECT}": ("DELETE", "GET"),
    f"/api/v1/nodes/x?projectId={PROJECT}": ("GET",),
    f"/api/v1/projects/{PROJECT}?confirm={PROJECT}": ("DELETE",),
}


@pytest.mark.usefixtures("lives")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "GET", "POST", "X"])
async def test_other_methods_are_405_and_say_which_are_not(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    """Before a body is looked at."""
    if method in PATHS[path]:
        return
    response = await http.request(method, path, content=b"not looked at")
    assert response.status_code == 405
    assert response.headers["Allow"] == ", ".join(PATHS[path])
    if method != "HEAD":
        assert standard(response, 405).error == "method_not_allowed"


@pytest.mark.usefixtures("lives")
@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", f"/api/v1/nodes?projectId={PROJECT}&cursor=%FF%FE"),
        ("GET", f"/api/v1/nodes?projectId={PROJECT}&cursor=%ED%A0%80"),
        ("GET", f"/api/v1/nodes?projectId={PROJECT}&cursor=%00"),
        ("GET", f"/api/v1/nodes?projectId={PROJECT}&{'&'.join(f'p{n}=1' for n in range(2000))}"),
        ("GET", f"/api/v1/nodes?projectId={PROJECT}%0A"),
        ("GET", f"/api/v1/nodes?projectId[$ne]={PROJECT}"),
        ("GET", f"/api/v1/nodes?projectId={PROJECT}&limit=9999999999999999999999"),
        ("GET", f"/api/v1/nodes?projectId={PROJECT}&limit=1e2"),
        ("GET", f"/api/v1/nodes/%FF?projectId={PROJECT}"),
        ("GET", f"/api/v1/nodes/%ED%A0%80?projectId={PROJECT}"),
        ("GET", f"/api/v1/nodes/{'%F0%9F%8C%8A' * 65}?projectId={PROJECT}"),
        ("GET", f"/api/v1/nodes/..%2F..%2Fmetrics?projectId={PROJECT}"),
        ("DELETE", f"/api/v1/nodes?projectId={PROJECT}"),
        ("DELETE", f"/api/v1/nodes?projectId={PROJECT}&ids="),
        ("DELETE", f"/api/v1/nodes?projectId={PROJECT}&{'&'.join(['ids=x'] * 5000)}"),
        ("DELETE", f"/api/v1/projects/*?confirm={PROJECT}"),
        ("DELETE", f"/api/v1/projects/{PROJECT}"),
        ("DELETE", f"/api/v1/projects/{PROJECT}?confirm={PROJECT}&confirm={PROJECT}"),
        ("DELETE", f"/api/v1/projects/{PROJECT}%2F..?confirm={PROJECT}"),
    ],
)
async def test_a_hostile_address_is_refused_cleanly(
    http: httpx.AsyncClient, method: str, address: str
) -> None:
    """400, or 404 for a text that could be a name; nothing is deleted."""
    standard(await http.request(method, address), 400, 404)
