"""What a call of the brain can end with, read from its answer.

Errors, split by what the caller can do:

    BrainError
      x BrainUnavailable      try again later; the work itself may be right
        - BrainRateLimited    more slowly: the key's limit for the project and endpoint is reached
      x BrainRejected         do not send this again
        - BrainInvalid        mend the request: `details` says where
        - BrainUnauthorized   use another key
        - BrainNotFound       the project has no nodes yet, or the key may not see it
"""

import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import httpx
from pydantic import ValidationError

from gather_clients.retry_after import retry_after_s
from gather_contracts import brain as bodies

MESSAGE_MAX: Final = 300


class BrainError(Exception):
    """The brain did not do what it was asked."""


class BrainUnavailable(BrainError):  # noqa: N818 - named for what the caller does
    """The brain could not answer within the deadline.

    `retry_after_s` is what it asked for last, or None.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BrainRateLimited(BrainUnavailable):
    """The key has asked too often; `limit` is requests per `window`, both None where a proxy answered."""

    def __init__(
        self, retry_after_s: float | None, limit: int | None = None, window: str | None = None
    ) -> None:
        super().__init__("the brain answered 429", retry_after_s)
        self.limit = limit
        self.window = window


class BrainRejected(BrainError):  # noqa: N818 - likewise
    """The brain refused the request for what it is; `code` and `details` are the standard error body's."""

    def __init__(
        self, status: int, code: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.details = dict(details or {})


class BrainInvalid(BrainRejected):
    """The request is not as it should be."""

    @property
    def invalid_nodes(self) -> dict[int, str]:
        """Return the reason for each node of a batch, by its place, that the brain does not take."""
        with contextlib.suppress(TypeError, KeyError):
            return {node["index"]: node["reason"] for node in self.details.get("invalid_nodes", ())}
        return {}


class BrainUnauthorized(BrainRejected):
    """The key is missing, not valid now, or not allowed to do this."""


class BrainNotFound(BrainRejected):
    """The project has no nodes yet, or the key may not see it."""


REJECTIONS: Final[Mapping[int, type[BrainRejected]]] = {
    HTTPStatus.BAD_REQUEST: BrainInvalid,
    HTTPStatus.UNAUTHORIZED: BrainUnauthorized,
    HTTPStatus.FORBIDDEN: BrainUnauthorized,
    HTTPStatus.NOT_FOUND: BrainNotFound,
}


def failure_of(response: httpx.Response, content: bytes) -> BrainError:
    """Return the error that an answer means; its body is the brain's own unless a proxy answered."""
    status = response.status_code
    asked_s = retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        try:
            limited = bodies.RateLimitBody.model_validate_json(content)
        except ValidationError:
            return BrainRateLimited(asked_s)
        wait_s = limited.retry_after if asked_s is None else asked_s
        return BrainRateLimited(wait_s, limited.limit, limited.window)
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return BrainUnavailable(f"the brain answered {status}", asked_s)
    code, message, details = "unknown", "the brain refused the request", None
    with contextlib.suppress(ValidationError):
        body = bodies.ErrorBody.model_validate_json(content)
        code, details = body.error, body.details
        message = f"{body.message} {json.dumps(details)}" if details else body.message
    return REJECTIONS.get(status, BrainRejected)(status, code, message[:MESSAGE_MAX], details)
