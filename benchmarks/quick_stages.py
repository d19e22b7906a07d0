"""Stages that compute nothing: they hand out what they are given, after a moment.

The fork server of :mod:`benchmarks.quick_engine` imports this in place of TensorFlow, so that a
soak of thousands of stage processes takes minutes and not days. Everything around the stage is
the real thing: scheduler, fork, pipes, kill, store.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from benchmarks.quick_engine import FAILURE
from optimizer.errors import StageError
from optimizer.stage import Files, Progress
from optimizer.tf_environment import configure


def without_tensorflow() -> None:
    """Let stage processes find empty modules where they import TensorFlow."""
    configure()
    tensorflow: Any = ModuleType("tensorflow")
    tensorflow.config = ModuleType("tensorflow.config")
    tensorflow.config.threading = ModuleType("tensorflow.config.threading")
    for name in ("intra", "inter"):
        setattr(
            tensorflow.config.threading,
            f"set_{name}_op_parallelism_threads",
            lambda threads: None,
        )
    sys.modules["tensorflow"] = tensorflow
    sys.modules["optimizer.engine.preload"] = ModuleType("optimizer.engine.preload")


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Wait, say so, and return the files that ``params`` has; fail where it says so."""
    started, seconds = time.monotonic(), float(params["seconds"])
    while (elapsed := time.monotonic() - started) < seconds:
        progress(min(1.0, elapsed / seconds), "waiting")
        time.sleep(0.005)
    if params["fails"]:
        raise StageError(FAILURE)
    files = {name: base64.b64decode(text) for name, text in params["files"].items()}
    if "latencies.json" in files:
        example = json.loads(files["latencies.json"])
        files["latencies.json"] = json.dumps({"files": dict.fromkeys(inputs, example)}).encode()
    return files


without_tensorflow()
