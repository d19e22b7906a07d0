"""A kill, a power cut and a full disk at every change that the store makes to the disk."""

import hashlib
import shutil

import pytest

from optimizer.store import Store
from tests.faults.tracing import Medium, growing, present, refuse, trace, write_state
from tests.faults.writing import WORKS, check_whole, make_home
from tests.store.building import key, rows

SPARED = {
    "upload over a damaged file": hashlib.sha256(b"PK model bytes " * 50).hexdigest(),
    "artifact over a damaged one": key("new"),
}
"""What was damaged before; until it is written anew it stays so."""
MAIN = ("upload", "artifact", "study", "log", "settings")
"""What meets a full disk in each run of the tests; the others are slow."""


@pytest.fixture
def base(memory):
    """A closed store with a study, to be copied."""
    make_home(memory / "base")
    return memory / "base"


def prepared(base, name, work):
    """A copy of the store in which the work can begin."""
    home = base.parent / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(base, home)
    store = Store(home)
    work.prepare(store)
    store.close()
    return home


class States:
    """The different states that a piece of work can leave when it is cut short."""

    def __init__(self, home):
        self.medium, self.found = Medium(home), []
        self._home, self._seen = home, set()

    def look(self, moment):
        for kind, state in (
            ("killed", present(self._home)),
            ("power cut", self.medium.after_a_power_cut(names_kept=False)),
            ("power cut, names kept", self.medium.after_a_power_cut(names_kept=True)),
        ):
            mark = hashlib.sha256(repr(sorted(state.items())).encode()).digest()
            if mark not in self._seen:
                self._seen.add(mark)
                self.found.append((f"{kind} before {moment}", state))


@pytest.mark.parametrize("name", WORKS)
def test_a_kill_or_power_cut_at_any_change_of_the_disk_loses_nothing(base, tracing, name):
    work = WORKS[name]
    home = prepared(base, name, work)
    states = States(home)

    def before(number, call):
        states.look(f"{number}. {call.name} {call.path}")
        return 0

    assert trace(lambda: work.do(home), home, before, states.medium.note) == 0
    states.look("its report")
    for number, (moment, state) in enumerate(states.found):
        left = base.parent / str(number)
        write_state(state, left)
        try:
            check_whole(left, SPARED.get(name, "")).close()
        except Exception as error:
            raise AssertionError(f"{name}: {moment}: {error}") from error
        shutil.rmtree(left)
    done = check_whole(home)
    if work.lasting:
        write_state(states.medium.after_a_power_cut(names_kept=False), base.parent / "cut")
        cut = check_whole(base.parent / "cut")
        assert rows(cut) == rows(done), "what was reported as done is there after a power cut"
        # What was deleted may be there again as garbage, which nothing refers to.
        assert set(cut.artifacts.keys()) >= set(done.artifacts.keys())
        assert set(cut.files.all_sha256()) >= set(done.files.all_sha256())


@pytest.mark.parametrize(
    "name",
    [
        name if name in MAIN else pytest.param(name, marks=pytest.mark.slow)
        for name in WORKS
        if not name.startswith("open")
    ],
)
def test_a_full_disk_at_any_change_of_the_disk_is_said_and_loses_nothing(base, tracing, name):
    work = WORKS[name]
    home = prepared(base, name, work)
    calls, said = [], base.parent / "said"

    def count(number, call):
        calls.append(call)
        return 0

    assert trace(lambda: work.do(home), home, count) == 0
    assert growing(calls)
    for number in growing(calls):
        home = prepared(base, name, work)
        said.write_text("")
        trace(lambda home=home: do_and_say(work, home, said), home, refuse(number))
        error = said.read_text()
        where = f"{name}: no space for {number}. {calls[number - 1].name}: {error}"
        assert not error or error.startswith(("StoreError", "InputError")), where
        check_whole(home, SPARED.get(name, "")).close()
        if work.again:
            work.do(home)
            check_whole(home).close()


def do_and_say(work, home, said):
    """Do it in the traced process, and leave word of how it ended."""
    try:
        work.do(home)
    except Exception as error:
        said.write_text(f"{type(error).__name__}: {error}")
