"""GatherRuns of one namespace, in the API's own JSON; a name that is not there brings those like it."""

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from gather_cli.cluster.api_server import MERGE_PATCH, ApiServer
from gather_cli.cluster.kubeconfig import near
from gather_cli.errors import CliError, Forbidden, GoneVersion, NotFound, Unreachable
from gather_contracts import names

PAGE: Final = 500
LATEST: Final = "@latest"
RECONNECT_S: Final = 1.0
LOST_S: Final = 120.0
"""A server that is away for longer ends a watch."""
NO_NAMES: Final = frozenset({"", ".", ".."})
NO_SUCH_KIND: Final = ("could not find the requested resource", "page not found")
Run = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a namespace, and what belongs to them."""

    server: ApiServer
    namespace: str

    @property
    def base(self) -> str:
        """Return the path of the namespace's runs."""
        return f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{self.namespace}/{names.PLURAL}"

    def get(self, name: str) -> Run:
        """Return a run, `@latest` the newest one; raises NotFound with names like it."""
        name = self.resolve(name)
        path = self._at(name)
        with self._explained():
            try:
                return self.server.get(path)
            except NotFound as error:
                raise self._no_such(name) from error

    def resolve(self, name: str) -> str:
        """Return the newest run's name for `@latest`, else the name, of kubectl's KIND/NAME too."""
        if name != LATEST:
            return name.rsplit("/", 1)[-1]
        there = self.names()
        if not there:
            raise NotFound(f"there is no run in namespace {self.namespace}; start one with gather submit")
        return there[-1]

    def names(self) -> list[str]:
        """Return the names of all runs, the newest last."""
        return [run["metadata"]["name"] for run in self.all()]

    def all(self, selector: str = "", *, is_everywhere: bool = False) -> list[Run]:
        """Return all runs, the newest last; `is_everywhere` those of all namespaces."""
        path = f"/apis/{names.GROUP}/{names.VERSION}/{names.PLURAL}" if is_everywhere else self.base
        found: list[Run] = []
        query: dict[str, str | int] = {"limit": PAGE} | ({"labelSelector": selector} if selector else {})
        with self._explained():
            while True:
                page = self.server.get(path, **query)
                found += page.get("items") or []
                if not (more := page.get("metadata", {}).get("continue")):
                    break
                query["continue"] = more
        return sorted(found, key=_age)

    def create(self, run: Run, *, is_dry: bool = False) -> Run:
        """Make a run; raises AlreadyThere. `is_dry` lets the API server check it alone."""
        with self._explained():
            return self.server.call("POST", self.base, {"dryRun": "All"} if is_dry else None, run)

    def cancel(self, name: str) -> Run:
        """Set `spec.cancel`; raises NotFound with names that are like it."""
        path = self._at(name)
        with self._explained():
            try:
                return self.server.call("PATCH", path, None, {"spec": {"cancel": True}}, MERGE_PATCH)
            except NotFound as error:
                raise self._no_such(name) from error

    def follow(self, run: Run, deadline_s: float | None = None) -> Iterator[Run | None]:
        """Yield the run, each newer state of it, and None once it is deleted; over breaks of the connection.

        Args:
            run: as it was read.
            deadline_s: of `time.monotonic()`, after which the iteration ends.

        Raises:
            Unreachable: the API server has been away for two minutes.
        """
        yield run
        uid, version, lost_s = run["metadata"]["uid"], run["metadata"]["resourceVersion"], 0.0
        name = run["metadata"]["name"]
        while deadline_s is None or time.monotonic() < deadline_s:
            seconds = 50 if deadline_s is None else max(1, min(50, int(deadline_s - time.monotonic()) + 1))
            query = {"fieldSelector": f"metadata.name={name}", "resourceVersion": version}
            try:
                with suppress(GoneVersion):
                    for event in self.server.watch(self.base, query, seconds):
                        found = event["object"]
                        if event["type"] == "DELETED" or found["metadata"].get("uid", uid) != uid:
                            yield None
                            return
                        if event["type"] in {"ADDED", "MODIFIED"}:
                            yield found
                now, lost_s = self._again(name, uid), 0.0
            except Unreachable:
                lost_s = lost_s or time.monotonic()
                if time.monotonic() - lost_s > LOST_S:
                    raise
                time.sleep(RECONNECT_S)
                continue
            yield now
            if now is None:
                return
            version = now["metadata"]["resourceVersion"]

    def pods(self, run: Run) -> list[Run]:
        """Return the run's worker pods, the oldest first; none where they may not be listed."""
        query: dict[str, str | int] = {
            "labelSelector": f"{names.LABEL_RUN_UID}={run['metadata']['uid']}",
            "limit": PAGE,
        }
        try:
            return sorted(
                self.server.get(f"/api/v1/namespaces/{self.namespace}/pods", **query).get("items") or [],
                key=_age,
            )
        except Forbidden:
            return []

    def _at(self, name: str) -> str:
        """Return a run's path; raises NotFound for what names none, but something else."""
        if name in NO_NAMES:
            raise NotFound(f'"{name}" is no run\'s name; give one, or {LATEST} for the newest')
        return f"{self.base}/{quote(name, safe='')}"

    def _again(self, name: str, uid: str) -> Run | None:
        """Return the run as it is now, None if it is gone; raises Unreachable."""
        try:
            found = self.server.get(self._at(name))
        except NotFound:
            return None
        return found if found["metadata"]["uid"] == uid else None

    def _no_such(self, name: str) -> NotFound:
        try:
            there = self.names()
        except CliError:
            there = []
        return NotFound(f"there is no run {name} in namespace {self.namespace}{near(name, there)}")

    def _explained(self) -> "_Explained":
        return _Explained(self)


@dataclass(frozen=True, slots=True)
class _Explained:
    """Says why an answer is missing: without the CRD every path of GatherRuns is a 404 of its own form."""

    runs: Runs

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NotFound) and any(words in str(error) for words in NO_SUCH_KIND):
            raise NotFound(
                f"the cluster ({self.runs.server.access.server}) has no GatherRuns: "
                "install Gather, or its CRD with kubectl apply -f crds/; is it the right --context?"
            ) from error
        if isinstance(error, Forbidden) and "cannot" in str(error):
            raise Forbidden(
                f"{error}; ask for a Role with that right, or give another --namespace"
            ) from error


def _age(found: Run) -> tuple[str, str]:
    metadata: Mapping[str, Any] = found["metadata"]
    return (str(metadata.get("creationTimestamp", "")), str(metadata.get("name")))


def fresh_name(base: str) -> str:
    """Return a name for a new run, at most 63 characters, with a part that is drawn."""
    return f"{base[:57].rstrip('-.')}-{secrets.token_hex(3)[:5]}"
