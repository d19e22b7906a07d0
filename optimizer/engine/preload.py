"""What the fork server imports once, so that each stage process starts with it in place.

No TensorFlow operation may run here: threads it would start do not survive a fork.
"""

import os

from optimizer.tf_environment import configure

configure()
# The linear algebra below numpy has threads of its own, one per core, unless it is told.
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import keras  # noqa: E402, F401
import tensorflow  # noqa: E402, F401
import tensorflow_model_optimization  # noqa: E402, F401
import tf_keras  # noqa: E402, F401

import optimizer.inspection.activations  # noqa: E402
import optimizer.inspection.predictions  # noqa: E402
import optimizer.measure.accuracy  # noqa: E402
import optimizer.measure.latency  # noqa: E402
import optimizer.models.stage  # noqa: E402
import optimizer.techniques.clustering  # noqa: E402
import optimizer.techniques.conversion  # noqa: E402
import optimizer.techniques.pruning  # noqa: E402
import optimizer.techniques.quantize_aware  # noqa: E402, F401
