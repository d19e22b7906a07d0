"""A few pages are computed at a time; none waits for ever, and none keeps its turn."""

import threading
import time

import pytest
import streamlit as st

from pages.parts import turns


@pytest.fixture(autouse=True)
def fresh():
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def test_a_few_at_a_time():
    at_once, most, lock = 0, [], threading.Lock()

    def page():
        nonlocal at_once
        with turns.turn():
            with lock:
                at_once += 1
                most.append(at_once)
            time.sleep(0.01)
            with lock:
                at_once -= 1

    threads = [threading.Thread(target=page) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 12
    assert max(most) == turns._AT_ONCE


def test_pages_that_hang_hold_nobody_up(monkeypatch):
    monkeypatch.setattr(turns, "_PATIENCE_SECONDS", 0.05)
    ended = threading.Event()

    def hang():
        with turns.turn():
            ended.wait(60)

    hanging = [threading.Thread(target=hang) for _ in range(turns._AT_ONCE)]
    for thread in hanging:
        thread.start()
    for _ in range(2):  # whoever came without a turn gives none back
        with turns.turn():
            pass
    ended.set()
    for thread in hanging:
        thread.join()
    assert turns._turns()._value == turns._AT_ONCE


def test_every_ending_of_a_page_gives_its_turn_back(workbench):
    app = workbench.open("study/compare", study="unknown")  # ends by st.stop()
    assert app.error
    assert turns._turns()._value == turns._AT_ONCE
