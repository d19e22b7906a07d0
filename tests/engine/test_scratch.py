"""An engine's temporary files are in one folder; what a killed one left goes with the next."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = """
import os, sys, tempfile
from pathlib import Path
from optimizer.engine.scratch import use_scratch
folder = use_scratch(Path(sys.argv[1]))
assert Path(tempfile.mkdtemp()).parent == folder
if sys.argv[2] == "killed":
    os.kill(os.getpid(), 9)
print(folder)
"""


def begin(tmp_path, home, end):
    return subprocess.run(
        [sys.executable, "-c", CODE, str(home), end],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_a_killed_engine_left_is_removed_by_the_next_of_its_store(tmp_path):
    assert begin(tmp_path, "/one", "killed").returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.stat().st_mode & 0o777 == 0o700
    assert list(left.iterdir())
    assert begin(tmp_path, "/other", "ends").returncode == 0
    assert list(tmp_path.iterdir()) == [left], "another store's is left alone"
    living = tmp_path / f"{left.name.rpartition('-')[0]}-{os.getpid()}"
    living.mkdir()
    assert begin(tmp_path, "/one", "ends").returncode == 0
    assert list(tmp_path.iterdir()) == [living], "of a process that lives it is left alone"
