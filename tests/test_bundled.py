from optimizer import samples
from optimizer.bundled import STUDY_FILE, ensure_sample_study
from optimizer.store import Store


def test_the_bundled_study_is_whole_and_comes_once(tmp_path):
    store = Store.open(tmp_path)
    ensure_sample_study(store)
    ensure_sample_study(store)
    (study,) = store.list_studies()
    assert study.origin == "sample"
    assert study.done_count == study.variant_count >= 10
    for variant in store.list_variants(study.id):
        tflite = store.artifacts.read(variant.stages["convert"], "model.tflite")
        assert len(tflite) == variant.results["size_bytes"]


def test_a_deleted_sample_study_stays_deleted(tmp_path):
    store = Store.open(tmp_path)
    ensure_sample_study(store)
    store.delete_study(store.list_studies()[0].id)
    ensure_sample_study(store)
    assert store.list_studies() == []


def test_all_samples_are_small():
    files = [sample.path for sample in (*samples.MODELS.values(), *samples.DATASETS.values())]
    assert sum(path.stat().st_size for path in [*files, STUDY_FILE]) < 5_000_000
