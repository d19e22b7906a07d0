"""``python -m benchmarks.quick_engine``: the engine with stages that compute nothing.

What a stage hands out is taken from the bundled sample study, which has to be in the store.
Recipes choose what a stage does: the seed's last digit is 7, and its first stage takes a minute,
for somebody to cancel it; it is 9, and the stage fails.

Stage processes import this module by name, so it imports nothing heavy at its top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optimizer.store import Store

SLOW, FAILING = 7, 9
"""Last digits of a recipe's seed."""
FAILURE = "This stage fails whenever it is asked."
_LONG_SECONDS = 60.0


def main() -> int:
    """Serve the store in ``FEATHERWEIGHT_HOME`` as the engine does."""
    from dataclasses import replace

    from optimizer.engine import __main__, process, service
    from optimizer.engine.forks import Forks
    from optimizer.engine.pool import JobResult, Listener
    from optimizer.engine.runner import StageRunner
    from optimizer.keys import Stage
    from optimizer.store import Store

    known = examples(Store.open())

    class QuickRunner(StageRunner):
        async def _run(self, stage: Stage, listen: Listener) -> JobResult:
            digit = int(stage.params.get("seed") or 0) % 10
            params = {
                "files": known.get(stage.name, {"model.keras": ""}),
                "seconds": _LONG_SECONDS if digit == SLOW else 0.02,
                "fails": digit == FAILING,
            }
            function = "benchmarks.quick_stages:stage"
            return await super()._run(replace(stage, function=function, params=params), listen)

    process._forks = Forks(preload="benchmarks.quick_stages")
    vars(service).update(StageRunner=QuickRunner)
    return __main__.main()


def examples(store: Store) -> dict[str, dict[str, str]]:
    """Stage → file → content of what the sample study has, in base64."""
    import base64
    import json

    study = next(study for study in store.list_studies() if study.origin == "sample")
    variant = next(item for item in store.list_variants(study.id) if item.name == "float16")
    keys = dict(variant.stages)
    keys["import_model"] = store.get_model(study.model_id).facts_key
    keys["prepare_data"] = store.get_dataset(study.dataset_id).facts_key
    files = {name: store.artifacts.read_all(key) for name, key in keys.items()}
    latency = json.loads(files["benchmark"]["latency.json"])
    files["benchmark"] = {"latencies.json": json.dumps({**latency, "files": 2}).encode()}
    return {
        stage: {name: base64.b64encode(data).decode() for name, data in content.items()}
        for stage, content in files.items()
    }


if __name__ == "__main__":
    raise SystemExit(main())
