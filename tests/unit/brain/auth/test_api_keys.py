"""Keys: their form, the file that brings the first ones, and who they stand for."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gather_brain.auth.api_keys import BootstrapKey, bearer_key, is_well_formed, new_key, read_keys_file
from gather_brain.auth.key_ring import CACHE_MAX, CACHE_S, LOOK_UPS_MAX, KeyRing, Principal
from gather_brain.embeddings.slots import Model, Place
from gather_brain.errors import NotFoundError, UnauthorizedError, UnavailableError
from gather_brain.limits.policy import DEFAULTS
from gather_brain.main import cli
from gather_brain.store.keys import StoredKey
from gather_clients.configuration import ConfigurationError
from gather_clients.issued_secrets import secret_hash
from gather_clients.limits.gcra import Policy
from tests.support.fake_clock import FakeClock

PROJECT = "507f1f77bcf86cd799439011"
PLACE = Place("a", Model("model", 2))
OTHER = "507f1f77bcf86cd799439012"


class FakeKeyStore:
    """A store of keys that counts its queries."""

    def __init__(self, *keys: StoredKey) -> None:
        self.keys = {key.sha256: key for key in keys}
        self.queries = 0
        self.is_unavailable = False

    async def find(self, sha256: str) -> StoredKey | None:
        """Answer as Neo4j would."""
        self.queries += 1
        if self.is_unavailable:
            raise UnavailableError
        return self.keys.get(sha256)


class SlowKeyStore(FakeKeyStore):
    """A store that answers when the test says so, and knows how many queries wait at once."""

    def __init__(self, *keys: StoredKey) -> None:
        super().__init__(*keys)
        self.waiting: list[asyncio.Event] = []
        self.most = 0

    async def find(self, sha256: str) -> StoredKey | None:
        """Wait for `answer`."""
        answered = asyncio.Event()
        self.waiting.append(answered)
        self.most = max(self.most, len(self.waiting))
        await answered.wait()
        return await super().find(sha256)

    def answer(self) -> None:
        """Answer all that wait."""
        for answered in self.waiting:
            answered.set()
        self.waiting.clear()


def test_a_new_key_is_well_formed_and_unlike_any_other() -> None:
    """256 random bits, a prefix for scanners, a checksum."""
    first, second = new_key(), new_key()
    assert first != second
    assert first.startswith("gbk_")
    assert is_well_formed(first)


@given(st.integers(4, 46), st.sampled_from("ABCabc019-"))
def test_a_mistyped_key_is_turned_away_without_a_look_up(place: int, letter: str) -> None:
    """The checksum sees one wrong character."""
    key = new_key()
    mistyped = key[:place] + letter + key[place + 1 :]
    assert mistyped == key or not is_well_formed(mistyped)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Basic abc", None),
        (f"Bearer {'a' * 300}", None),
        ("Bearer ключ", None),
    ],
)
def test_the_key_of_an_authorization_header(header: str | None, key: str | None) -> None:
    """Only bearer keys of sane length are looked at."""
    assert bearer_key(header) == key


async def test_a_key_from_the_file_needs_no_store() -> None:
    """Workers keep their access while Neo4j is unavailable."""
    store = FakeKeyStore()
    store.is_unavailable = True
    ring = KeyRing([BootstrapKey(name="worker", sha256=secret_hash("secret"), projects=("*",))], store)
    assert (await ring.principal_of("secret")).projects == {"*"}


@pytest.mark.parametrize("key", [None, "nonsense", "gbk_short"])
async def test_no_key_and_malformed_keys_are_refused_without_asking_the_store(key: str | None) -> None:
    """Floods of nonsense cost no query."""
    store = FakeKeyStore()
    with pytest.raises(UnauthorizedError):
        await KeyRing([], store).principal_of(key)
    assert store.queries == 0


async def test_revoking_takes_effect_within_the_cache_time(clock: FakeClock) -> None:
    """5 seconds are promised."""
    assert CACHE_S <= 5
    key = new_key()
    store = FakeKeyStore(StoredKey("id", "app", secret_hash(key), (PROJECT,)))
    ring = KeyRing([], store, clock)
    assert (await ring.principal_of(key)).key_id == "id"
    store.keys.clear()
    clock.now_s += CACHE_S - 0.1
    assert (await ring.principal_of(key)).key_id == "id"
    clock.now_s += 0.2
    with pytest.raises(UnauthorizedError):
        await ring.principal_of(key)


async def test_unknown_keys_are_remembered_for_a_while_but_not_without_end() -> None:
    """A flood of well-formed unknown keys must not grow memory."""
    store = FakeKeyStore()
    ring = KeyRing([], store, FakeClock())
    for _ in range(CACHE_MAX + 10):
        with pytest.raises(UnauthorizedError):
            await ring.principal_of(new_key())
    assert len(ring._unknown) == CACHE_MAX


async def test_a_flood_of_unknown_keys_does_not_drive_out_a_valid_one() -> None:
    """Valid keys cost no further look-up."""
    key = new_key()
    store = FakeKeyStore(StoredKey("id", "app", secret_hash(key), (PROJECT,)))
    ring = KeyRing([], store, FakeClock())
    await ring.principal_of(key)
    for _ in range(CACHE_MAX + 10):
        with pytest.raises(UnauthorizedError):
            await ring.principal_of(new_key())
    queries = store.queries
    assert (await ring.principal_of(key)).key_id == "id"
    assert store.queries == queries


async def test_look_ups_are_few_at_once_and_shared_by_requests_with_the_same_key() -> None:
    """Anybody can make up well-formed keys; Neo4j's connections are for those who have one."""
    key = new_key()
    store = SlowKeyStore(StoredKey("id", "app", secret_hash(key), (PROJECT,)))
    ring = KeyRing([], store, FakeClock())
    keys = [key] * 50 + [new_key() for _ in range(50)]
    tasks = [asyncio.create_task(ring.principal_of(each)) for each in keys]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        store.answer()
    assert store.most == LOOK_UPS_MAX
    assert store.queries < LOOK_UPS_MAX + 51
    assert [task.exception() is None for task in tasks] == [True] * 50 + [False] * 50


@pytest.mark.parametrize("stored", [True, False])
async def test_a_key_ends_at_its_time_even_if_it_is_remembered(stored: bool) -> None:
    """To the second, not to the cache's time."""
    key, end = new_key(), datetime(2030, 1, 1, tzinfo=UTC)
    now = [end - timedelta(seconds=1)]
    kept = StoredKey("id", "app", secret_hash(key), (PROJECT,), expires_at=end)
    listed = BootstrapKey(name="app", sha256=secret_hash(key), projects=(PROJECT,), expires_at=end)
    ring = KeyRing([] if stored else [listed], FakeKeyStore(kept), FakeClock(), lambda: now[0])
    assert (await ring.principal_of(key)).projects == {PROJECT}
    now[0] = end
    with pytest.raises(UnauthorizedError):
        await ring.principal_of(key)


async def test_a_key_s_own_limits_override_the_defaults() -> None:
    """Name by name."""
    key, own = new_key(), Policy(per_minute=600, burst=700)
    ring = KeyRing(
        [], FakeKeyStore(StoredKey("id", "app", secret_hash(key), (PROJECT,), {"batch": own})), FakeClock()
    )
    principal = await ring.principal_of(key)
    assert principal.policy("batch") == own
    assert principal.policy("coverage") == DEFAULTS["coverage"]


async def test_an_unavailable_store_is_not_a_wrong_key() -> None:
    """The caller must hear "later", not "never"."""
    store = FakeKeyStore()
    store.is_unavailable = True
    with pytest.raises(UnavailableError):
        await KeyRing([], store).principal_of(new_key())


def test_a_principal_opens_its_own_projects_only() -> None:
    """Another's project looks like one that does not exist."""
    principal = Principal("id", frozenset({PROJECT}))
    with pytest.raises(NotFoundError):
        principal.open(None, OTHER, PLACE)  # type: ignore[arg-type]
    assert principal.open(None, PROJECT, PLACE) is not None  # type: ignore[arg-type]


def test_the_keys_file_is_read(tmp_path: Path) -> None:
    """The chart mounts it."""
    path = tmp_path / "keys.json"
    worker = {
        "name": "worker", "sha256": "0" * 64, "projects": ["*", PROJECT],
        "limits": {"batch": {"per_minute": 600, "burst": 700}}, "expires_at": "2030-01-01T00:00:00Z",
    }  # fmt: skip
    path.write_text(json.dumps([worker]))
    (key,) = read_keys_file(path)
    assert key.projects == ("*", PROJECT)
    assert key.limits == {"batch": Policy(per_minute=600, burst=700)}
    assert key.expires_at == datetime(2030, 1, 1, tzinfo=UTC)
    assert read_keys_file(None) == ()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[1]",
        '[{"name": "x", "sha256": "short", "projects": ["*"]}]',
        '[{"name": "x", "key": "SECRET"}]',
        f'[{{"name": "x", "sha256": "{"0" * 64}", "projects": ["*"], "limits": {{"batches": {{}}}}}}]',
        f'[{{"name": "x", "sha256": "{"0" * 64}", "projects": ["*"], "expires_at": "2030-01-01T00:00:00"}}]',
    ],
)
def test_a_bad_keys_file_is_refused_without_showing_what_it_holds(tmp_path: Path, content: str) -> None:
    """Its errors end up in logs."""
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError) as refused:
        read_keys_file(path)
    assert "SECRET" not in str(refused.value)
    assert "short" not in str(refused.value)


def test_a_missing_keys_file_is_reported(tmp_path: Path) -> None:
    """A wrong mount must not start a brain without keys."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_keys_file(tmp_path / "none.json")


@pytest.mark.parametrize(
    "arguments",
    [["--limit", "batch=0/1"], ["--limit", "nonsense=1/1"], ["--expires-in", "soon"], ["--expires-in", "0d"]],
)
def test_limits_and_ends_that_are_none_are_refused(arguments: list[str]) -> None:
    """A typing error must not become a key; the store gets no query."""
    refused = CliRunner().invoke(cli, ["keys", "create", "--name", "x", "--project", PROJECT, *arguments])
    assert (refused.exit_code, refused.stdout) == (2, "")


def test_a_key_for_all_projects_needs_an_explicit_star() -> None:
    """No project is not every project."""
    assert CliRunner().invoke(cli, ["keys", "create", "--name", "x"]).exit_code == 2
