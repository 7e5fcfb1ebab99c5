"""ONNX Runtime without its telemetry; the only importer of that library.

Version 1.31 opens TLS connections to a telemetry host a few seconds after a model is loaded, also after
`disable_telemetry_events()`. It reads the variable below while it is imported, so it is set before that.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime  # type: ignore[import-untyped] # noqa: TID251

InferenceSession = onnxruntime.InferenceSession
SessionOptions = onnxruntime.SessionOptions
