"""Pages on a store that the oldest released version left."""

import json
import zipfile

import pytest

from optimizer.bundled import MARKER
from optimizer.store import Store
from tests.pages.conftest import ROOT, Workbench


@pytest.fixture
def oldest(home):
    with zipfile.ZipFile(ROOT / "tests" / "store" / "released" / "schema-1.zip") as archive:
        archive.extractall(home)
    (home / MARKER).touch()
    return Workbench(Store.open(home))


def test_an_old_study_is_shown(oldest, home):
    expected = json.loads((home / "expected.json").read_text())
    names = {variant["name"] for variant in expected["variants"] if variant["state"] == "done"}
    compare = oldest.open("study/compare", study=oldest.study.id)
    (table,) = [frame.value for frame in compare.dataframe if len(frame.value) >= len(names)]
    assert sum(name in table.to_csv() for name in names) == len(names)
    runs = oldest.open("study/runs", study=oldest.study.id)
    said = " ".join(item.value for item in (*runs.markdown, *runs.caption, *runs.error))
    said += " ".join(item.label for item in runs.expander)
    for run in expected["runs"]:
        assert run["title"] in said
    studies = oldest.open("start/studies")
    links = " ".join(str(link.proto) for link in studies.get("page_link"))
    assert oldest.study.name in links
