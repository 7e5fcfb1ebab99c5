"""`gather-worker check`: whether runs can work, before anything is paid."""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from typing import Final

from gather_clients import configuration
from gather_clients.configuration import ConfigurationError, secrets_of
from gather_clients.logs import SILENT, hide_in_logs, without_secrets
from gather_contracts.result import ExitCode
from gather_worker.check.checklist import CheckSettings, Plan, check_all
from gather_worker.check.findings import Finding, as_json, as_table, exit_code_of, fail, warn
from gather_worker.department.task import read_run_document
from gather_worker.errors import InvalidInput

NO_RUN_FILE: Final = (
    "the run file is run.json as the operator writes it: kubectl get configmap RUN-…-run -o json"
)
NO_PROJECT: Final = "give the project's id, as it stands in the application's addresses and in projectId"
WRONG_SETTING: Final = (
    "set it in the worker's Secret or environment, for the CMS in the operator's; "
    "docs/worker.md and docs/operator.md list all settings"
)

MISSPELT_SETTING: Final = "mend its name or remove it; docs/worker.md and docs/operator.md list all settings"


def execute(arguments: argparse.Namespace) -> ExitCode:
    """Look at everything and print what was found; all of it, though the first thing fails."""
    logging.basicConfig(level=SILENT, stream=sys.stderr)  # libraries repeat on their own what is told here
    findings, plan = _plan_of(arguments)
    try:
        settings = configuration.read_settings(CheckSettings)
    except ConfigurationError as error:
        findings += [fail("Settings", problem, WRONG_SETTING) for problem in error.problems]
    else:
        hide_in_logs(secrets_of(settings))
        if plan is not None:
            findings += asyncio.run(check_all(settings, plan))
    findings += [warn("Settings", said, MISSPELT_SETTING) for said in configuration.unknown_settings()]
    return _report(findings, is_table=arguments.is_table, is_strict=arguments.is_strict)


def _plan_of(arguments: argparse.Namespace) -> tuple[list[Finding], Plan | None]:
    try:
        document = read_run_document(arguments.run_file) if arguments.run_file else None
    except InvalidInput as error:
        return [fail("Run", str(error), NO_RUN_FILE)], None
    models, is_asked = tuple(arguments.model), arguments.is_model_asked
    try:
        return [], Plan(document, arguments.project, models, arguments.iterations, is_asked).checked()
    except InvalidInput as error:
        return [fail("Run", str(error), NO_PROJECT)], None


def _report(findings: Sequence[Finding], *, is_table: bool, is_strict: bool) -> ExitCode:
    code = exit_code_of(findings, is_strict=is_strict)
    text = as_table(findings, code) if is_table else json.dumps(as_json(findings, code), indent=2) + "\n"
    sys.stdout.write(without_secrets(text))
    sys.stdout.flush()
    return code
