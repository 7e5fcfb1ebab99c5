"""The embedding runtime looks up no host: films are confidential."""

import os
import select
import shutil
from pathlib import Path

import pytest

from tests.support.name_lookups import heard

UNCONTROLLED = """
import sys, time, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1] + "/model.onnx", providers=["CPUExecutionProvider"])
time.sleep(60)
"""
OURS = """
import sys, time, pathlib
from gather_brain.embeddings.onnx_model import OnnxModel
OnnxModel(pathlib.Path(sys.argv[1]), None).embed(["INT. KITCHEN - NIGHT"])
print("embedded", flush=True)
time.sleep(60)
"""
DELAY_S = 30
"""The runtime makes its first look-up about 4 s after the model is loaded."""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and iproute2")
def test_the_brains_model_looks_up_no_host_and_the_bare_runtime_does(embedding_model_dir: Path) -> None:
    """The bare runtime, started after ours has embedded, shows that this test can hear a look-up.

    The runtime is silent where `CI` or its like is set, so neither program gets our environment.
    """
    environment = {"PATH": os.environ["PATH"]}
    with heard(["-c", OURS, str(embedding_model_dir)], environment) as ours:
        assert ours.readline().strip() == "embedded"
        with heard(["-c", UNCONTROLLED, str(embedding_model_dir)], environment) as bare:
            assert select.select([bare], [], [], DELAY_S)[0]
            assert "microsoft" in bare.readline()
        assert not select.select([ours], [], [], 0)[0]
