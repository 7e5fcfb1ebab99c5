"""Why an endpoint gave no answer, in words that name the setting to change; pure."""

import socket
import ssl
from collections.abc import Iterator
from typing import Final

import httpx

UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""Failures that come before anything is sent."""
SAID_MAX: Final = 100


def is_unsent(error: BaseException) -> bool:
    """Return whether the request never left, so that nothing can have been charged."""
    return isinstance(error, UNSENT)


def trouble_of(error: BaseException, timeout_s: float) -> str:
    """Return what is wrong; of what others wrote no more gets in than a proxy's few printable words."""
    known = (said for said in map(_of_cause, _causes(error)) if said)
    return next(known, None) or _of_exchange(error, timeout_s)


def _of_cause(cause: BaseException) -> str:
    """Return what a cause says by itself, "" if nothing."""
    match cause:
        case ssl.SSLCertVerificationError():
            said = f"its certificate is not trusted ({cause.verify_message})"
            return f"{said}: GATHER_LLM_CA_FILE names the authorities that vouch for it"
        case ssl.SSLError():
            said = getattr(cause, "reason", "") or type(cause).__name__
            return f"it does not speak TLS ({said}): see GATHER_LLM_BASE_URL and GATHER_LLM_PROXY"
        case socket.gaierror():
            return "its host's name, or its proxy's, is not known"
        case httpx.ProxyError():
            said = "".join(letter for letter in str(cause)[:SAID_MAX] if letter.isprintable())
            return f"the proxy refuses ({said}): see GATHER_LLM_PROXY, HTTPS_PROXY and NO_PROXY"
    return ""


def _of_exchange(error: BaseException, timeout_s: float) -> str:
    name = type(error).__name__
    match error:
        case httpx.ConnectTimeout():
            return f"no connection came about ({name}): is there a way out without GATHER_LLM_PROXY?"
        case TimeoutError() | httpx.TimeoutException():
            return f"no whole answer within {timeout_s:g} s ({name}): see GATHER_LLM_TIMEOUT_S"
        case httpx.ConnectError():
            return f"nothing answers at its address ({name})"
    return f"the connection broke ({name})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it came of; each once."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
