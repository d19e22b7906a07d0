"""What was found out about single layers, whoever asked for the scan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from optimizer.store.records import Run


def newest_scan(runs: Iterable[Run]) -> dict[str, Any] | None:
    """The newest scan of single layers among runs, as :func:`as_sensitivity` gives it.

    Args:
        runs: of a study, the newest first.
    """
    for run in runs:
        content = (run.result or {}).get("scan")
        if run.state == "done" and isinstance(content, Mapping) and content.get("layers"):
            return as_sensitivity(content)
    return None


def as_sensitivity(content: Mapping[str, Any]) -> dict[str, Any]:
    """A scan that was judged by each output's metric, in the form of ``sensitivity.json``.

    Args:
        content: under ``layers`` the name, ``weights``, and under ``prune`` and ``cluster`` by
            level a list with the ``fall`` of each output's metric, larger being worse.

    Returns:
        The same with the first output's fall also as the ``rise``; levels whose outputs were no
        finite numbers are left out.
    """
    return {
        "layers": [
            {
                "name": layer["name"],
                "weights": layer["weights"],
                **{technique: _levels(layer.get(technique)) for technique in ("prune", "cluster")},
            }
            for layer in content["layers"]
        ]
    }


def _levels(found: Mapping[str, Any] | None) -> dict[str, dict[str, float]] | None:
    levels = {
        level: {"fall": fall, "rise": fall}
        for level, outputs in (found or {}).items()
        if outputs and (fall := outputs[0].get("fall")) is not None
    }
    return levels or None
