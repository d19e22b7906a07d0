"""``python -m optimizer report DIR --html FILE``."""

import pytest

from optimizer.__main__ import main
from optimizer.command_files import write_results


@pytest.fixture
def folder(sample_store, tmp_path):
    study = sample_store.list_studies()[0]
    variants = [one for one in sample_store.list_variants(study.id) if one.name == "int8"]
    write_results(sample_store, study, [sample_store.baseline(study.id), *variants], tmp_path, {})
    return tmp_path


def test_it_writes_the_file(folder, capsys):
    file = folder / "report.html"
    texts = ["--title", "Which one?", "--audience", "the board", "--choice", "int8"]
    assert main(["report", str(folder), "--html", str(file), *texts, "--alternatives"]) == 0
    written = file.read_text()
    assert "<h1>Which one?</h1>" in written
    assert "Use the variant “int8”" in written
    assert " MB; opens in any browser" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--choice", "gone"], "No variant with results has the name 'gone'"),
        (["--alternatives", "gone"], "No variant with results has the name 'gone'"),
    ],
)
def test_an_unknown_name_is_refused(folder, capsys, arguments, words):
    assert main(["report", str(folder), "--html", str(folder / "r.html"), *arguments]) == 2
    assert words in capsys.readouterr().err
    assert not (folder / "r.html").exists()


def test_a_file_that_cannot_be_written_is_refused(folder, capsys):
    assert main(["report", str(folder), "--html", str(folder / "no" / "r.html")]) == 2
    assert "Cannot write" in capsys.readouterr().err


def test_an_empty_folder_is_refused(tmp_path, capsys):
    assert main(["report", str(tmp_path), "--html", "r.html"]) == 2
    assert "run, sweep or search wrote" in capsys.readouterr().err
