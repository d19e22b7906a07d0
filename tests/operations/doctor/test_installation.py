"""What is installed: each thing that can be wrong is found, and a remedy is named."""

from __future__ import annotations

from dataclasses import dataclass

from optimizer.operations.doctor import installation
from tests.operations.doctor.building import ROOT, says


def test_python():
    assert installation.check_python((3, 11)).level == "ok"
    assert installation.check_python((3, 12)).level == "ok"
    assert says(installation.check_python((3, 13)), "3.13; 3.11 or 3.12", "PYTHON=python3.11")
    assert says(installation.check_python((3, 10)), "3.10")


def test_packages():
    text = (ROOT / "requirements.txt").read_text()
    pins = installation.pinned(text)
    assert pins["tensorflow"].startswith("2.")
    assert installation.check_packages(pins, pins).level == "ok"
    lacking = {name: pin for name, pin in pins.items() if name != "dask"} | {"keras": "2.0"}
    found = installation.check_packages(pins, lacking)
    assert says(found, "dask is missing", "make install")
    assert "keras 2.0 (not 3." in found.text
    assert installation.check_packages({}, {}).level == "note"


def test_libraries_are_imported_in_a_process_of_their_own(tmp_path, monkeypatch):
    (tmp_path / "fails.py").write_text("raise ImportError('libfoo.so.1: cannot open')")
    (tmp_path / "crashes.py").write_text("import os; os.abort()")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path}")
    found = installation.import_libraries(("json", "fails"))
    assert isinstance(found["json"], float)
    assert says(installation.check_libraries(found), "libfoo.so.1", "make install")
    crashed = installation.import_libraries(("crashes",))
    assert says(installation.check_libraries(crashed), "ended with code -6", "AVX")
    assert installation.check_libraries({"tensorflow": 9.5}).level == "ok"


@dataclass(frozen=True)
class Protection:
    name: str
    holds: bool
    detail: str


def test_confinement():
    network, files = Protection("network", True, "none"), Protection("files", False, "no Landlock")
    assert installation.check_confinement([network]).level == "ok"
    partly = installation.check_confinement([network, files])
    assert partly.level == "note"
    assert "1 of 2 do not hold here: files (no Landlock)" in partly.text
    assert says(installation.check_confinement(None, "it did not start"), "it did not start")


def test_chromium():
    assert installation.check_chromium("/usr/bin/chromium").level == "ok"
    assert "apt-get install chromium" in installation.check_chromium(None).text
