"""Whether kubectl, Helm and Docker take what a page shows, on objects, values and files that there are."""

import argparse
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

from dev.paths import ROOT

KINDS: Final = {
    "configmap", "crd", "deploy", "deployment", "endpointslice", "events", "gatherrun", "gatherruns", "gr",
    "jobs", "lease", "leases", "namespace", "networkpolicy", "node", "nodes", "pod", "pods", "secret",
    "servicemonitor", "svc",
    "workloads",  # Kueue's
}  # fmt: skip
ROOMS: Final = {
    f"gather-{room}" for room in ("operator", "worker", "brain", "bridge", "http-door", "celery-door")
}
CRD: Final = "gatherruns.gather.ft.tc"
API_SERVER: Final = "kubernetes"
"""Kubernetes' own name for it, in the namespace default."""
LABELS: Final = re.compile(
    r"app\.kubernetes\.io/component=(operator|brain|bridge|http-door|celery-door)|app\.kubernetes\.io/name=gather-worker"
    r"|app\.kubernetes\.io/managed-by=gather-operator|gather\.ft\.tc/run=[\w-]+|gather\.ft\.tc/ended!=true"
)
NAME: Final = re.compile(r"[A-Z]+|the-salt-road|ID")
"""What a reader replaces, and the run of the examples."""
CHARTS: Final = ("gather", "gather-backing")
OWN_FILES: Final = {"values.yaml", "run.yaml", "run.json", "."}
"""What a reader brings."""
FLAGS: Final = {
    "get": "-l -o --field-selector --sort-by --raw!", "describe": "-l", "logs": "--tail --since -l",
    "top": "-l", "rollout": "", "exec": "", "auth": "--as", "apply": "-f --server-side! --force-conflicts!",
    "patch": "--type -p", "port-forward": "", "explain": "", "create": "--from-literal+ --from-file+",
    "version": "", "label": "",
}  # fmt: skip
"""Of kubectl's verbs, as far as pages show them: with `!` without a value, with `+` several times."""
HELM_FLAGS: Final = {
    "install": "--values+ --set+ --create-namespace! --wait! --timeout --version", "rollback": "",
    "upgrade": "--values+ --set+ --reuse-values! --install! --wait! --timeout", "test": "--timeout",
    "uninstall": "--no-hooks!", "template": "--values+ --set+", "list": "-A!", "get": "", "pull": "--version",
    "show": "", "package": "", "push": "", "registry": "",
}  # fmt: skip


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


@cache
def _parser(program: str) -> argparse.ArgumentParser:
    """Return a parser of what pages show of kubectl or Helm, with options before and after the verb."""
    parser = _Parser(prog=program, add_help=False, allow_abbrev=False)
    parser.add_argument("-n", "--namespace")
    parser.add_argument("--context")
    verbs = parser.add_subparsers(dest="verb", required=True, parser_class=_Parser)
    for name, flags in (FLAGS if program == "kubectl" else HELM_FLAGS).items():
        verb = verbs.add_parser(name, add_help=False, allow_abbrev=False)
        verb.add_argument("-n", "--namespace", default=argparse.SUPPRESS)
        verb.add_argument("names", nargs="*")
        for flag in flags.split():
            kind = {"!": "store_true", "+": "append"}.get(flag[-1], "store")
            verb.add_argument(flag.rstrip("!+"), action=kind, dest=flag.strip("-!+"))
    return parser


def check_kubectl(
    arguments: Sequence[str], check_inner: Callable[[list[str]], None], *, is_whole: bool = True
) -> None:
    """Raise ValueError if kubectl would not take these words; `check_inner` gets what runs in a pod."""
    own = list(arguments)
    if "--" in own:
        place = own.index("--")
        check_inner(own[place + 1 :])
        own = own[:place]
    try:
        asked = _parser("kubectl").parse_args(own)
    except ValueError as error:
        if is_whole or "are required" not in str(error):
            raise
        return
    if asked.verb == "explain":
        _check_field(asked.names)
    elif wrong := [name for name in _objects(asked.verb, asked.names) if not _is_known(name)]:
        raise ValueError(f"no object or kind of ours: {wrong}")
    _check_given(vars(asked))


def _check_given(given: dict[str, Any]) -> None:
    """Raise ValueError if kubectl's options name a label or a file that is not there, or hold no JSON."""
    if (label := given.get("l")) and not LABELS.fullmatch(label):
        raise ValueError(f"no label of ours: {label}")
    if (file := given.get("f")) and not (ROOT / file).exists() and file not in OWN_FILES:
        raise ValueError(f"no such file: {file}")
    if patch := given.get("p"):
        json.loads(patch)


@cache
def _read(file: str) -> Any:
    return yaml.safe_load((ROOT / file).read_text("utf-8"))


def _check_field(names: Sequence[str]) -> None:
    """Raise ValueError if the CRD's schema has no field of that path."""
    (kind, *path) = names[0].split(".")
    schema: Any = _read("crds/gather.ft.tc_gatherruns.yaml")["spec"]["versions"][0]["schema"][
        "openAPIV3Schema"
    ]
    if kind not in KINDS:
        raise ValueError(f"no kind of ours: {kind}")
    for part in path:
        schema = schema.get("properties", {}).get(part)
        if schema is None:
            raise ValueError(f"no field of the resource: {names[0]}")


def _objects(verb: str, names: Sequence[str]) -> Iterator[str]:
    """Yield kinds and objects among a verb's words."""
    first = {"rollout": 1, "auth": 2}.get(verb, 0)
    last = 1 if verb in {"exec", "logs", "port-forward"} else None
    words = names[first:][:last] if verb not in {"version", "create"} else names[:1]
    for word in words:
        yield from word.split(",")


def _is_known(name: str) -> bool:
    kind, _, one = name.partition("/")
    is_named = one in ROOMS or (one != "" and NAME.fullmatch(one) is not None)
    return (
        name in KINDS | ROOMS | {CRD, API_SERVER}
        or NAME.fullmatch(name) is not None
        or (kind in KINDS and is_named)
    )


def check_helm(arguments: Sequence[str], *, is_whole: bool = True) -> None:
    """Raise ValueError if Helm would not take these words here: releases, charts, values and their files."""
    asked = _parser("helm").parse_args(list(arguments))
    given = vars(asked)
    release, chart = [*asked.names, "", ""][:2]
    if asked.verb in {"install", "upgrade", "rollback", "test", "uninstall"}:
        if release not in CHARTS and (is_whole or release):
            raise ValueError(f"no release of ours: {release}")
        is_ours = re.fullmatch(rf"(oci://[\w./-]+/)?charts/{release}", chart)
        if asked.verb in {"install", "upgrade"} and not is_ours and (is_whole or chart):
            raise ValueError(f"no chart of ours: {chart}")
    for file in given.get("values") or ():
        if not (ROOT / file).exists() and file not in OWN_FILES:
            raise ValueError(f"no such file: {file}")
    for setting in given.get("set") or ():
        value_named(setting.partition("=")[0], release or "gather")


def value_named(name: str, chart: str = "gather") -> Any:
    """Return a value of the chart; raises ValueError if there is none of that name."""
    found: Any = _read(f"charts/{chart}/values.yaml")
    for part in name.split("."):
        if not isinstance(found, dict) or (found and part not in found):
            raise ValueError(f"no value of the chart: {name}")
        found = found.get(part, {})
    return found


def check_docker_build(arguments: Sequence[str]) -> None:
    """Raise ValueError if the Dockerfile is not there, or takes no such build argument or context."""
    parser = _Parser(prog="docker", add_help=False, allow_abbrev=False)
    parser.add_argument("verb", choices=["build"])
    parser.add_argument("-f", required=True)
    parser.add_argument("-t", required=True)
    for flag in ("--build-arg", "--build-context"):
        parser.add_argument(flag, action="append", default=[])
    parser.add_argument("folder", choices=["."])
    asked = parser.parse_args(list(arguments))
    recipe = Path(ROOT / asked.f).read_text("utf-8")
    for argument in asked.build_arg:
        if f"ARG {argument.partition('=')[0]}" not in recipe:
            raise ValueError(f"{asked.f} takes no {argument}")
    for context in asked.build_context:
        if f"--from={context.partition('=')[0]}" not in recipe:
            raise ValueError(f"{asked.f} copies nothing of {context}")
