"""Stand-ins for the values that each script defines itself."""

from __future__ import annotations

from typing import Any

SEED = 0
EPOCHS = 1
BATCH_SIZE = 32
LEARNING_RATE = 0.001
SCHEDULE: dict[str, Any] = {}
SPARSITY: dict[str, float] = {}
STRUCTURE: dict[str, Any] = {}
COMPETING: list[str] = []
CLUSTERS: dict[str, int] = {}
CENTROIDS: Any = None
CLUSTERING: dict[str, Any] = {}
PRESERVE: dict[str, Any] = {}
FLOAT_LAYERS: list[str] = []
PER_CHANNEL = True
CALIBRATION_SAMPLES = 200
THRESHOLD = 0.5
