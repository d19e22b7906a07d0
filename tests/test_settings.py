"""What a person sets of the engine, where it comes from, and what is refused."""

import json

import pytest

from optimizer.errors import InputError
from optimizer.settings import SETTINGS_FILE, Capacity, Settings, capacity


def test_what_was_saved_is_loaded_and_the_environment_goes_over_it(tmp_path, monkeypatch):
    assert Settings.load(tmp_path) == Settings()
    saved = Settings(scheduler="tls://10.0.0.5:8786", tls="~/tls", threads=2)
    saved.save(tmp_path)
    assert Settings.load(tmp_path) == saved
    monkeypatch.setenv("FEATHERWEIGHT_SCHEDULER", "tls://[::1]:9000")
    monkeypatch.setenv("FEATHERWEIGHT_SLOTS", "3")
    assert Settings.load(tmp_path) == Settings("tls://[::1]:9000", "~/tls", 3, 2)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"slots": 0}, "whole number from 1 to 256; received 0"),
        ({"stage_minutes": 10**6}, "whole number from 1 to 43200"),
        ({"threads": "two"}, "received 'two'"),
        ({"scheduler": "10.0.0.5:8786"}, "looks like tls://"),
        ({"scheduler": "tls://host"}, "looks like tls://"),
        ({"scheduler": "http://host:1/x"}, "looks like tls://"),
        ({"scheduler": "tcp://10.0.0.5:8786"}, "without TLS"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(values, words):
    with pytest.raises(InputError, match=words):
        Settings(**values)


def test_a_variable_or_a_file_that_cannot_be_used_is_named(tmp_path, monkeypatch):
    (tmp_path / SETTINGS_FILE).write_text("{")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        Settings.load(tmp_path)
    (tmp_path / SETTINGS_FILE).write_text(json.dumps({"workers": 3}))
    with pytest.raises(InputError, match="not known"):
        Settings.load(tmp_path)
    (tmp_path / SETTINGS_FILE).unlink()
    monkeypatch.setenv("FEATHERWEIGHT_THREADS", "many")
    with pytest.raises(InputError, match="FEATHERWEIGHT_THREADS is a whole number"):
        Settings.load(tmp_path)


@pytest.mark.parametrize(
    ("cores", "gigabytes", "slots", "threads"),
    [(2, 24, 2, 1), (4, 16, 4, 1), (16, 64, 8, 2), (64, 16, 8, 2), (1, 2, 1, 1)],
)
def test_slots_follow_cores_and_memory(monkeypatch, cores, gigabytes, slots, threads):
    class Memory:
        total = gigabytes * 2**30

    monkeypatch.setattr("optimizer.settings.available_cores", lambda: cores)
    monkeypatch.setattr("optimizer.settings.psutil.virtual_memory", Memory)
    room = capacity(Settings())
    assert (room.slots, room.threads) == (slots, threads)
    assert room.slots * room.memory_per_slot <= 0.8 * Memory.total


def test_what_is_set_goes_over_what_the_machine_has():
    room = capacity(Settings(slots=5, threads=3))
    assert room == Capacity(5, 3, room.memory_bytes)
