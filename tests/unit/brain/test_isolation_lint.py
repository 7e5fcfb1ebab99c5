"""What keeps tenants apart is checked in the source: no query from input, no way round the repository."""

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

import gather_brain
from gather_brain.store.cypher import reembedding_queries
from gather_brain.vectors import raw_cosine

ROOM = Path(gather_brain.__file__).parent
MODULES = sorted(ROOM.rglob("*.py"))
CYPHER = sorted((ROOM / "store/cypher").glob("*.py"))
DATABASE = ROOM / "store/database.py"
HANDS_ON: Final = {"read", "write", "write_checked", "_read", "_write"}
"""Methods of the store that take a query and pass it on."""
TENANTS: Final = re.compile(r"\(\w*:(?:Node|Department|Project)\b")
"""A pattern of something that belongs to a project."""
DRIVER: Final = {"session", "execute_query", "execute_read", "execute_write", "begin_transaction"}


def name_of(path: Path) -> str:
    """A module's name in the list of tests."""
    return str(path.relative_to(ROOM))


def queries() -> dict[str, str]:
    """Every query and part of one in the modules of Cypher, by its module's and its own name."""
    found = {}
    for path in CYPHER:
        module = importlib.import_module(f"gather_brain.store.cypher.{path.stem}".removesuffix(".__init__"))
        for name, value in vars(module).items():
            if isinstance(value, str) and name.isupper():
                found[f"{path.stem}.{name}"] = value
    return found


TENANTS_QUERIES = {
    name: query
    for name, query in queries().items()
    if TENANTS.search(query) and "CREATE CONSTRAINT" not in query and "CREATE INDEX" not in query
    and "CREATE VECTOR INDEX" not in query
}  # fmt: skip


@pytest.mark.parametrize("name", TENANTS_QUERIES)
def test_every_query_on_a_projects_data_names_the_project(name: str) -> None:
    """Each pattern stands with the project's id: in it, or inside the index's filter.

    Only a change of the embedding model looks over projects, for counts and ids and never for content.
    """
    query = TENANTS_QUERIES[name]
    if query in reembedding_queries.CROSSING:
        assert name.startswith("reembedding_queries.")
        assert "content" not in query
        assert "properties" not in query
        assert "SET" not in query
    else:
        named = query.count("{projectId: $projectId") + query.count("n.projectId = $projectId")
        assert len(TENANTS.findall(query)) == named > 0


def test_the_queries_that_cross_projects_are_counted() -> None:
    """One more of them is a decision."""
    assert len(reembedding_queries.CROSSING) == 4


@pytest.mark.parametrize("module", CYPHER, ids=name_of)
def test_queries_are_not_formatted(module: Path) -> None:
    """Constants only: no f-string, no format, no percent, and joined with constants alone."""
    for node in ast.walk(ast.parse(module.read_text())):
        assert not isinstance(node, ast.JoinedStr | ast.Mod)
        if isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name)
            assert node.func.id == "frozenset"


@pytest.mark.parametrize("module", [path for path in MODULES if path not in CYPHER], ids=name_of)
def test_no_query_is_written_outside_of_the_modules_of_cypher(module: Path) -> None:
    """A text that could run is in one folder."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not re.search(r"\b(?:MATCH|MERGE|CREATE|UNWIND)\s*\(|\bCYPHER 25\b", node.value)


@pytest.mark.parametrize(
    "module", [path for path in MODULES if "database" in path.read_text() and path not in CYPHER], ids=name_of
)
def test_every_query_that_runs_is_a_constant(module: Path) -> None:
    """A query is a name from the modules of Cypher, and nothing was added to it."""
    tree = ast.parse(module.read_text())
    known = Constants(tree)
    for call in database_calls(tree):
        assert known.holds(query_of(call)), f"{module}:{call.lineno}: {ast.unparse(call)}"


def database_calls(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls that pass a query on: to the database, or to a method of the same class that does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method, receiver = node.func.attr, ast.unparse(node.func.value)
            to_database = method in {"read", "write", "write_checked"} and receiver.endswith("database")
            if to_database or (method in HANDS_ON and receiver == "self" and node.args):
                yield node


def query_of(call: ast.Call) -> ast.expr:
    """The argument that is the query; most methods take its kind before it."""
    return call.args[0 if len(call.args) == 1 else 1]


class Constants:
    """What of a module's expressions is surely a query out of the modules of Cypher."""

    def __init__(self, tree: ast.AST) -> None:
        self._modules = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "gather_brain.store.cypher"
            for alias in node.names
        }
        self._named = self._assigned(tree)

    def holds(self, expression: ast.expr) -> bool:
        """Whether it is a constant, one of a mapping of them, a choice between them, or a name for one."""
        if isinstance(expression, ast.Subscript):
            return self.holds(expression.value)
        if isinstance(expression, ast.IfExp):
            return self.holds(expression.body) and self.holds(expression.orelse)
        if isinstance(expression, ast.Attribute) and isinstance(expression.value, ast.Name):
            return expression.value.id in self._modules or self._is_named(ast.unparse(expression))
        return isinstance(expression, ast.Name) and self._is_named(expression.id)

    def _is_named(self, name: str) -> bool:
        sources = self._named.get(name, [])
        return bool(sources) and all(source is None or self.holds(source) for source in sources)

    def _assigned(self, tree: ast.AST) -> Mapping[str, list[ast.expr | None]]:
        """All that a name stands for; None: a parameter of type LiteralString, whose callers are checked."""
        named: dict[str, list[ast.expr | None]] = {}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.arg)
                and node.annotation
                and "LiteralString" in ast.unparse(node.annotation)
            ):
                named.setdefault(node.arg, []).append(None)
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    named.setdefault(ast.unparse(target), []).append(node.value)
            elif isinstance(node, ast.For):
                for name, value in looped(node):
                    named.setdefault(name, []).append(value)
        return named


def looped(loop: ast.For) -> Iterator[tuple[str, ast.expr]]:
    """What each name of a loop stands for: of a tuple of tuples one by one, else whatever is looped over."""
    if isinstance(loop.target, ast.Tuple) and isinstance(loop.iter, ast.Tuple):
        for row in loop.iter.elts:
            if isinstance(row, ast.Tuple):
                for target, value in zip(loop.target.elts, row.elts, strict=True):
                    yield ast.unparse(target), value
    else:
        yield ast.unparse(loop.target), loop.iter


@pytest.mark.parametrize(
    "source",
    [
        "database.read('kind', f'MATCH (n) WHERE n.x = {x}')",
        "database.read('kind', queries.NEAREST + x)",
        "database.read('kind', queries.NEAREST.replace('a', x))",
        "database.read('kind', queries.NEAREST % x)",
        "database.write('kind', query)",
        "def f(query: str): database.write('kind', query)",
        "query = queries.NEAREST\nquery = input()\ndatabase.write('kind', query)",
        "for query in (queries.NEAREST, x): database.write('kind', query)",
    ],
)
def test_a_query_built_from_input_is_noticed(source: str) -> None:
    """The check above can fail."""
    tree = ast.parse(f"from gather_brain.store.cypher import search as queries\n{source}")
    (call,) = database_calls(tree)
    assert not Constants(tree).holds(query_of(call))


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_only_the_database_module_touches_the_driver(module: Path) -> None:
    """There is no other way to Neo4j: nobody else imports the driver or uses what it gives."""
    tree = ast.parse(module.read_text())
    if module != DATABASE:
        assert "neo4j" not in {name.split(".")[0] for name in imported(tree)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                assert node.attr not in DRIVER
                assert node.attr != "_driver"


@pytest.mark.parametrize("module", sorted((ROOM / "api").glob("*.py")), ids=name_of)
def test_endpoints_can_import_neither_queries_nor_reembedding(module: Path) -> None:
    """Endpoints have repositories of projects that the key may use, and nothing else."""
    names = imported(ast.parse(module.read_text()))
    assert not {name for name in names if name.startswith("gather_brain.store.cypher")}
    assert not {name for name in names if "reembed" in name}


def imported(tree: ast.AST) -> set[str]:
    """The full names of the modules and of what is taken from them."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("module", MODULES, ids=name_of)
@pytest.mark.parametrize(
    ("made", "maker"),
    [
        ("ProjectRepository", "auth/key_ring.py"),
        ("Neighbours", "store/repository.py"),
        ("Departments", "store/repository.py"),
        ("NodePages", "store/repository.py"),
        ("Deletion", "store/repository.py"),
    ],
)
def test_only_a_principal_makes_a_repository(module: Path, made: str, maker: str) -> None:
    """The constructor is called in one place, after the key's projects were checked."""
    calls = [
        node
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == made
    ]
    assert len(calls) == (1 if module == ROOM / maker else 0)


@pytest.mark.parametrize(
    ("score", "cosine"), [(1.0, 1.0), (0.95, 0.9), (0.9, 0.8), (0.5, 0.0), (0.1, 0.0), (1.0000001, 1.0)]
)
def test_neo4js_score_becomes_raw_cosine(score: float, cosine: float) -> None:
    """0.90 passed straight through would mean 0.80; a negative cosine is 0."""
    assert raw_cosine(score) == pytest.approx(cosine)
