"""What follows from an endpoint's refusal, by its status and by what it says itself; pure."""

from typing import Any, Final

from gather_worker.errors import ModelRejected, ModelTransient

REQUEST_FAULTS: Final = frozenset({301, 308, 400, 404, 405, 413, 422})
"""Statuses that say that this request, its model's name included, can never work at this endpoint; 301 and
308, that it has moved for good."""
REFUSALS: Final = frozenset({401, 402, 403})
"""Statuses that the account's owner can change: key, credit, moderation."""


def error_in_body(error: Any) -> ModelTransient | ModelRejected:
    """Return the error for what an endpoint put into an answer of status 200."""
    code = error.get("code") if isinstance(error, dict) else None
    status = int(code) if isinstance(code, int | str) and str(code).isdecimal() and len(str(code)) == 3 else 0  # noqa: PLR2004
    return error_of_status(
        status, f"the endpoint reports an error inside its answer (code {status or 'none'})"
    )


def error_of_status(
    status: int, message: str, retry_after_s: float | None = None
) -> ModelTransient | ModelRejected:
    """Return the error for an HTTP status; 402 with Retry-After is a budget that frees itself."""
    if status in REQUEST_FAULTS:
        return ModelRejected(message, is_request_fault=True)
    if status in REFUSALS and retry_after_s is None:
        return ModelRejected(message, is_request_fault=False)
    return ModelTransient(message, retry_after_s)
