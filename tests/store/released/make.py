"""``python tests/store/released/make.py N COMMIT``: a store of an old schema, by its own code.

Run from the top folder of the repository. See the README beside this file.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
STAMP = (2026, 1, 1, 0, 0, 0)
BUILD = """
import inspect, json, sys
from dataclasses import asdict
from pathlib import Path

from optimizer.store import RunStage, Store
from optimizer.store import records
from optimizer.store.schema import MIGRATIONS
from tests.store.building import build_study, key

schema = int(sys.argv[2])
assert len(MIGRATIONS) == schema, (len(MIGRATIONS), schema)
store = Store.open(Path(sys.argv[1]))
study = build_study(store, "Digits of schema %d" % schema)
variants = store.list_variants(study.id)
ids = [variant.id for variant in variants]


def run(title, state, stages):
    made = store.queue_run("variants", title, study_id=study.id, variant_ids=ids[:2])
    if state != "queued":
        store.claim_run(made.id)
    for name, how in stages:
        stage_key = variants[1].stages[name] if how == "done" else key(name + title)
        numbers = {"loss": 0.25, "epoch": 2}
        store.put_stage(RunStage(made.id, stage_key, name, name.title(), tuple(ids[:1]),
            state=how, fraction=0.5, message="half way", numbers=numbers, seconds=1.5))
    if state not in ("queued", "running"):
        store.update_run(made.id, state=state, error="It failed." if state == "failed" else None)
    store.append_log(made.id, title + " began")
    return made.id


runs = [
    run("Finished", "done", [("convert", "done"), ("evaluate", "done")]),
    run("Broken", "failed", [("convert", "done"), ("prune", "failed")]),
    run("Under way", "running",
        [("convert", "done"), ("prune", "running"), ("cluster", "waiting")]),
    run("Waiting", "queued", []),
]
engine = {"pid": 4194304, "process_start": 1.0, "heartbeat_at": "2026-01-01T00:00:00.000+00:00",
          "status": "ready", "detail": "left behind"}
store.set_engine_state(records.EngineState(**engine))
if hasattr(store, "put_trial"):
    options = {"objective": "download"}
    search = store.queue_run("search", "Search", study_id=study.id, options=options)
    store.claim_run(search.id)
    trial = records.Trial(search.id, 0, ids[1], {"a": 1}, variants[1].recipe, state="complete",
                          figures={"size_bytes": 21000}, seconds=2.5)
    store.put_trial(trial)
    store.update_run(search.id, state="done", result={"kind": "found", "variant": ids[1]})
    runs.append(search.id)
if hasattr(store, "share_study"):
    store.put_report(records.StudyReport(study.id, "Title", "Why?", "Them", variants[1].recipe.hash,
                                         [variants[2].recipe.hash]))
    store.share_study(study.id)


def plain(record):
    fields = asdict(record)
    if "recipe" in fields:
        fields["recipe"] = json.loads(record.recipe.canonical_json())
    return json.loads(json.dumps(fields))


expected = {
    "schema": schema,
    "studies": [plain(item) for item in store.list_studies()],
    "models": [plain(item) for item in store.list_models()],
    "datasets": [plain(item) for item in store.list_datasets()],
    "variants": [plain(item) for item in store.list_variants(study.id)],
    "runs": [plain(store.get_run(each)) for each in runs],
    "stages": {each: [plain(stage) for stage in store.list_stages(each)] for each in runs},
    "logs": {each: store.read_log(each) for each in runs},
    "trials": {each: [plain(t) for t in store.list_trials(each)] for each in runs}
        if hasattr(store, "list_trials") else {},
    "report": plain(store.get_report(study.id)) if hasattr(store, "get_report") else None,
    "shares": [plain(item) for item in store.list_shares(study.id)]
        if hasattr(store, "list_shares") else [],
}
Path(sys.argv[1], "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True))
store._db.row("PRAGMA wal_checkpoint(TRUNCATE)")
store.close()
"""


def main(schema: str, commit: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree, home = Path(folder, "tree"), Path(folder, "home")
        subprocess.run(["git", "worktree", "add", "-q", "--detach", tree, commit], check=True)
        try:
            subprocess.run([sys.executable, "-c", BUILD, home, schema], cwd=tree, check=True)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], check=True)
        left_out = ("-wal", "-shm", ".lock")
        with zipfile.ZipFile(HERE / f"schema-{schema}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(home.rglob("*")):
                if path.is_file() and not path.name.endswith(left_out):
                    name = zipfile.ZipInfo(path.relative_to(home).as_posix(), STAMP)
                    name.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(name, path.read_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
