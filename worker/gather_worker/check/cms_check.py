"""The CMS: whether it names departments to the key; looked at only where its address is set."""

import asyncio
import json
from typing import Final

import httpx

from gather_clients.bodies import ACCEPT_ENCODING, BodyTooLong, read_body
from gather_clients.tls import tls_for
from gather_worker.check.findings import Finding, fail, fail_now, ok, skip, warn

NAME: Final = "CMS"
TIMEOUT_S: Final = 8.0
BODY_MAX_BYTES: Final = 4 * 1024 * 1024
PATH: Final = "/api/departments"
QUERY: Final = {
    "where[gatherCheck][equals]": "true", "where[isActive][equals]": "true", "limit": "1", "depth": "0",
}  # fmt: skip


async def check_cms(url: str | None, api_key: str | None) -> list[Finding]:
    """Return what was found."""
    if not url:
        return [skip(NAME, "NEXT_PUBLIC_APP_URL is not set here; only the operator reads the CMS")]
    headers = {**ACCEPT_ENCODING, **({"Authorization": f"users API-Key {api_key}"} if api_key else {})}
    try:
        address = httpx.URL(f"{url.rstrip('/')}{PATH}")
        async with (
            asyncio.timeout(TIMEOUT_S),
            httpx.AsyncClient(verify=tls_for(address), headers=headers, timeout=TIMEOUT_S) as client,
            client.stream("GET", address, params=QUERY) as response,
        ):
            content = await read_body(response, BODY_MAX_BYTES)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeEncodeError):
        return [
            fail(
                NAME, "NEXT_PUBLIC_APP_URL is not an http or https URL", "write https://HOST, without a path"
            )
        ]
    except (httpx.HTTPError, TimeoutError, BodyTooLong) as error:
        return [fail_now(NAME, f"it cannot be reached: {type(error).__name__}",
                         "mend NEXT_PUBLIC_APP_URL; see that the application runs")]  # fmt: skip
    return [cms_finding(response.status_code, content, has_key=bool(api_key))]


def cms_finding(status: int, content: bytes, *, has_key: bool) -> Finding:
    """Return what an answer means."""
    if status in {401, 403} and not has_key:
        fix = "see that the operator's Secret has PAYLOAD_API_KEY"
        return warn(NAME, "reached; it wants a key, and none is set here", fix)
    if status in {401, 403}:
        return fail(NAME, f"it refuses the key ({status})", "mend PAYLOAD_API_KEY")
    if status >= 500 or status == 429:  # noqa: PLR2004
        return fail_now(NAME, f"it answers {status}", "check again later")
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if status != httpx.codes.OK or not isinstance(body, dict) or not isinstance(body.get("docs"), list):
        fix = "NEXT_PUBLIC_APP_URL must be the address of the application with Payload's API"
        return fail(NAME, f"{PATH} answers {status} without a list of departments", fix)
    count = body.get("totalDocs")
    if not body["docs"]:
        return warn(NAME, "it names no department that is active and ticked (isActive, gatherCheck)",
                    "tick gatherCheck at the departments that take part")  # fmt: skip
    return ok(NAME, f"reached; {count if isinstance(count, int) else 'it names'} departments take part")
