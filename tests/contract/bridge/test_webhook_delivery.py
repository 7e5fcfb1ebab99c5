"""Webhooks end to end: events in a real Redis, a real HTTPS receiver, and every fault in between."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from dev.paths import ROOT
from dev.service_process import ServiceProcess
from gather_bridge.errors import DeliveryFailed, UrlRefused
from gather_bridge.webhooks.signing_keys import SigningKeys
from gather_bridge.webhooks.webhook_client import WebhookClient
from gather_clients.event_log import EventLog
from gather_clients.outbox.outbox_entries import Waiting
from gather_contracts import names
from gather_contracts.events import AutomationCancelled, Deduplicating, Event
from tests.support.events.stored_events import waiting
from tests.support.events.webhook_receiver import HOST, Receiver

ServeBridge = Callable[..., AbstractAsyncContextManager[Any]]

SECRET = b"a-secret-of-some-length"
KEYS = SigningKeys(SECRET.decode())
LOOPBACK = ip_network("127.0.0.0/8")
DOCS = ROOT / "docs" / "events.md"


@dataclass
class Hook:
    """One run's webhook, at the receiver, and the bridge that serves it."""

    serve_bridge: ServeBridge
    receiver: Receiver
    log: EventLog
    redis_url: str
    project: str
    settings: dict[str, Any]

    @property
    def uid(self) -> str:
        """The run's UID, another one for each test."""
        return f"{self.project}-run"

    def register(self, host: str = "127.0.0.1") -> None:
        """Register the webhook as the operator does."""
        with redis.Redis.from_url(self.redis_url) as client:
            url = f"https://{host}:{self.receiver.port}/hooks"
            fields: dict[Any, Any] = {"project_id": self.project, "run": "film", "url": url}
            client.hset(names.webhook_registration(self.uid), mapping=fields)
            client.sadd(names.WEBHOOK_REGISTRATIONS, self.uid)

    async def until_unlisted(self) -> None:
        """Wait until the bridge has taken the run off the list."""
        with redis.Redis.from_url(self.redis_url) as client:
            async with asyncio.timeout(30):
                while client.sismember(names.WEBHOOK_REGISTRATIONS, self.uid):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

    def serve(self, **changed: Any) -> AbstractAsyncContextManager[Any]:
        """Serve a bridge that may call the receiver."""
        return self.serve_bridge(**{**self.settings, **changed})

    async def append(self, count: int = 1, run_uid: str | None = None) -> None:
        """Append events of the run, or of another one."""
        for _ in range(count):
            await self.log.append(an_event(self.project, run_uid or self.uid))

    async def end(self) -> None:
        """Append the run's last event."""
        await self.log.append(
            AutomationCancelled(project_id=self.project, run="film", run_uid=self.uid, items_created_so_far=3)
        )


@pytest.fixture
def hook(
    serve_bridge: ServeBridge, receiver: Receiver, log: EventLog, redis_url: str, certificate: Path
) -> Hook:
    """A webhook that is not yet registered, of a project of its own; none of an earlier test is served."""
    with redis.Redis.from_url(redis_url) as client:
        client.delete(names.WEBHOOK_REGISTRATIONS)
    settings = {
        "webhook_allowed_networks": [LOOPBACK],
        "webhook_ca_file": certificate,
        "webhook_retry_base_s": 0.05,
    }
    return Hook(serve_bridge, receiver, log, redis_url, uuid4().hex[:24], settings)


def to(url: str) -> Waiting:
    """An event on its way to a URL."""
    return waiting(an_event("66f1a2b3c4d5e6f708192a3b", "u"), url)


def an_event(project: str, run_uid: str) -> Event:
    return Deduplicating(project_id=project, run="film", run_uid=run_uid, department="story")


async def test_every_event_of_the_run_arrives_signed_and_in_order(hook: Hook) -> None:
    """Those from before the registration too; another run's not; after the last one nothing more."""
    await hook.append()
    await hook.append(run_uid="another run")
    async with hook.serve() as serving:
        hook.register()
        await hook.receiver.wait_for(1)
        await hook.append()
        await hook.append(run_uid="another run")
        await hook.end()
        await hook.append()
        await hook.receiver.wait_for(3)
        await hook.until_unlisted()
        await serving.until_metric('gather_bridge_webhook_deliveries_total{result="delivered"} 3.0')
    headers = hook.receiver.headers
    epoch, _ = await hook.log.position(hook.project)
    assert hook.receiver.offsets == [1, 3, 5]
    assert [h["x-gather-delivery"] for h in headers] == [f"{epoch}-{n}" for n in (1, 3, 5)]
    assert [h["x-gather-event"] for h in headers] == ["deduplicating"] * 2 + ["automation_cancelled"]
    assert headers[0]["host"] == f"127.0.0.1:{hook.receiver.port}"


async def test_a_run_that_had_its_last_event_gets_nothing_more_if_registered_again(hook: Hook) -> None:
    """An operator that restarts may register it once more."""
    hook.register()
    await hook.append()
    await hook.end()
    async with hook.serve() as serving:
        await hook.receiver.wait_for(2)
        await serving.until_metric("gather_bridge_webhooks 0.0")
        hook.register()
        await hook.until_unlisted()
    assert hook.receiver.offsets == [1, 2]


async def test_the_documented_check_accepts_our_signature_and_no_other(
    receiver: Receiver, certificate: Path
) -> None:
    """docs/events.md holds the function; here it is run."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102 - our own documentation
    is_genuine = scope["is_genuine"]
    client = WebhookClient(KEYS, 5, [LOOPBACK], certificate)
    await client.deliver(to(f"https://127.0.0.1:{receiver.port}/"))
    body, header, now_s = receiver.bodies[0], receiver.headers[0]["x-gather-signature"], time.time()
    assert is_genuine(SECRET, header, body, now_s)
    assert not is_genuine(SECRET, header, body + b" ", now_s)
    assert not is_genuine(b"another secret", header, body, now_s)
    for forged in (
        "",
        "t=,v1=",
        "t=²,v1=00",
        f"t={int(now_s)},v1=é",
        header + "é",
        "t=" + "9" * 30 + ",v1=0",
    ):
        assert not is_genuine(SECRET, forged, body, now_s)
    assert not is_genuine(SECRET, header, body, now_s + 301)
    assert not is_genuine(SECRET, header.replace("t=", "t=1"), body, now_s)
    assert not is_genuine(SECRET, "", body, now_s)


async def test_failures_redis_and_the_bridge_itself_may_come_and_go(
    hook: Hook, redis_store: ServiceProcess
) -> None:
    """Every event arrives at least once and in order, whatever was unavailable in between."""
    hook.receiver.answers = [500, 503, 429, 302]
    hook.register()
    await hook.append(5)
    async with hook.serve() as serving:
        await hook.receiver.wait_for(9)
        redis_store.kill()
        await serving.until_live(is_live=False)
        redis_store.start()
        await hook.append(5)
        await hook.receiver.wait_for(14)
    await hook.append(4)
    await hook.end()
    async with hook.serve():
        await hook.receiver.wait_for(19)
    assert list(dict.fromkeys(hook.receiver.offsets)) == list(range(1, 16))
    assert set(hook.receiver.paths) == {"/hooks"}


async def test_private_addresses_are_never_called(hook: Hook) -> None:
    """Unless the settings name their network; the receiver is the canary."""
    hook.register("localhost")
    await hook.append()
    async with hook.serve(webhook_allowed_networks=[]) as serving:
        await serving.until_counted('gather_bridge_webhook_deliveries_total{result="failed"}')
        await serving.bridge.registrations.end(hook.uid, "test over")
    assert hook.receiver.bodies == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]",
                                  "[::ffff:127.0.0.1]", "0.0.0.0"])  # fmt: skip
async def test_no_spelling_of_this_machine_is_called(
    receiver: Receiver, certificate: Path, host: str
) -> None:
    """The system's own resolver has its say."""
    client = WebhookClient(KEYS, 5, [], certificate)
    with pytest.raises((DeliveryFailed, UrlRefused)):
        await client.deliver(to(f"https://{host}:{receiver.port}/"))
    assert receiver.bodies == []


async def test_the_address_that_was_judged_is_the_one_that_is_called(
    receiver: Receiver, certificate: Path
) -> None:
    """A name is resolved once for each call, so that it cannot become another address in between."""
    answers = [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["169.254.169.254"]]
    asked = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return answers.pop(0)

    client = WebhookClient(KEYS, 5, [LOOPBACK], certificate, resolve=rebinding)
    url = f"https://{HOST}:{receiver.port}/hooks"
    await client.deliver(to(url))
    assert receiver.headers[0]["host"] == f"{HOST}:{receiver.port}"
    for _ in range(2):
        with pytest.raises(DeliveryFailed, match="not public"):
            await client.deliver(to(url))
    assert asked == [(HOST, receiver.port)] * 3
    assert len(receiver.bodies) == 1


async def test_the_certificate_must_be_for_the_name_and_from_a_known_authority(
    receiver: Receiver, certificate: Path
) -> None:
    """Although the connection goes to an address."""

    async def here(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    wrong_name = WebhookClient(KEYS, 5, [LOOPBACK], certificate, resolve=here)
    unknown_authority = WebhookClient(KEYS, 5, [LOOPBACK], resolve=here)
    for client, host in ((wrong_name, "other.example"), (unknown_authority, HOST)):
        with pytest.raises(DeliveryFailed, match="ConnectError"):
            await client.deliver(to(f"https://{host}:{receiver.port}/"))
    assert receiver.bodies == []


async def test_redirects_are_not_followed(receiver: Receiver, certificate: Path) -> None:
    """A redirect leads wherever its sender likes."""
    client = WebhookClient(KEYS, 5, [LOOPBACK], certificate)
    for status in (301, 302, 307, 308):
        receiver.answers = [status]
        with pytest.raises(DeliveryFailed, match=f"status {status}"):
            await client.deliver(to(f"https://127.0.0.1:{receiver.port}/hooks"))
    assert set(receiver.paths) == {"/hooks"}


async def test_a_receiver_that_hangs_costs_the_time_limit_and_no_more(
    receiver: Receiver, certificate: Path
) -> None:
    """Before its answer, and in the middle of it."""

    async def hang(_: Any) -> None:
        await asyncio.sleep(60)

    async def endless(send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)

    client = WebhookClient(KEYS, 0.5, [LOOPBACK], certificate)
    url = f"https://127.0.0.1:{receiver.port}/"
    receiver.answers = [hang, endless]
    started_s = time.monotonic()
    with pytest.raises(DeliveryFailed, match="no answer in time"):
        await client.deliver(to(url))
    await client.deliver(to(url))  # its status is all that counts; the rest is not read
    assert time.monotonic() - started_s < 30
