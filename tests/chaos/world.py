"""All services of Gather as processes of this machine, with passwords, reached by ways that can be made slow.

MongoDB is a replica set of one member, as where people work. MongoDB, Neo4j and Redis have a small disk each
where mounts are allowed. All read their secrets from one folder, as from a mounted Secret.
"""

import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import neo4j
from pymongo import MongoClient

from dev.artefacts.store_binaries import StoreArtefacts
from dev.paths import ROOT
from dev.rooms import BRAIN_KEY, brain_service, bridge_service
from dev.service_process import HOST, PROBE_TIMEOUT_S, ServiceProcess, free_port, http_answers
from dev.stores import mongodb_store, neo4j_store
from gather_brain.limits.policy import LIMIT_NAMES
from tests.chaos.confinement import SmallDisk, small_disk
from tests.chaos.ways import Way, ways_to
from tests.support.events.redis_servers import redis_server
from tests.support.worker_harness import demo_model_service

MONGODB, REDIS, NEO4J, BRAIN, BRIDGE, CMS, MODEL = SERVICES = (
    "mongodb", "redis", "neo4j", "brain", "bridge", "cms", "model",
)  # fmt: skip
OPERATOR: Final = "operator"
"""Where it runs as a process too (`real_operator.py`)."""
DISKS_MIB: Final = {MONGODB: 800, NEO4J: 1100, REDIS: 64}
"""Of Neo4j's, 512 MiB are two logs that it sets aside; MongoDB sets 300 MiB aside."""
ADMIN: Final = "administrator"
NEO4J_FIRST: Final = "neo4j"
"""The password that Neo4j begins with and wants to be changed."""
NEO4J_PROBE: Final = "CREATE (probe:Probe) DELETE probe"
MODEL_DELAY_S: Final = 0.3
COMMAND_TIMEOUT_S: Final = 120
NOTHING: Final[Mapping[str, ServiceProcess]] = MappingProxyType({})
KEY_LIMITS: Final = tuple(f"--limit={name}=100000/100000" for name in LIMIT_NAMES)


def new_password() -> str:
    """Return a password."""
    return secrets.token_hex(12)


@dataclass
class World:
    """The services by name, the ways to them, and the folder that has the secrets."""

    folder: Path
    services: dict[str, ServiceProcess]
    ways: dict[str, Way]
    admin_password: str
    disks: dict[str, SmallDisk] = field(default_factory=dict)
    users: int = 0
    """Made in MongoDB so far."""
    brain_key_id: str = ""
    """Of the key in use, if it was made by command."""

    @property
    def secrets(self) -> Path:
        """The folder of secret files."""
        return self.folder / "secrets"

    def secret(self, name: str) -> str:
        """Return what a secret's file has now."""
        return (self.secrets / name).read_text(encoding="utf-8")

    def write_secret(self, name: str, value: str) -> None:
        """Replace a secret's file in one step, as a kubelet does."""
        write_secret(self.secrets, name, value)

    def environment(self) -> dict[str, str]:
        """Return what a worker's ConfigMap would set."""
        return {
            "GATHER_SECRETS_DIR": str(self.secrets),
            "BRAIN_SERVICE_BASE_URL": self.uri(BRAIN),
            "GATHER_LLM_BASE_URL": f"{self.uri(MODEL)}/v1",
        }

    def uri(self, service: str) -> str:
        """Return a service's address by its way."""
        return self.ways[service].of(self.services[service].uri)

    # --- as an administrator sees the stores, past the ways

    @contextmanager
    def mongodb(self) -> Iterator[MongoClient[dict[str, Any]]]:
        """Open MongoDB with all rights."""
        place = self.services[MONGODB].uri.split("/")[2]
        uri = f"mongodb://{ADMIN}:{self.admin_password}@{place}/?directConnection=true&authSource=admin"
        with MongoClient[dict[str, Any]](uri, tz_aware=True) as client:
            yield client

    @contextmanager
    def neo4j(self, password: str | None = None) -> Iterator[neo4j.Driver]:
        """Open Neo4j."""
        auth = ("neo4j", password or self.secret("NEO4J_PASSWORD"))
        with neo4j.GraphDatabase.driver(self.services[NEO4J].uri, auth=auth) as driver:
            yield driver

    def mongodb_uri(self, user: str, password: str) -> str:
        """Return the address of the workers' user."""
        address = self.uri(MONGODB).split("/")[2]
        return f"mongodb://{user}:{password}@{address}/?directConnection=true&authSource=admin"

    def redis_uri(self, password: str) -> str:
        """Return the address of the rooms' user."""
        return f"redis://gather:{password}@{HOST}:{self.ways[REDIS].port}/0"

    def add_mongodb_user(self) -> tuple[str, str]:
        """Make a further user for workers; return name and address."""
        self.users += 1
        name, password = f"gather-{self.users}", new_password()
        with self.mongodb() as client:
            client.admin.command("createUser", name, pwd=password, roles=["readWriteAnyDatabase"])
        return name, self.mongodb_uri(name, password)

    def brain_command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `gather-brain` with the brain's settings."""
        brain = self.services[BRAIN]
        program = str(brain.command[0])
        return subprocess.run(
            [program, *arguments], env={**dict(brain.environment), "PATH": "/usr/bin:/bin"}, check=True,
            capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S,
        )  # fmt: skip


def write_secret(folder: Path, name: str, value: str) -> None:
    """Write a secret's file in one step."""
    temporary = folder / f".{name}"
    temporary.write_text(value, encoding="utf-8")
    temporary.rename(folder / name)


@contextmanager
def world(
    folder: Path, artefacts: StoreArtefacts, *, is_short: bool = False, has_small_disks: bool = True,
    running: Mapping[str, ServiceProcess] = NOTHING,
) -> Iterator[World]:  # fmt: skip
    """Run everything while the block lasts.

    Neo4j and a brain that knows `BRAIN_KEY` may be `running` already; they are not ended, and Neo4j wants no
    password.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "secrets").mkdir()
    password = new_password()
    with ExitStack() as stack:
        services = {
            MONGODB: _mongodb(folder, artefacts),
            REDIS: _redis(folder, password),
            NEO4J: running.get(NEO4J) or _neo4j(folder, artefacts, is_short=is_short),
            MODEL: _model(folder),
            CMS: _cms(folder),
        }
        services[BRIDGE] = _without_redis_url(bridge_service(_made(folder / BRIDGE), "", _seen(folder)))
        model_dir = artefacts.embedding_model()
        brain = running.get(BRAIN) or brain_service(
            _made(folder / BRAIN), "bolt://none", model_dir, _seen(folder)
        )
        services[BRAIN] = brain
        ways = stack.enter_context(ways_to(**{name: each.uri for name, each in services.items()}))
        if BRAIN not in running:
            settings = {**brain.environment, "NEO4J_URI": ways[NEO4J].of(services[NEO4J].uri)}
            services[BRAIN] = replace(brain, environment=settings)
        made = World(folder, services, ways, password)
        for name, mib in DISKS_MIB.items() if has_small_disks else ():
            if disk := stack.enter_context(small_disk(_made(folder / name / "data"), mib)):
                made.disks[name] = disk
        _start(made, stack, running)
        yield made


def _start(made: World, stack: ExitStack, running: Mapping[str, ServiceProcess]) -> None:
    """Start what does not run yet, the stores first, and make users, passwords and a key."""

    def start(*services: str) -> None:
        for name in services:
            if name not in running:
                stack.callback(made.services[name].kill)  # its data is not needed
                made.services[name].start()

    start(MONGODB, REDIS, NEO4J)
    with MongoClient[dict[str, Any]](made.services[MONGODB].uri) as client:
        client.admin.command("createUser", ADMIN, pwd=made.admin_password, roles=["root"])
    made.write_secret("MONGODB_URI", made.add_mongodb_user()[1])
    made.write_secret("REDIS_URL", made.redis_uri(made.admin_password))
    made.write_secret("NEO4J_PASSWORD", "none" if NEO4J in running else _changed_password(made))
    made.write_secret("OPENROUTER_API_KEY", "demo-llm-wants-no-key")
    start(MODEL, CMS, BRIDGE, BRAIN)
    if BRAIN in running:
        made.write_secret("BRAIN_SERVICE_API_KEY", BRAIN_KEY)
        return
    key = made.brain_command("keys", "create", "--project", "*", "--name", "worker", *KEY_LIMITS)
    made.write_secret("BRAIN_SERVICE_API_KEY", key.stdout.strip())
    made.brain_key_id = key.stderr.split()[2]


def _changed_password(made: World) -> str:
    """Change the password that Neo4j begins with, without which it does nothing; return the new one."""
    new, query = new_password(), "ALTER CURRENT USER SET PASSWORD FROM $old TO $new"
    with made.neo4j(NEO4J_FIRST) as driver:
        driver.execute_query(query, old=NEO4J_FIRST, new=new, database_="system")
    return new


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _seen(folder: Path) -> dict[str, str]:
    return {"GATHER_SECRETS_DIR": str(folder / "secrets")}


def _without_redis_url(service: ServiceProcess) -> ServiceProcess:
    """Let it read the file, which is read again, and not a variable."""
    kept = {name: value for name, value in service.environment.items() if name != "REDIS_URL"}
    return replace(service, environment=kept)


def _mongodb(folder: Path, artefacts: StoreArtefacts) -> ServiceProcess:
    store = mongodb_store(artefacts, _made(folder / MONGODB), is_replicated=True)
    key = folder / MONGODB / "key"
    key.write_text(secrets.token_hex(32), encoding="ascii")
    key.chmod(0o600)
    return replace(store, command=[*store.command, "--auth", "--keyFile", str(key)])


def _redis(folder: Path, password: str) -> ServiceProcess:
    users = _made(folder / REDIS) / "users.acl"
    rights = "~* &* +@all"
    lines = [f"user default on >{password} {rights}", f"user gather on >{password} {rights}"]
    users.write_text("\n".join(lines) + "\n", encoding="ascii")
    options = ("--save", "", "--appendonly", "yes", "--aclfile", str(users))
    data = _made(folder / REDIS / "data")
    return replace(
        redis_server(data, *options, credentials=f"default:{password}@"), folder=folder / REDIS
    )  # fmt: skip


def _neo4j(folder: Path, artefacts: StoreArtefacts, *, is_short: bool) -> ServiceProcess:
    store = neo4j_store(artefacts, _made(folder / NEO4J), is_short_lived=is_short)
    configuration = folder / NEO4J / "conf" / "neo4j.conf"
    text = configuration.read_text(encoding="utf-8")
    off, on = (f"dbms.security.auth_enabled={word}" for word in ("false", "true"))
    configuration.write_text(text.replace(off, on), encoding="utf-8")
    return replace(store, answers=partial(_neo4j_answers, folder / "secrets" / "NEO4J_PASSWORD"))


def _neo4j_answers(password: Path, uri: str) -> bool:
    """Return whether Neo4j can write; at its first start it wants its password to be changed first.

    After its disk was full it may read on and write nothing until it is started again.
    """
    given = password.read_text(encoding="utf-8") if password.exists() else NEO4J_FIRST
    auth = ("neo4j", given)
    driver = neo4j.GraphDatabase.driver(uri, auth=auth, connection_timeout=PROBE_TIMEOUT_S)
    database = "neo4j" if password.exists() else "system"
    with driver, driver.session(database=database) as session:
        try:
            session.run(NEO4J_PROBE if password.exists() else "SHOW CURRENT USER").consume()
        except neo4j.exceptions.Neo4jError as error:
            return error.code == "Neo.ClientError.Security.CredentialsExpired"
        except (neo4j.exceptions.DriverError, OSError):
            return False
    return True


def _model(folder: Path) -> ServiceProcess:
    service = demo_model_service(_made(folder / MODEL))
    return replace(
        service, environment={**service.environment, "GATHER_DEMO_LLM_DELAY_S": str(MODEL_DELAY_S)}
    )  # fmt: skip


def _cms(folder: Path) -> ServiceProcess:
    port = free_port()
    environment = {"GATHER_DEMO_PORT": str(port), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gather_demo.cms"]
    uri = f"http://{HOST}:{port}"
    return ServiceProcess("Demo CMS", uri, _made(folder / CMS), command, http_answers, environment)
