"""The CMS: whether it names departments to the key, asked as the operator asks, if its address is set."""

import asyncio
import json
from dataclasses import replace
from typing import Any, Final

import httpx

from gather_clients.bodies import ACCEPT_ENCODING, BodyTooLong, read_body
from gather_clients.cms_requests import (
    BEARER_FORM,
    DEPARTMENTS_PATH,
    PAGE_BYTES_MAX,
    PAYLOAD_FORM,
    CmsForm,
)
from gather_clients.http_calls.addresses import checked_address
from gather_clients.http_calls.ways import way_to
from gather_worker.check.findings import Finding, fail, fail_now, ok, skip, warn

NAME: Final = "CMS"
TIMEOUT_S: Final = 8.0
REFUSALS: Final = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN})


async def check_cms(url: str | None, api_key: str | None, form: CmsForm) -> list[Finding]:
    """Return what was found."""
    if not url:
        return [skip(NAME, "NEXT_PUBLIC_APP_URL is not set here; only the operator reads the CMS")]
    try:
        address = httpx.URL(f"{checked_address(url).rstrip('/')}{DEPARTMENTS_PATH}")
        async with (
            asyncio.timeout(TIMEOUT_S),
            httpx.AsyncClient(headers=ACCEPT_ENCODING, timeout=TIMEOUT_S, **way_to(address)) as client,
        ):
            status, content = await _answer(client, address, form, api_key)
            if status not in REFUSALS:
                return [cms_finding(status, content, form)]
            if not api_key:
                fix = "see that the operator's Secret has PAYLOAD_API_KEY"
                return [warn(NAME, "reached; it wants a key, and none is set here", fix)]
            other = replace(form, authorization=_other_form(form))
            is_taken = (await _answer(client, address, other, api_key))[0] == httpx.codes.OK
            return [_refused(status, form, other if is_taken else None)]
    except (httpx.InvalidURL, ValueError) as error:
        said = error if type(error) is ValueError else "is not an http or https URL"
        return [fail(NAME, f"NEXT_PUBLIC_APP_URL {said}", "write https://HOST, without a path")]
    except (httpx.HTTPError, TimeoutError, BodyTooLong) as error:
        return [fail_now(NAME, f"it cannot be reached: {type(error).__name__}",
                         "mend NEXT_PUBLIC_APP_URL; see that the application runs")]  # fmt: skip


async def _answer(
    client: httpx.AsyncClient, address: httpx.URL, form: CmsForm, api_key: str | None
) -> tuple[int, bytes]:
    key = form.held_key(api_key)
    async with client.stream("GET", address, params=form.query(), auth=key) as response:
        return response.status_code, await read_body(response, PAGE_BYTES_MAX)


def _other_form(form: CmsForm) -> str:
    return PAYLOAD_FORM if form.authorization == BEARER_FORM else BEARER_FORM


def _refused(status: int, form: CmsForm, taken: CmsForm | None) -> Finding:
    """Return that the key is refused; `taken` is the other form, if the CMS takes the key in it."""
    text = f"it refuses the key ({status}), sent as {form.authorization} KEY"
    if taken:
        text += f"; it takes it as {taken.authorization} KEY"
        fix = f"set GATHER_CMS_AUTHORIZATION to {taken.authorization} (chart: operator.cms.authorization)"
    else:
        fix = "mend PAYLOAD_API_KEY, or GATHER_CMS_AUTHORIZATION if it wants another form of the key"
    return fail(NAME, text, fix)


def cms_finding(status: int, content: bytes, form: CmsForm) -> Finding:
    """Return what an answer means that refuses no key."""
    if status >= 500 or status == 429:  # noqa: PLR2004
        return fail_now(NAME, f"it answers {status}", "check again later")
    body = _body(content) if status == httpx.codes.OK else None
    if body is None:
        fix = "NEXT_PUBLIC_APP_URL must be the address of the application with Payload's API"
        return fail(NAME, f"{DEPARTMENTS_PATH} answers {status} without a list of departments", fix)
    if not body["docs"]:
        return warn(NAME, "it names no department that is active and ticked (isActive, gatherCheck)",
                    "tick gatherCheck at the departments that take part")  # fmt: skip
    if not form.is_paged and len(body["docs"]) >= form.limit:
        text = f"it names {form.limit} departments, all that GATHER_CMS_LIMIT lets through; there may be more"
        return warn(NAME, text, "raise GATHER_CMS_LIMIT, or set GATHER_CMS_PAGING to true")
    count = body.get("totalDocs")
    return ok(NAME, f"reached; {count if isinstance(count, int) else 'it names'} departments take part")


def _body(content: bytes) -> dict[str, Any] | None:
    """Return the answer, None if it is not Payload's list of documents."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) and isinstance(body.get("docs"), list) else None
