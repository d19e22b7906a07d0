"""What only the isolated stage process can see is refused there, in its own sentence."""

import pytest

from optimizer.engine.client import stop_engine
from optimizer.store import Store
from tests.engine.conftest import start_engine
from tests.hostile import Targets, corpus, tflites
from tests.hostile.commanding import command, refusal
from tests.hostile.watching import Alarm

SOME = (
    "hdf5_external_link.h5",
    "hdf5_plugin_filter.h5",
    "weights_external_storage.keras",
    "lambda_marshal.h5",
    "graph_readfile.zip",
    "graph_hidden_by_loop.zip",
    "graph_recursion.zip",
    "image_png_size.zip",
    "image_eps.zip",
)
"""One of each kind of rule; the others are tried by the slow test."""


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    found = Targets.within(tmp_path_factory.mktemp("outside"))
    found.secret.write_text("secret\n" * 100)
    return found


@pytest.fixture(scope="module")
def files(targets):
    return list(corpus(targets.marker.parent))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store with a live engine, which the command line finds."""
    folder = tmp_path_factory.mktemp("home")
    store = Store.open(folder)
    start_engine(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEATHERWEIGHT_HOME", str(folder))
        yield folder
    stop_engine(store)


def refuse_all(chosen, targets, folder):
    """Sentence → attacks, after each file was refused with nothing outside touched."""
    alarm = Alarm(targets.marker.parent)
    said, wrong = {}, []
    for file in chosen:
        answer = refusal(file, folder)
        last = answer.lines[-1] if answer.lines else ""
        heard = alarm.heard()
        if answer.code != 2 or file.phrase not in last or heard or "Traceback" in str(answer.lines):
            wrong.append((file.name, answer, heard))
        stem = file.name.rpartition(".")[0]
        sentence = last.replace(file.name, "FILE").replace(stem, "FILE")
        said.setdefault(sentence, set()).add(file.attack)
    alarm.close()
    assert wrong == []
    assert not targets.marker.exists()
    assert {s: attacks for s, attacks in said.items() if len(attacks) > 1} == {}
    return said


def test_a_file_of_each_kind_of_rule(home, files, targets, tmp_path):
    chosen = [file for file in files if file.name in SOME]
    assert len(chosen) == len(SOME)
    assert all(file.in_stage for file in chosen)
    attacks = {file.attack for file in chosen}
    assert len(refuse_all(chosen, targets, tmp_path)) == len(attacks)


def test_what_is_harmless_without_what_it_names_is_used_without_it(home, files, targets, tmp_path):
    alarm = Alarm(targets.marker.parent)
    for file in files:
        if not file.phrase:
            answer = refusal(file, tmp_path)
            assert answer.code == 0, answer
            assert "Dense" in answer.output
    assert alarm.heard() == []
    alarm.close()
    assert not targets.marker.exists()


@pytest.mark.slow
def test_every_file_that_only_a_stage_can_see(home, files, targets, tmp_path):
    refuse_all([file for file in files if file.in_stage], targets, tmp_path)


def test_the_engine_goes_on_after_all_that(home):
    assert command("inspect", "cancer_mlp").code == 0


def test_a_tflite_that_passes_every_check_is_run_apart_and_its_refusal_is_a_sentence(tmp_path):
    """Nothing is wrong with this file's references, only with what its operator is given."""

    def change(made):
        made.subgraphs[0].operators[0].inputs = [0]

    path = tmp_path / "bare.tflite"
    path.write_bytes(tflites.changed(change))
    answer = command("benchmark", path)
    assert answer.code == 2
    assert "The TensorFlow Lite runtime c" in answer.lines[-1]
    assert len(answer.lines) == 1
