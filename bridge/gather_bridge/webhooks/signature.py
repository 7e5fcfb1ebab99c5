"""The signature by which a webhook's receiver knows that an event is ours. Pure.

The time is part of what is signed, so that an old call cannot be sent again later (the scheme of Stripe's
webhooks).
"""

import hashlib
import hmac
from typing import Final

HEADER: Final = "X-Gather-Signature"


def signature(secret: bytes, body: bytes, at_s: int) -> str:
    """Return the header's value: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`."""
    digest = hmac.new(secret, f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"
