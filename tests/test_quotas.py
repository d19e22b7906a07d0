"""Limits: what may be set, where, and what each refusal says."""

import json

import pytest

from optimizer.errors import InputError
from optimizer.quotas import LIMITS, QuotaError, Quotas, from_environment
from optimizer.settings import SETTINGS_FILE, Settings, load_limits


def test_the_defaults_hold_without_settings(tmp_path):
    assert load_limits(tmp_path) == Quotas()
    assert set(LIMITS) == set(Quotas.__dataclass_fields__)
    for name, limit in LIMITS.items():
        assert limit.least <= getattr(Quotas(), name) <= limit.most


def test_the_environment_goes_over_the_file(tmp_path, monkeypatch):
    Settings(slots=3, limits=Quotas(studies=7, store_bytes=10**9)).save(tmp_path)
    kept = json.loads((tmp_path / SETTINGS_FILE).read_text())
    assert kept["limits"] == {"studies": 7, "store_bytes": 10**9}, "only what differs"
    monkeypatch.setenv("FEATHERWEIGHT_MAX_STUDIES", "9")
    monkeypatch.setenv("FEATHERWEIGHT_MAX_UPLOAD", "750 MB")
    monkeypatch.setenv("FEATHERWEIGHT_MIN_FREE", "0.5gb")
    loaded = Settings.load(tmp_path)
    assert loaded.slots == 3
    assert loaded.limits == Quotas(
        studies=9, store_bytes=10**9, upload_bytes=750 * 10**6, free_bytes=5 * 10**8
    )
    assert load_limits(tmp_path) == loaded.limits
    assert Settings.saved(tmp_path).limits == Quotas(studies=7, store_bytes=10**9)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("FEATHERWEIGHT_MAX_STUDIES", "many"),
        ("FEATHERWEIGHT_MAX_STUDIES", "0"),
        ("FEATHERWEIGHT_MAX_STUDIES", "3 GB"),
        ("FEATHERWEIGHT_MAX_UPLOAD", "big"),
        ("FEATHERWEIGHT_MAX_UPLOAD", "-1"),
        ("FEATHERWEIGHT_MAX_STORE", "1e99"),
    ],
)
def test_a_limit_that_cannot_be_used_is_named(tmp_path, monkeypatch, variable, text):
    monkeypatch.setenv(variable, text)
    with pytest.raises(InputError, match=variable):
        load_limits(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"limits": {"studios": 3}}, "studios"),
        ({"limits": [3]}, "limits"),
        ({"limits": {"studies": "3"}}, "FEATHERWEIGHT_MAX_STUDIES"),
        ({"limits": {"studies": True}}, "FEATHERWEIGHT_MAX_STUDIES"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path, content, said):
    (tmp_path / SETTINGS_FILE).write_text(json.dumps(content))
    with pytest.raises(InputError, match=said):
        load_limits(tmp_path)


def test_every_refusal_says_the_limit_what_was_asked_and_what_to_do():
    quotas = Quotas(
        upload_bytes=10**6,
        store_bytes=10**9,
        free_bytes=10**9,
        studies=3,
        unused_uploads=4,
        runs=5,
        variants=6,
    )
    refusals = {
        "upload_bytes": (lambda: quotas.check_upload("big.npz", 2 * 10**6), ("2.00 MB", "1.00 MB")),
        "store_bytes": (lambda: quotas.check_store(999_000_000, 10**7), ("999.0 MB", "10.0 MB")),
        "free_bytes": (lambda: quotas.check_free("/data", 10**9, 5), ("1.00 GB", "5 B", "/data")),
        "studies": (lambda: quotas.check_studies(3), ("3 studies",)),
        "unused_uploads": (lambda: quotas.check_unused_uploads(4), ("4", "--free uploads")),
        "runs": (lambda: quotas.check_run(5, 1), ("5 runs", "Runs page")),
        "variants": (lambda: quotas.check_run(0, 7), ("7 variants", "6")),
    }
    assert set(refusals) == set(LIMITS)
    for name, (ask, parts) in refusals.items():
        with pytest.raises(QuotaError) as refused:
            ask()
        for part in (*parts, LIMITS[name].variable, "Settings page"):
            assert part in str(refused.value), name


def test_what_is_within_the_limits_passes():
    quotas = Quotas()
    quotas.check_upload("a.npz", quotas.upload_bytes)
    quotas.check_store(quotas.store_bytes - 1, 1)
    quotas.check_free("/", quotas.free_bytes + 1, 1)
    quotas.check_studies(quotas.studies - 1)
    quotas.check_unused_uploads(quotas.unused_uploads - 1)
    quotas.check_run(quotas.runs - 1, quotas.variants)
    assert from_environment() == {}
