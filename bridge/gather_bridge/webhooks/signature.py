"""The headers by which a webhook's receiver knows an event, and that it is ours. Pure.

The time is part of what is signed, so that an old call cannot be sent again later. Two forms: ours, that of
Stripe's webhooks, and that of Standard Webhooks, for which there are libraries. Each holds a signature by
every key that is valid.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

HEADER: Final = "X-Gather-Signature"


def signature(keys: Sequence[bytes], body: bytes, at_s: int) -> str:
    """Return our header's value: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`, a v1 for each key.

    The newest key's comes first: who only looks at the last still knows the old one's.
    """
    signed = f"{at_s}.".encode() + body
    return ",".join(
        [f"t={at_s}", *(f"v1={hmac.new(key, signed, hashlib.sha256).hexdigest()}" for key in keys)]
    )


def standard_headers(keys: Sequence[bytes], event_id: str, body: bytes, at_s: int) -> dict[str, str]:
    """Return the headers of Standard Webhooks 1.0: what is signed is "<id>.<unix seconds>.<body>"."""
    signed = f"{event_id}.{at_s}.".encode() + body
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }
