"""Signatures, and the secrets that make them: one for all, or each project's own, two while they change."""

import base64
import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import Any

import pytest

from gather_bridge.errors import SecretsFileError
from gather_bridge.webhooks.signature import signature, standard_headers
from gather_bridge.webhooks.signing_keys import SigningKeys, key_of

P = "66f1a2b3c4d5e6f708192a3b"
OLD, NEW = "the-old-secret-of-a-project", "the-new-secret-of-a-project"


def test_the_signature_is_over_time_and_body() -> None:
    """Either one changed is another signature."""
    expected = hmac.new(b"secret", b'1700000000.{"a":1}', hashlib.sha256).hexdigest()
    assert signature([b"secret"], b'{"a":1}', 1700000000) == f"t=1700000000,v1={expected}"
    for other in (signature([b"secret"], b"{}", 1700000000), signature([b"s"], b'{"a":1}', 1700000000)):
        assert other != f"t=1700000000,v1={expected}"


def test_both_forms_hold_a_signature_by_each_key() -> None:
    """A receiver that knows one of the two accepts the event."""
    new, old = (signature([key], b"{}", 1).partition(",")[2] for key in (b"new", b"old"))
    assert signature([b"new", b"old"], b"{}", 1) == f"t=1,{new},{old}"
    both = standard_headers([b"new", b"old"], "id", b"{}", 1)["webhook-signature"].split(" ")
    assert both == [standard_headers([key], "id", b"{}", 1)["webhook-signature"] for key in (b"new", b"old")]


def test_standard_webhooks_own_example_comes_out() -> None:
    """The values of its specification's libraries."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = standard_headers([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_that_only_looks_like_one_in_base64_is_taken_as_it_is() -> None:
    """Nobody's secret may become an empty key."""
    assert key_of("whsec_not base64!") == b"whsec_not base64!"
    assert key_of("whsec_" + base64.b64encode(b"k" * 24).decode()) == b"k" * 24


def written(path: Path, lines: Any, at_s: int) -> None:
    path.write_text(lines if isinstance(lines, str) else json.dumps(lines), "utf-8")
    os.utime(path, (at_s, at_s))


def test_a_secret_is_replaced_while_events_are_signed(tmp_path: Path) -> None:
    """Old, both, new; other projects keep the one for all."""
    path, now_s = tmp_path / "webhook-secrets.json", [0.0]
    written(path, [{"projects": [P.upper()], "secrets": [OLD]}], 1)
    keys = SigningKeys("the-one-for-all-others", path, lambda: now_s[0])
    assert keys.of_project(P) == (OLD.encode(),)
    for at_s, secrets in ((2, [NEW, OLD]), (3, [NEW])):
        written(path, [{"projects": [P], "secrets": secrets}], at_s)
        now_s[0] += 10
        assert keys.of_project(P) == tuple(secret.encode() for secret in secrets)
    written(path, "no JSON", 4)
    now_s[0] += 10
    assert keys.of_project(P) == (NEW.encode(),)
    assert keys.of_project("0" * 24) == (b"the-one-for-all-others",)


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        pytest.param("no JSON", "its top", id="no JSON"),
        pytest.param([{"projects": ["*"], "secrets": [NEW]}], "0.projects.0", id="every project"),
        pytest.param([{"projects": [P], "secrets": ["short"]}], "0.secrets.0", id="too short"),
        pytest.param([{"projects": [P], "secrets": []}], "0.secrets", id="none"),
        pytest.param([{"projects": [P], "secrets": [NEW, OLD, NEW]}], "0.secrets", id="three"),
        pytest.param(
            [{"projects": [P], "secrets": [secret]} for secret in (NEW, OLD)], "twice", id="a project twice"
        ),
    ],
)
def test_a_malformed_file_is_named_at_the_start_and_nothing_of_it_shown(
    tmp_path: Path, lines: Any, where: str
) -> None:
    """The place is enough to mend it."""
    path = tmp_path / "webhook-secrets.json"
    written(path, lines, 1)
    with pytest.raises(SecretsFileError, match="GATHER_BRIDGE_WEBHOOK_SECRETS_FILE") as refused:
        SigningKeys("the-one-for-all-others", path)
    assert where in str(refused.value)
    assert not any(text in str(refused.value) for text in (NEW, OLD, "short", P))


def test_without_a_file_one_secret_signs_for_all(tmp_path: Path) -> None:
    """As before there were projects' own."""
    assert SigningKeys("the-one-for-all", tmp_path / "none.json").of_project(P) == (b"the-one-for-all",)
