"""The process that looks into an uploaded table can do nothing else."""

import io
import json
import subprocess
import sys

import pandas as pd
import pytest

from optimizer.data.formats import inspect_upload
from optimizer.engine import protections

ATTACK = """
import json, os, socket, sys
from optimizer.data import peek

def attempt(act):
    try:
        return repr(act())
    except OSError as error:
        return type(error).__name__

def attack(data):
    secret = sys.argv[2]
    print(json.dumps({
        "read": attempt(lambda: open(secret).read()),
        "write": attempt(lambda: open(secret, "w").close()),
        "fill": attempt(lambda: open(sys.argv[1] + "/x", "wb", buffering=0).write(b"x")),
        "network": attempt(lambda: socket.create_connection(("127.0.0.1", 9), 1)),
        "start": attempt(os.fork),
    }))
    sys.stdout.flush()
    os._exit(0)

peek.read_table = attack
peek.main()
"""


@pytest.fixture(scope="module")
def holds():
    return {protection.name: protection.holds for protection in protections.report()}


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_it_reads_no_other_file_writes_none_and_reaches_nobody(tmp_path, holds):
    if not (holds["Files"] and holds["Network"]):
        pytest.skip("the kernel does not let a process confine itself")
    secret, folder = tmp_path / "secret", tmp_path / "folder"
    secret.write_text("secret")
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", ATTACK, folder, secret], input=b"", capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("fill") in ("OSError", "PermissionError")  # "File too large"
    assert set(found.values()) == {"PermissionError"}, found
    assert secret.read_text() == "secret"


def test_it_has_none_of_the_apps_variables(monkeypatch):
    """With this one Python would find no library of its own."""
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    assert inspect_upload(b"a,b\n1,2\n3,4\n5,6\n", "t.csv").rows == 3


def test_it_works_from_any_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    parquet = io.BytesIO()
    pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}).to_parquet(parquet)
    found = inspect_upload(parquet.getvalue(), "t.parquet")
    assert [column["name"] for column in found.columns] == ["a", "b"]
    assert list(tmp_path.iterdir()) == []
