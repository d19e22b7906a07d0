"""What is locked: every pin with hashes, no host of a registry, the list of it whole."""

import json
import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from supply_chain.sbom import faults, pins

ROOT = Path(__file__).parents[2]
FILES = ("requirements.txt", "requirements-dev.txt", "requirements-tools.txt")


def entries(file):
    """Each pin of a file with its hashes, as one logical line."""
    text = (ROOT / file).read_text().replace("\\\n", " ")
    return [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]


@pytest.mark.parametrize("file", FILES)
def test_every_requirement_is_pinned_and_hashed(file):
    assert len(entries(file)) > 20
    for entry in entries(file):
        assert re.match(r"[A-Za-z0-9._-]+==\S+", entry), entry[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry[:80]


@pytest.mark.parametrize("file", [*FILES, *(f.replace(".txt", ".in") for f in FILES)])
def test_no_registry_is_named(file):
    text = (ROOT / file).read_text()
    assert not re.search(
        r"https?://|--(extra-)?index-url|--find-links|--trusted-host|file://", text
    )


@pytest.mark.parametrize("file", FILES)
def test_what_is_asked_for_is_locked(file):
    asked = re.findall(
        r"^([A-Za-z0-9._-]+)", (ROOT / file.replace(".txt", ".in")).read_text(), re.M
    )
    locked = {name.replace("_", "-").lower() for name in pins((ROOT / file).read_text())}
    assert {name.replace("_", "-").lower() for name in asked if not name.startswith("-")} <= locked


def test_both_files_agree():
    product, tests = (pins((ROOT / file).read_text()) for file in FILES[:2])
    assert {
        n: (product[n], tests[n]) for n in product.keys() & tests if product[n] != tests[n]
    } == {}


def test_make_installs_nothing_without_hashes():
    installs = re.findall(r"pip install .*", (ROOT / "Makefile").read_text())
    assert len(installs) >= 3
    assert all("--require-hashes" in line for line in installs)


def component(name, pinned, *digests):
    hashes = [{"alg": "SHA-256", "content": digest} for digest in digests]
    return {"name": name, "version": pinned, "externalReferences": [{"hashes": hashes}]}


def test_a_list_that_lacks_something_is_not_called_whole():
    text = "one==1.0 \\\n    --hash=sha256:aa\n    # via two\ntwo==2.0 \\\n    --hash=sha256:bb\n"
    bom = {
        "bomFormat": "CycloneDX",
        "metadata": {"component": {"name": "featherweight", "version": "3"}},
        "components": [component("one", "1.0", "aa"), component("two", "2.0", "bb")],
    }
    assert faults(bom, text, "3") == []
    assert faults(bom, text, "4") == ["it does not say that it is of featherweight 4"]
    bom["components"] = [component("one", "1.0"), component("two", "2.1", "bb")]
    assert faults(bom, text, "3") == ["one has no hashes", "two is 2.1, not 2.0"]
    bom["components"] = []
    assert faults(bom, text, "3") == ["one is missing", "two is missing"]


def test_the_list_names_tensorflow_with_version_and_hashes(tmp_path):
    python = ROOT / ".venv-tools" / "bin" / "python"
    if not python.is_file():
        pytest.skip("the tools' environment is not there: `make sbom` makes it")
    out = tmp_path / "list.json"
    subprocess.run([python, "-m", "supply_chain.sbom", out], cwd=ROOT, check=True)
    bom = json.loads(out.read_text())
    found = next(item for item in bom["components"] if item["name"] == "tensorflow")
    assert found["version"] == version("tensorflow")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert faults(bom, (ROOT / "requirements.txt").read_text(), project["version"]) == []
