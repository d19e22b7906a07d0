"""Every hostile file ends in its own sentence and exit code 2, and nothing of it runs."""

import json
import marshal
import os
import pickle
import subprocess
import sys
import tempfile
from base64 import b64decode
from pathlib import Path

import pytest

from optimizer.models.inspect import identify, inspect_upload
from tests.hostile import Targets, corpus
from tests.hostile.commanding import refusal
from tests.hostile.forge import Pickled, bytecode
from tests.hostile.watching import Alarm, audited, outside

ROOT = Path(__file__).parents[2]
MEMORY_BYTES = 192 * 2**20
"""By which the corpus, one file after the other, may make a process grow."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The corpus and where its payloads aim: a folder with a secret, and without a marker."""
    targets = Targets.within(tmp_path_factory.mktemp("outside"))
    targets.secret.write_text("secret\n" * 100)
    return list(corpus(targets.marker.parent)), targets


@pytest.fixture(scope="module")
def answers(made, tmp_path_factory):
    """What the command line said to each file that needs no stage, and what was done meanwhile."""
    files, targets = made
    folder, home = tmp_path_factory.mktemp("uploads"), tmp_path_factory.mktemp("home")
    found = {}
    alarm = Alarm(targets.marker.parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEATHERWEIGHT_HOME", str(home))
        patch.setattr(tempfile, "tempdir", str(home))  # of the empty folder of a table's reader
        for file in files:
            if file.in_stage or not file.phrase:
                continue
            with audited() as events:
                answer = refusal(file, folder)
            strange = outside(events, folder, home)
            found[file.name] = (file, answer, strange, alarm.heard())
    alarm.close()
    return found


def test_there_are_enough_of_them(made):
    files, _ = made
    attacks = {file.attack for file in files if file.phrase}
    assert len(files) >= 200
    assert len(attacks) >= 150
    assert len({file.name for file in files}) == len(files)
    assert {file.kind for file in files} == {"model", "tflite", "dataset", "recipe", "grid"}


def test_the_command_line_refuses_each_in_one_line_with_exit_code_2(answers):
    wrong = [
        (name, answer)
        for name, (file, answer, _, _) in answers.items()
        if answer.code != 2 or len(answer.lines) != 1 or file.phrase not in answer.lines[0]
    ]
    assert wrong == []
    assert all(answer.output == "" for _, answer, _, _ in answers.values())


def test_sentences_are_short_and_say_what_to_do(answers):
    for name, (_, answer, _, _) in answers.items():
        assert len(answer.lines[0]) < 500, name
        assert answer.lines[0].endswith((".", "…")), (name, answer.lines[0])


def test_no_two_attacks_have_the_same_sentence(answers):
    said = {}
    for name, (file, answer, _, _) in answers.items():
        stem = name.rpartition(".")[0]
        sentence = answer.lines[0].replace(name, "FILE").replace(stem, "FILE")
        said.setdefault(sentence, set()).add(file.attack)
    assert {sentence: attacks for sentence, attacks in said.items() if len(attacks) > 1} == {}


def test_nothing_ran_and_nothing_outside_was_touched(made, answers):
    _, targets = made
    assert not targets.marker.exists()
    assert {name: heard for name, (_, _, _, heard) in answers.items() if heard} == {}
    strange = {
        name: events
        for name, (_, _, found, _) in answers.items()
        if (events := [e for e in found if "optimizer.data.peek" not in e[1]])
    }
    assert strange == {}


def test_the_payloads_would_run_where_they_are_let(tmp_path):
    marker = tmp_path / "marker"
    pickle.loads(pickle.dumps(Pickled(marker)))
    assert marker.exists()
    marker.unlink()
    exec(marshal.loads(b64decode(bytecode(marker))))
    assert marker.exists()


def test_the_watch_hears_what_it_is_there_for(tmp_path):
    (tmp_path / "secret").write_text("secret")
    alarm = Alarm(tmp_path)
    subprocess.run(["cat", tmp_path / "secret"], check=True, capture_output=True)
    assert "secret" in alarm.heard()
    alarm.close()
    with audited() as events:
        (tmp_path / "marker").write_text("ran")
        subprocess.run([sys.executable, "-c", ""], check=True)
    assert outside(events, "/nowhere") == outside(events, ROOT)
    assert [kind for kind, _ in outside(events, tmp_path)][:1] == ["start"]
    assert ("write", str(tmp_path / "marker")) in [(k, str(w)) for k, w in events]


def test_what_is_for_training_is_taken_out_and_never_loaded(made):
    files, targets = made
    disarmed = [file for file in files if not file.phrase]
    assert len(disarmed) >= 2
    for file in disarmed:
        identify(file.data, file.name)
        left = json.dumps(inspect_upload(file.data, file.name).config)
        assert not any(word in left for word in ('"os"', '"system"', '"exec"', "Lambda", "compile"))
    assert not targets.marker.exists()


def test_memory_stays_bounded(made, tmp_path):
    """A process of its own looks at all files in turn, and may not take more than a fixed sum."""
    files, _ = made
    kinds = {}
    for file in files:
        (tmp_path / file.name).write_bytes(file.data)
        kinds[file.name] = file.kind
    (tmp_path / "kinds").write_text(json.dumps(kinds))
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.weighing", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["refused"] >= 190
    assert found["grown_bytes"] < MEMORY_BYTES, found
    assert found["reader_bytes"] < 4 * MEMORY_BYTES, found


def test_the_script_writes_the_same_bytes_again(made, answers):
    """Into the same folder, in another process with other hashes of texts."""
    files, targets = made
    folder = targets.marker.parent
    subprocess.run(
        [sys.executable, "-m", "tests.hostile", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        check=True,
    )
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    del written[targets.secret.name]
    assert written == {file.name: file.data for file in files}
