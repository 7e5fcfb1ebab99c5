"""Write the CRD from the contracts: for `kubectl apply -f crds/`, and as a template of the chart.

Helm never upgrades what stands in a chart's own `crds` folder, so the chart's copy is a template. With
`--check` nothing is written; the exit code says whether the files are what the contracts make them.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from dev.generate.files import differing_files, write_files
from dev.paths import ROOT
from gather_cli.doctor.checks.access_checks import fields_of
from gather_contracts.crds.crd import custom_resource_definition, root_schema

MANIFEST = Path("crds") / "gather.ft.tc_gatherruns.yaml"
FIELDS = Path("cli") / "gather_cli" / "doctor" / "crd_fields.txt"
TEMPLATE = Path("charts") / "gather" / "templates" / "crds" / "gatherruns.yaml"
HEADER = "# Generated from contracts/gather_contracts by `make crds`; edit the contracts.\n"
WIDTH = 110
NAME_LINE = "  name: gatherruns.gather.ft.tc\n"
KEEP = """  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep # uninstalling the chart deletes no GatherRun
  {{- end }}
"""


def manifest() -> str:
    """Return the CRD as YAML."""
    body = yaml.safe_dump(custom_resource_definition(), sort_keys=False, width=WIDTH, allow_unicode=True)
    return HEADER + body


def template() -> str:
    """Return the CRD as a template of the chart; raises ValueError if Helm would read a field as its own."""
    body = manifest()
    if "{{" in body or body.count(NAME_LINE) != 1:
        raise ValueError("the CRD cannot be a template as it stands")
    return "{{- if .Values.crds.enabled }}\n" + body.replace(NAME_LINE, NAME_LINE + KEEP) + "{{- end }}\n"


def fields() -> str:
    """Return every field below spec and status, one a line, for `gather doctor`."""
    return "\n".join(fields_of(root_schema(), "")) + "\n"


def files() -> Mapping[Path, str]:
    """Return every generated file's path below the repository, and its text."""
    return {MANIFEST: manifest(), TEMPLATE: template(), FIELDS: fields()}


def outdated(root: Path) -> list[Path]:
    """Return the files that differ from what the contracts make them."""
    return differing_files(files(), root)


def write(root: Path) -> None:
    """Write all files."""
    write_files(files(), root)


def main() -> None:
    """Write the files, or with `--check` fail and name those that differ."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit("usage: python -m dev.generate.crds [--check]")
    if not sys.argv[1:]:
        write(ROOT)
    elif differing := outdated(ROOT):
        sys.exit(f"not what the contracts say, run `make crds`: {', '.join(map(str, differing))}")


if __name__ == "__main__":
    main()
