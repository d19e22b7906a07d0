"""Damaging the files of a store, and reading all that pages read."""

from optimizer.store import Store

RESTORE = "Restore a backup of the store's folder. Or begin anew"


def read_everything(home):
    """What all pages together read."""
    store = Store.open(home)
    for study in store.list_studies():
        store.list_variants(study.id)
        store.get_report(study.id)
    store.list_models(), store.list_datasets()
    for run in store.list_runs(limit=None):
        store.list_stages(run.id), store.list_trials(run.id)
    store.engine_state()
    store._referenced_keys()
    return store


def overwrite(path, offset, data):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)
