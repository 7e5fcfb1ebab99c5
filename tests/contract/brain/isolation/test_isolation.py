"""Two tenants on one brain: generated requests against a model, and nothing of one in what the other sees.

`make test` runs a small size, `make isolation` the full one.
"""

import json
import logging
import os
import re
import secrets
from collections import Counter
from typing import Any, Final

import httpx
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from gather_contracts.text import content_hash, text_hash
from tests.support.brain_nodes import DEPARTMENTS, IDS, PHRASES, TYPES, Known

logger = logging.getLogger(__name__)

REQUESTS_MIN: Final = int(os.environ.get("GATHER_ISOLATION_REQUESTS", "300"))
REQUESTS_MAX: Final = 10 * REQUESTS_MIN
"""By then each kind of request must have been sent; an example leaves some kinds out at random."""
KINDS: Final = {
    "write",
    "search",
    "context",
    "coverage",
    "list",
    "get",
    "delete",
    "erase",
    "snoop",
    "confuse",
}
STEPS: Final = 50
"""Of one example, which has two projects of its own."""
NOT_FOUND: Final = {"error": "not_found", "message": "Project not found"}


class Tenants(RuleBasedStateMachine):
    """Two tenants who write, search and snoop; what each may see is known."""

    world: Any

    def __init__(self) -> None:
        super().__init__()
        self.http = httpx.Client(base_url=self.world.brain.url, timeout=60)
        self.projects: dict[str, str] = {}
        self.nodes: dict[str, dict[str, Known]] = {each.name: {} for each in self.world.tenants}
        self.clock = 0

    @initialize()
    def begin(self) -> None:
        """Give each tenant a project that nobody has written to."""
        self.projects = {each.name: each.new_project() for each in self.world.tenants}

    def teardown(self) -> None:
        """Let go of the connection."""
        self.http.close()

    def ask(self, who: Any, kind: str, method: str, path: str, **more: Any) -> httpx.Response:
        """Send one request and look for the other tenant in all that comes back."""
        response = self.http.request(method, f"/api/v1{path}", headers=who.headers, **more)
        self.world.requests[kind] += 1
        other = self.world.other(who)
        heard = response.text + str(response.headers) + json.dumps(str(response.content))
        assert other.canary not in heard
        assert self.projects[other.name] not in heard
        assert other.key not in heard
        assert response.status_code < 500
        assert "Traceback" not in heard
        return response

    def said(self, who: Any, phrase: str) -> str:
        """A text of the tenant's own."""
        return f"{phrase} {who.canary}"

    @rule(
        turn=st.sampled_from((0, 1)),
        drafts=st.lists(
            st.tuples(
                st.sampled_from(IDS),
                st.sampled_from(PHRASES),
                st.sampled_from(TYPES),
                st.sampled_from(DEPARTMENTS),
                st.integers(0, 3),
            ),
            min_size=1,
            max_size=6,
            unique_by=lambda draft: draft[0],
        ),
    )
    def write(self, turn: int, drafts: list[tuple[str, str, str, str, int]]) -> None:
        """Write nodes whose ids the other tenant uses too; what they repeat is the tenant's own."""
        who = self.world.tenants[turn]
        mine = self.nodes[who.name]
        body = [
            {
                "id": identity,
                "type": kind,
                "content": self.said(who, phrase),
                "projectId": self.projects[who.name],
                "revision": revision,
                "properties": {"department": department, "summary": who.canary, who.canary: who.name},
            }
            for identity, phrase, kind, department, revision in drafts
        ]
        response = self.ask(who, "write", "POST", "/nodes/batch", json={"nodes": body})
        assert response.status_code == 200, response.text
        answer = response.json()
        assert answer["created"] == sum(identity not in mine for identity, *_ in drafts)
        for sent in body:
            self._remember(mine, sent)
        for written in answer["nodes"]:
            self._expect_duplicate(mine, written)

    def _remember(self, mine: dict[str, Known], sent: dict[str, Any]) -> None:
        self.clock += 1
        before = mine.get(sent["id"])
        if before is not None and sent["revision"] < before.revision:
            return
        is_same = (
            before is not None
            and text_hash(before.content) == text_hash(sent["content"])
            and before.type == sent["type"]
        )
        mine[sent["id"]] = Known(
            sent["content"],
            sent["type"],
            sent["properties"]["department"],
            sent["revision"],
            before.since if before is not None and is_same else self.clock,
        )

    def _expect_duplicate(self, mine: dict[str, Known], written: dict[str, Any]) -> None:
        """The first of the same text, or another earlier one that is near, and never anybody else."""
        node = mine[written["id"]]
        earlier = {
            identity: each
            for identity, each in mine.items()
            if each.type == node.type and each.since < node.since
        }
        same = [
            identity
            for identity, each in earlier.items()
            if text_hash(each.content) == text_hash(node.content)
        ]
        named = written["duplicateOf"]
        if same:
            first = min(same, key=lambda identity: earlier[identity].since)
            assert named == {"nodeId": first, "similarity": 1}
        elif named is not None:
            assert named["nodeId"] in earlier
            assert named["similarity"] >= 0.9

    @rule(
        turn=st.sampled_from((0, 1)),
        phrase=st.sampled_from(PHRASES),
        foreign_words=st.booleans(),
        kind=st.sampled_from(TYPES),
        department=st.sampled_from((None, *DEPARTMENTS)),
        excluded=st.lists(st.sampled_from(IDS), max_size=4, unique=True),
        several=st.booleans(),
    )
    def search(
        self,
        turn: int,
        *,
        phrase: str,
        foreign_words: bool,
        kind: str,
        department: str | None,
        excluded: list[str],
        several: bool,
    ) -> None:
        """Search for everything, with words and ids of the other too: all of one's own comes, and no more.

        A project that the key names is there without a node too.
        """
        who = self.world.tenants[turn]
        speaker = self.world.other(who) if foreign_words else who
        text = self.said(speaker, phrase)
        body: dict[str, Any] = {
            "projectId": self.projects[who.name],
            "threshold": 0,
            "limit": 50,
            "type": kind,
            "excludeNodeIds": [*excluded, *(f"{speaker.canary}-{n}" for n in range(2))],
        }
        body |= {} if department is None else {"department": department}
        body |= {"contents": [text, phrase]} if several else {"content": text}
        path = "/search/duplicates/batch" if several else "/search/duplicates"
        response = self.ask(who, "search", "POST", path, json=body)
        mine = self.nodes[who.name]
        assert response.status_code == 200, response.text
        expected = {
            identity: node.content
            for identity, node in mine.items()
            if node.type == kind and department in {None, node.department} and identity not in excluded
        }
        results = response.json()["results"] if several else [response.json()]
        for result in results:
            assert {each["nodeId"]: each["content"] for each in result["duplicates"]} == expected

    @rule(
        turn=st.sampled_from((0, 1)),
        asked=st.lists(st.sampled_from(DEPARTMENTS), max_size=3, unique=True),
        limit=st.integers(1, 100),
    )
    def context(self, turn: int, asked: list[str], limit: int) -> None:
        """Ask for what departments hold, which both tenants call the same."""
        who = self.world.tenants[turn]
        mine = self.nodes[who.name]
        response = self.ask(
            who,
            "context",
            "GET",
            "/context/department",
            params={
                "projectId": self.projects[who.name],
                "department": "music",
                "previousDepartments[]": asked,
                "limit": limit,
            },
        )
        assert response.status_code == 200, response.text
        found = response.json()["context"]
        filed = Counter(node.department for node in mine.values())
        assert {name: each["nodeCount"] for name, each in found.items()} == {
            name: filed[name] for name in asked
        }
        for name, each in found.items():
            ids = {top["nodeId"] for top in each["topNodes"]}
            assert ids <= {identity for identity, node in mine.items() if node.department == name}

    @rule(
        turn=st.sampled_from((0, 1)),
        kind=st.sampled_from((None, *TYPES)),
        department=st.sampled_from((None, *DEPARTMENTS)),
        limit=st.integers(1, 14),
    )
    def list_nodes(self, turn: int, kind: str | None, department: str | None, limit: int) -> None:
        """List page by page: all of one's own, each once, and no more."""
        who = self.world.tenants[turn]
        mine = self.nodes[who.name]
        filters = {"type": kind, "department": department}
        query = {"projectId": self.projects[who.name], "limit": limit, "include": "content"}
        query |= {name: value for name, value in filters.items() if value is not None}
        found: list[tuple[str, str, int]] = []
        while True:
            response = self.ask(who, "list", "GET", "/nodes", params=query)
            assert response.status_code == 200, response.text
            answer = response.json()
            found += [(each["id"], each["content"], each["revision"]) for each in answer["nodes"]]
            if "nextCursor" not in answer:
                break
            query["cursor"] = answer["nextCursor"]
        assert found == sorted(
            (identity, node.content, node.revision)
            for identity, node in mine.items()
            if kind in {None, node.type} and department in {None, node.department}
        )

    @rule(turn=st.sampled_from((0, 1)), identity=st.sampled_from(IDS))
    def get(self, turn: int, identity: str) -> None:
        """Read one node by an id that the other has too."""
        who = self.world.tenants[turn]
        query = {"projectId": self.projects[who.name]}
        response = self.ask(who, "get", "GET", f"/nodes/{identity}", params=query)
        node = self.nodes[who.name].get(identity)
        assert response.status_code == (404 if node is None else 200), response.text
        if node is not None:
            assert response.json()["content"] == node.content
            assert response.json()["contentHash"] == content_hash(node.content)

    @rule(turn=st.sampled_from((0, 1)), identities=st.lists(st.sampled_from(IDS), min_size=1, max_size=3))
    def delete(self, turn: int, identities: list[str]) -> None:
        """Delete by ids that the other has too: one's own go, the other's stay."""
        who = self.world.tenants[turn]
        mine = self.nodes[who.name]
        query = {"projectId": self.projects[who.name], "ids": identities}
        response = self.ask(who, "delete", "DELETE", "/nodes", params=query)
        gone = {identity for identity in identities if mine.pop(identity, None)}
        assert response.json() == {"deleted": len(gone), "notFound": len(set(identities)) - len(gone)}

    @rule(turn=st.sampled_from((0, 1)), is_meant=st.sampled_from((False, False, True)))
    def erase(self, turn: int, *, is_meant: bool) -> None:
        """Erase everything, or say another's id the second time."""
        who = self.world.tenants[turn]
        project = self.projects[who.name]
        confirm = project if is_meant else self.projects[self.world.other(who).name]
        response = self.http.delete(
            f"/api/v1/projects/{project}", params={"confirm": confirm}, headers=who.headers
        )
        self.world.requests["erase"] += 1
        assert response.status_code == (200 if is_meant else 400), response.text
        if is_meant:
            assert response.json()["deleted"] == len(self.nodes[who.name])
            self.nodes[who.name].clear()

    @rule(turn=st.sampled_from((0, 1)), phrases=st.lists(st.sampled_from(PHRASES), max_size=3))
    def cover(self, turn: int, phrases: list[str]) -> None:
        """Analyse items; nothing that is written counts."""
        who = self.world.tenants[turn]
        body = {
            "projectId": self.projects[who.name],
            "department": "story",
            "gatherItems": [{"content": self.said(who, phrase)} for phrase in phrases],
        }
        response = self.ask(who, "coverage", "POST", "/analyze/coverage", json=body)
        assert response.status_code == 200, response.text

    @rule(
        turn=st.sampled_from((0, 1)),
        operation=st.sampled_from(
            ("write", "search", "several", "compare", "context", "coverage", "list", "get", "delete", "erase")
        ),
        upper=st.booleans(),
        unknown=st.booleans(),
    )
    def snoop(self, turn: int, operation: str, *, upper: bool, unknown: bool) -> None:
        """Ask for another's project, however it is written, or for one that is not there: the same answer."""
        who = self.world.tenants[turn]
        theirs = self.projects[self.world.other(who).name]
        project = secrets.token_hex(12) if unknown else theirs
        method, path, more = self.world.operations[operation](project.upper() if upper else project)
        response = self.http.request(method, f"/api/v1{path}", headers=who.headers, **more)
        self.world.requests["snoop"] += 1
        assert (response.status_code, response.json()) == (404, NOT_FOUND)
        assert theirs not in str(response.headers)

    @rule(
        turn=st.sampled_from((0, 1)),
        theirs_first=st.booleans(),
        junk=st.sampled_from((None, "", "x", "0" * 23, "g" * 24, "0" * 24 + "\n", "*", "a" * 24 + "/..")),
    )
    def confuse(self, turn: int, theirs_first: bool, junk: str | None) -> None:
        """Mix projects in one batch, or name none that could be: refused, and nothing is written anywhere."""
        who = self.world.tenants[turn]
        node = {"type": "GatherItem", "content": self.said(who, "mixed")}
        if junk is not None:
            assert self._refused(who, {"nodes": [node | {"id": IDS[0], "projectId": junk}]}) == 400
            return
        theirs = self.projects[self.world.other(who).name]
        projects = [self.projects[who.name], theirs][:: -1 if theirs_first else 1]
        nodes = [
            node | {"id": identity, "projectId": project}
            for identity, project in zip(IDS, projects, strict=False)
        ]
        assert self._refused(who, {"nodes": nodes}) in {400, 404}

    def _refused(self, who: Any, body: dict[str, Any]) -> int:
        response = self.http.post("/api/v1/nodes/batch", headers=who.headers, json=body)
        self.world.requests["confuse"] += 1
        assert self.world.other(who).canary not in response.text
        return response.status_code


def test_two_tenants_see_nothing_of_each_other(world: Any) -> None:
    """Nothing of the other in any body, header or log line, and all of one's own as the model has it."""
    machine = type("Machine", (Tenants,), {"world": world})
    while (sent := sum(world.requests.values())) < REQUESTS_MIN or (
        sent < REQUESTS_MAX and not set(world.requests) >= KINDS
    ):
        run_state_machine_as_test(
            machine,
            settings=settings(
                # The first example is the plainest one, which asks for one kind alone.
                max_examples=max(5, min(50, (REQUESTS_MIN - sent) // STEPS)),
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            ),
        )
    logger.info("requests: %s, of them %s", sum(world.requests.values()), dict(world.requests))
    assert set(world.requests) == KINDS
    log = world.brain.log.read_text()
    assert len(re.findall(r'"message": "request"', log)) >= REQUESTS_MIN
    for each in world.tenants:
        assert each.canary not in log
        assert each.key not in log
        assert not [project for project in each.used if project in log]
