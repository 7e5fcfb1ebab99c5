"""Answers of a Payload CMS, and the operator's client reading them."""

from collections.abc import Callable
from typing import Any

import httpx

from gather_clients.cms_requests import CmsForm
from gather_operator.cms.cms_client import Cms
from gather_operator.decisions.facts import CmsReading

Respond = Callable[[httpx.Request], httpx.Response]


def document(slug: str, number: Any, **fields: Any) -> dict[str, Any]:
    """A department that takes part, as Payload answers it."""
    return {
        "id": slug, "slug": slug, "name": slug.title(), "codeDepNumber": number,
        "gatherCheck": True, "isActive": True, **fields,
    }  # fmt: skip


def page(*documents: dict[str, Any], following: int | None = None) -> httpx.Response:
    """A page of documents, with the number of the page that follows."""
    body = {"docs": list(documents), "hasNextPage": following is not None, "nextPage": following}
    return httpx.Response(200, json=body)


async def read(
    respond: Respond, api_key: str | None = None, timeout_s: float = 5, form: CmsForm | None = None
) -> CmsReading:
    """Read a CMS that answers each request so; raises CmsUnavailable."""

    def streamed(request: httpx.Request) -> httpx.Response:
        """As from a network: a response made with its body counts as read already."""
        answer = respond(request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=answer.stream)

    cms = Cms("http://cms/", api_key, timeout_s, form, httpx.MockTransport(streamed))
    try:
        return await cms.departments()
    finally:
        await cms.close()
