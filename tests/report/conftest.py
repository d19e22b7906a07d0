"""The sample study as a report's source, and one in which everything with a name is hostile."""

from dataclasses import replace

import pytest

from optimizer.bundled import ensure_sample_study
from optimizer.report.source import ReportSource, from_store
from optimizer.store import Store
from tests.variants import baseline, results, variant

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=2'>\"'&"
LAYER = {
    "name": HOSTILE,
    "type": HOSTILE,
    "shape": [3, 3],
    "dtype": HOSTILE,
    "sparsity": 0.5,
    "distinct": 4,
    "bytes": 9,
}


@pytest.fixture(scope="session")
def sample_store(tmp_path_factory):
    store = Store.open(tmp_path_factory.mktemp("report"))
    ensure_sample_study(store)
    return store


@pytest.fixture(scope="session")
def sample(sample_store):
    return from_store(sample_store, sample_store.list_studies()[0])


def made_of(*variants, **more):
    """A source of plain variants."""
    return ReportSource(
        **{
            "name": "study",
            "model": {"file_name": "model.keras"},
            "dataset": {"file_name": "data.npz", "train": 100, "test": 400, "task": "multiclass"},
            "environment": {"processor": "some processor"},
            "variants": variants,
            "layers_of": lambda variant: (),
            "footprint_of": lambda variant: None,
            **more,
        }
    )


@pytest.fixture
def hostile():
    """Names from uploads and archives can hold anything."""
    base = replace(baseline(), name=HOSTILE + " base")
    other = variant("other", found=results(notes=[HOSTILE], latency={"device": HOSTILE}))
    other = replace(other, name=HOSTILE)
    third = replace(variant("third", found=results(value=0.9, gzip_bytes=9_000)), name=HOSTILE)
    return made_of(
        base,
        other,
        third,
        name=HOSTILE,
        model={"file_name": HOSTILE, "sha256": HOSTILE},
        dataset={"file_name": HOSTILE, "train": 1, "test": 2, "task": HOSTILE, "split": HOSTILE},
        environment={"processor": HOSTILE, "tensorflow": HOSTILE, "date": HOSTILE},
        layers_of=lambda variant: [LAYER],
    )
