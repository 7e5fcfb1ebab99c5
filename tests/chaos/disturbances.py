"""What is done to services, drawn by a seed, and how it is undone."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import redis

from dev.errors import DevError
from dev.service_process import ServiceProcess
from dev.waiting import wait_for
from tests.chaos.confinement import memory_group, memory_groups
from tests.chaos.world import (
    BRAIN,
    DISKS_MIB,
    KEY_LIMITS,
    MONGODB,
    NEO4J,
    OPERATOR,
    REDIS,
    SERVICES,
    World,
    new_password,
)

SLOW_S: Final = 2.0
"""Added to each answer."""
MEMORY_SHARE: Final = 0.6
"""Of what the service has in memory at work."""
BY_ITSELF_S: Final = 120.0
"""From a disturbance's end: a service that does not answer by then is started again, as by its probe."""
MAY_NEED_A_START: Final = {"full", "memory"}
"""After these the disturbed service may have ended, or may have to be started again. So may the operator
after anything: one that has lost its Lease ends, and its pod's container is started again."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One thing that is done to one service."""

    kind: str
    service: str
    after_s: float
    """From the end of the one before."""
    lasts_s: float

    @property
    def name(self) -> str:
        """Return what `--only` takes."""
        return f"{self.kind}/{self.service}"


@dataclass
class Disturber:
    """Does things to the services of a world, and has them all at work afterwards."""

    world: World
    stuck: list[str] = field(default_factory=list)
    """Services that did not come back by themselves where they should have."""

    def carry_out(self, one: Disturbance) -> str:
        """Do it and undo it; return what was seen of the service, "" if nothing special was."""
        seen = DOINGS[one.kind](self, one.service, one.lasts_s)
        found = self.mend()
        excused = {OPERATOR, *({one.service} if one.kind in MAY_NEED_A_START else ())}
        self.stuck += [f"{one.name}: {each}" for each in found if each.split()[0] not in excused]
        return "; ".join([*seen, *found])

    def keep_up(self) -> None:
        """Start what has ended while nothing is done to anything."""
        self.stuck += [f"later: {each}" for each in start_ended(self.world) if each.split()[0] != OPERATOR]

    def mend(self) -> list[str]:
        """Start again what does not run or does not answer; return what that was."""
        found = start_ended(self.world)
        for name, service in self.world.services.items():
            with suppress(RuntimeError):
                if service.pid and not self._answers(service):
                    found.append(f"{name} did not answer by itself")
                    service.kill()
            service.start()
        return found

    def _answers(self, service: ServiceProcess) -> bool:
        with suppress(DevError):
            return wait_for(service.name, lambda: service.answers(service.uri), BY_ITSELF_S)
        return False

    def kill(self, service: str, lasts_s: float) -> list[str]:
        """End its process as a crash does, and start it some time later."""
        self.world.services[service].kill()
        time.sleep(lasts_s)
        self.world.services[service].start()
        return []

    def stop(self, service: str, lasts_s: float) -> list[str]:
        """Let it hang with its connections open."""
        pid = self.world.services[service].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(lasts_s)
        finally:
            os.kill(pid, signal.SIGCONT)
        return []

    def cut(self, service: str, lasts_s: float) -> list[str]:
        """Let nobody reach it, as a network that is parted."""
        with self.world.ways[service].absent():
            time.sleep(lasts_s)
        return []

    def slow(self, service: str, lasts_s: float) -> list[str]:
        """Let each of its answers take longer."""
        self.world.ways[service].delay_s = SLOW_S
        try:
            time.sleep(lasts_s)
        finally:
            self.world.ways[service].delay_s = 0.0
        return []

    def full(self, service: str, lasts_s: float) -> list[str]:
        """Take all that its disk has left."""
        disk, seen = self.world.disks[service], []
        disk.fill()
        try:
            ends_at = time.monotonic() + lasts_s
            while time.monotonic() < ends_at:
                time.sleep(1)
                disk.fill()  # what a process gives back when it dies
        finally:
            seen += [f"{service} ended of it"] if self.world.services[service].has_ended else []
            disk.free()
        return seen

    def memory(self, service: str, lasts_s: float) -> list[str]:
        """Start it again with less memory than it needs, again and again while the kernel kills it."""
        process, groups, seen = self.world.services[service], memory_groups(), []
        if groups is None:
            raise RuntimeError("no control groups of version 1 can be made here")
        limit_bytes = int(_resident_bytes(process.pid) * MEMORY_SHARE)
        process.stop()
        kills = starts = 0
        with memory_group(groups, limit_bytes) as group:
            limited: subprocess.Popen[bytes] | None = None
            ends_at = time.monotonic() + lasts_s
            with process.log.open("ab") as log:
                while time.monotonic() < ends_at:
                    if limited is None or limited.poll() is not None:
                        starts += 1
                        limited = subprocess.Popen(
                            ["setpriv", "--pdeathsig", "KILL", *group.enter(), *map(str, process.command)],
                            cwd=process.folder, env={**os.environ, **process.environment},
                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                        )  # fmt: skip
                    time.sleep(0.5)
            if limited is not None:
                limited.kill()
                limited.wait()
            kills = group.kills
        seen.append(f"{service} with {limit_bytes >> 20} MiB: killed {kills} of {starts} times")
        process.start()
        return seen

    def rotate(self, service: str, lasts_s: float) -> list[str]:
        """Replace the password: the new one is valid, stands in the file, and then the old one is not."""
        ROTATIONS[service](self.world, lasts_s)
        return []


def start_ended(world: World) -> list[str]:
    """Start again what has ended by itself, as a kubelet does with a container; return what that was."""
    ended = [name for name, service in world.services.items() if service.has_ended]
    for name in ended:
        world.services[name].kill()
        world.services[name].start()
    return [f"{name} had ended" for name in ended]


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


# --- passwords


def rotate_mongodb(world: World, both_s: float) -> None:
    """By a second user, whose address stands in the file before the first one goes."""
    before = world.secret("MONGODB_URI").split("//")[1].split(":")[0]
    _, uri = world.add_mongodb_user()
    world.write_secret("MONGODB_URI", uri)
    time.sleep(both_s)
    with world.mongodb() as client:
        client.admin.command("dropUser", before)


def rotate_redis(world: World, both_s: float) -> None:
    """By a second password of the user; connections with the first have to be made again."""
    before, after = world.secret("REDIS_URL").split(":")[2].split("@")[0], new_password()
    with redis.Redis.from_url(world.services[REDIS].uri) as client:
        client.execute_command("ACL", "SETUSER", "gather", f">{after}")
        world.write_secret("REDIS_URL", world.redis_uri(after))
        time.sleep(both_s)
        client.execute_command("ACL", "SETUSER", "gather", f"<{before}")
        client.execute_command("ACL", "SAVE")
        client.execute_command("CLIENT", "KILL", "USER", "gather")


def rotate_neo4j(world: World, both_s: float) -> None:
    """In place, since a user of Neo4j has one password; the file follows, and connections are cut."""
    after = new_password()
    with world.neo4j() as driver:
        driver.execute_query(
            "ALTER USER neo4j SET PASSWORD $new CHANGE NOT REQUIRED", new=after, database_="system"
        )
        world.write_secret("NEO4J_PASSWORD", after)
    time.sleep(both_s)
    with world.neo4j() as driver:
        found = driver.execute_query("CALL dbms.listConnections() YIELD connectionId, userAgent").records
        brains = [r["connectionId"] for r in found if r["userAgent"].startswith("gather-brain")]
        driver.execute_query("CALL dbms.killConnections($ids)", ids=brains)


def rotate_brain(world: World, both_s: float) -> None:
    """By commands: a second key is made, stands in the file, and the first one is revoked."""
    made = world.brain_command("keys", "create", "--project", "*", "--name", "worker", *KEY_LIMITS)
    world.write_secret("BRAIN_SERVICE_API_KEY", made.stdout.strip())
    before, world.brain_key_id = world.brain_key_id, made.stderr.split()[2]
    time.sleep(both_s)
    world.brain_command("keys", "revoke", before)


ROTATIONS: Final[Mapping[str, Callable[[World, float], None]]] = {
    MONGODB: rotate_mongodb, REDIS: rotate_redis, NEO4J: rotate_neo4j, BRAIN: rotate_brain,
}  # fmt: skip
DOINGS: Final = {
    "kill": Disturber.kill,
    "stop": Disturber.stop,
    "cut": Disturber.cut,
    "slow": Disturber.slow,
    "full": Disturber.full,
    "memory": Disturber.memory,
    "rotate": Disturber.rotate,
}
LASTING_S: Final = {
    "kill": (0.0, 15.0), "stop": (3.0, 15.0), "cut": (3.0, 15.0), "slow": (10.0, 20.0),
    "full": (10.0, 20.0), "memory": (15.0, 20.0), "rotate": (0.0, 6.0),
}  # fmt: skip
GAP_S: Final = (3.0, 12.0)
SERVICES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "kill": (*SERVICES, OPERATOR),
    "stop": (*SERVICES, OPERATOR),
    "cut": SERVICES,
    "slow": SERVICES,
    "full": tuple(DISKS_MIB),
    "memory": (MONGODB, NEO4J, BRAIN, REDIS),
    "rotate": tuple(ROTATIONS),
}
SMALL: Final = (
    "kill/mongodb", "rotate/mongodb", "stop/redis", "rotate/redis", "kill/model", "rotate/brain",
    "kill/bridge", "rotate/neo4j",
)  # fmt: skip
"""What `--small` does: some of each kind that needs neither root nor a new start of Java."""


def all_names() -> list[str]:
    """Return everything that can be done."""
    return [f"{kind}/{service}" for kind, services in SERVICES_OF.items() for service in services]


def impossible(world: World) -> dict[str, str]:
    """Return what cannot be done here and why."""
    without = {}
    for name in all_names():
        kind, service = name.split("/")
        if kind == "full" and service not in world.disks:
            without[name] = "mounts are not allowed here"
        if service == OPERATOR and service not in world.services:
            without[name] = "the operator is played"
        if kind == "memory" and memory_groups() is None:
            without[name] = "no control groups of version 1 can be made here"
    return without


def drawn(names: list[str], seed: int, scale: float = 1.0) -> Iterator[Disturbance]:
    """Yield disturbances without end: all of them in an order by chance, then all again in another."""
    chance = Random(seed)  # noqa: S311 - no secret
    while True:
        for name in chance.sample(names, len(names)):
            kind, service = name.split("/")
            after_s, lasts_s = chance.uniform(*GAP_S), chance.uniform(*LASTING_S[kind])
            yield Disturbance(kind, service, after_s * scale, lasts_s * scale)
