"""Everything that writes to a store, each as one piece of work on a store with a study in it."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from optimizer.recipe import Quantize, Recipe
from optimizer.settings import SETTINGS_FILE, Settings
from optimizer.store import RunStage, Store, Trial
from optimizer.store.archive import export_study, import_study
from optimizer.store.archive_reader import ArchiveReader
from optimizer.store.logs import LOG_BYTES
from optimizer.store.records import EngineState, StudyReport
from tests.store.building import MODEL_FACTS, build_study, key

OTHER = Recipe(quantize=Quantize(mode="int16x8"))
FILES = {"model.tflite": b"TFL3" * 2000, "layers.json": b"{}"}
RUN_ID = "ab12"


@dataclass(frozen=True)
class Work:
    """Something that writes.

    Attributes:
        do: it; given the store's folder.
        prepare: what has to be there before, without being looked at.
        lasting: whether what it reports as done survives a power cut from then on.
        again: whether it can be done once more after it was done.
    """

    do: Callable[[Path], object]
    prepare: Callable[[Store], object] = lambda store: None
    lasting: bool = True
    again: bool = True


def empty(store: Store) -> None:
    """Nothing at all is there yet."""
    store.close()
    for path in store.home.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def study_of(store: Store) -> str:
    return store.list_studies()[-1].id


def upload(home: Path) -> None:
    store = Store.open(home)
    store.add_model("new.keras", b"PK new model" * 300)
    store.add_dataset("new.npz", b"PK new data" * 300)


def upload_over_damage(home: Path) -> None:
    Store.open(home).add_model("digits.keras", b"PK model bytes " * 50)


def damage_upload(store: Store) -> None:
    store.file_path(store.list_models()[0].sha256).write_bytes(b"damaged")


def facts(home: Path) -> None:
    store = Store.open(home)
    store.artifacts.write(key("facts"), {"facts.json": b"{}"})
    model = store.list_models()[0]
    store.set_model_facts(model.id, MODEL_FACTS, key("facts"))


def study(home: Path) -> None:
    store = Store.open(home)
    made = store.create_study(
        "Second", store.list_models()[0].id, store.list_datasets()[0].id, "multiclass"
    )
    store.add_variants(made.id, [Recipe(), OTHER])
    store.rename_study(made.id, "Renamed")


def artifact(home: Path) -> None:
    Store.open(home).artifacts.write(key("new"), FILES, {"seconds": 1.0})


def damage_artifact(store: Store) -> None:
    store.artifacts.write(key("new"), FILES)
    store.artifacts.path(key("new"), "model.tflite").write_bytes(b"damaged")


def whole_run(home: Path) -> None:
    """What the engine writes for one variant from the queue to its end."""
    store = Store.open(home)
    study_id = study_of(store)
    variant = store.add_variant(study_id, OTHER)
    run = store.queue_run("variants", "Run", study_id=study_id, variant_ids=[variant.id])
    store.claim_run(run.id)
    store.put_stage(RunStage(run.id, key("new"), "convert", "Convert", (variant.id,)))
    store.append_log(run.id, "Convert: started")
    store.artifacts.write(key("new"), FILES, {"seconds": 1.0})
    store.update_variant(variant.id, state="running", results={"size_bytes": 8000})
    store.update_variant(variant.id, state="done", stages={"convert": key("new")})
    store.update_run(run.id, state="done")


def trials(home: Path) -> None:
    store = Store.open(home)
    run = store.queue_run("search", "Search", study_id=study_of(store))
    for number in (1, 2):
        trial = Trial(run.id, number, None, {}, OTHER, "start", "running")
        store.put_trial(trial)
    store.request_cancel(run.id)


def delete_variant(home: Path) -> None:
    store = Store.open(home)
    done = [v for v in store.list_variants(study_of(store)) if v.state == "done"]
    store.delete_variant(done[-1].id)


def delete_everything(home: Path) -> None:
    store = Store.open(home)
    store.delete_study(study_of(store))
    store.delete_model(store.list_models()[0].id)
    store.delete_dataset(store.list_datasets()[0].id)


def finished_run(store: Store) -> None:
    run = store.queue_run("variants", "Run", study_id=study_of(store))
    store.append_log(run.id, "text")
    store.update_run(run.id, state="done")


def archive_of(store: Store) -> None:
    """The archive of the study, beside the store."""
    buffer = io.BytesIO()
    export_study(store, study_of(store), buffer)
    (store.home.parent / "study.zip").write_bytes(buffer.getvalue())


def take_in(home: Path) -> None:
    import_study(Store.open(home), home.parent / "study.zip")


def take_out(home: Path) -> None:
    store = Store.open(home)
    export_study(store, study_of(store), home / "out.study.zip")


def garbage(home: Path) -> None:
    Store.open(home).collect_garbage(min_age_seconds=0)


def make_garbage(store: Store) -> None:
    store.artifacts.write(key("garbage"), FILES)
    store.files.write(b"an upload that no record has")
    store.append_log("dead", "a log whose run is gone")


def settings(home: Path) -> None:
    Settings(slots=3, threads=2).save(home)


def first_settings(store: Store) -> None:
    Settings(slots=1).save(store.home)


def share(home: Path) -> None:
    store = Store.open(home)
    study_id = study_of(store)
    kept, revoked = store.share_study(study_id), store.share_study(study_id)
    store.revoke_share(revoked.token)
    store.put_report(StudyReport(study_id, "Title", "Question?", "Everybody"))
    assert kept.token


def log(home: Path) -> None:
    store = Store.open(home)
    for number in range(3):
        store.append_log(RUN_ID, f"line {number} " + "x" * 200_000)


def long_log(store: Store) -> None:
    store.append_log(RUN_ID, "y" * (LOG_BYTES // 2 - 10))
    store.append_log(RUN_ID, "z" * (LOG_BYTES // 2 - 10))


def say(home: Path) -> None:
    store = Store.open(home)
    store.set_engine_state(EngineState(1, 1.5, "2026-08-01T12:00:00+00:00", "ready"))
    store.set_engine_state(None)


WORKS = {
    "open": Work(Store.open),
    "open for the first time": Work(Store.open, empty),
    "upload": Work(upload),
    "upload over a damaged file": Work(upload_over_damage, damage_upload),
    "facts": Work(facts),
    "study": Work(study),
    "artifact": Work(artifact),
    "artifact over a damaged one": Work(artifact, damage_artifact),
    "run": Work(whole_run),
    "trials": Work(trials),
    "delete a variant": Work(delete_variant, again=False),
    "delete everything": Work(delete_everything, finished_run, again=False),
    "import": Work(take_in, archive_of),
    "export": Work(take_out),
    "collect garbage": Work(garbage, make_garbage, lasting=False),
    "settings": Work(settings, first_settings),
    "share": Work(share),
    "log": Work(log, long_log, lasting=False),
    "engine's sign of life": Work(say, lasting=False),
}


def make_home(home: Path) -> None:
    """A store with a small study, closed so that its folder can be copied."""
    store = Store.open(home)
    study_id = build_study(store).id
    _, kept, other = (v for v in store.list_variants(study_id) if v.state == "done")
    store.update_variant(kept.id, stages={"convert": kept.stages["convert"]})
    store.delete_variant(other.id)
    store.collect_garbage(min_age_seconds=0)
    store.close()


def check_whole(home: Path, spared: str = "", *, busy: bool = False) -> Store:
    """Open a store as the next process does, and find everything whole that it lists.

    Args:
        home: its folder.
        spared: a key or hash that was damaged before.
        busy: whether others work on it now.
    """
    store = Store.open(home)
    assert store._db.row("PRAGMA integrity_check")[0] == "ok"
    assert store._db.rows("PRAGMA foreign_key_check") == []
    for found in store.list_studies():
        for variant in store.list_variants(found.id):
            assert variant.state != "done" or variant.results, "done means measured"
            keys = set(variant.stages.values())
            assert all(store.artifacts.verify(each) for each in keys - {spared})
        store.get_report(found.id)
    for record in (*store.list_models(), *store.list_datasets()):
        if record.sha256 != spared:
            assert len(store.read_file(record.sha256)) == record.size_bytes
        assert record.facts_key is None or store.artifacts.verify(record.facts_key)
    assert all(store.artifacts.verify(each) for each in set(store.artifacts.keys()) - {spared})
    assert all(store.files.read(each) for each in set(store.files.all_sha256()) - {spared})
    for run in store.list_runs():
        store.list_stages(run.id), store.list_trials(run.id), store.read_log(run.id)
    prepared = [path for path in (home / "tmp").iterdir() if len(path.name) == 32]
    assert busy or prepared == [], "what a killed writer left is cleared away"
    path = home / SETTINGS_FILE
    assert not path.exists() or json.loads(path.read_text())["slots"] in (1, 3)
    archive = home / "out.study.zip"
    if archive.exists():
        with archive.open("rb") as file:
            reader = ArchiveReader(file)
            assert all(reader.read(name) for name in reader.names)
    return store
