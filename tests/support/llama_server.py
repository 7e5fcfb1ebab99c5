"""llama.cpp's own server as a process: `python -m tests.support.llama_server MODEL.gguf PORT`, until SIGTERM.

An OpenAI-compatible server that is not ours, for tests of the worker's gateway. Its package is no dependency
of this project: `llama_service` puts the artefact's folder on the process's path.
"""

import importlib
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

from dev.artefacts.store_binaries import StoreArtefacts
from dev.paths import ROOT
from dev.service_process import HOST, Command, ServiceProcess, free_port, http_answers

CONTEXT_TOKENS: Final = 4096


def llama_service(programs: StoreArtefacts, folder: Path) -> ServiceProcess:
    """Describe a server of the smallest model there is; its answers mean nothing."""
    artefact, port = programs.llama(), free_port()
    environment = {"PYTHONPATH": f"{artefact}:{ROOT}", "OMP_NUM_THREADS": "1"}
    module = "tests.support.llama_server"
    command: Command = [sys.executable, "-m", module, artefact / "model.gguf", str(port)]
    answers = partial(http_answers, path="/health")
    return ServiceProcess("llama.cpp", f"http://{HOST}:{port}", folder, command, answers, environment)


def main() -> None:
    """Serve until a signal."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    package: Any = importlib.import_module("xllamacpp")
    parameters = package.CommonParams()
    parameters.model.path = sys.argv[1]
    parameters.hostnames = [HOST]
    parameters.port = int(sys.argv[2])
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = 1
    parameters.warmup = False
    server = package.Server(parameters)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
