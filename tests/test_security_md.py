"""Every promise in SECURITY.md names a test that is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROMISES = (ROOT / "SECURITY.md").read_text()


def test_the_named_tests_exist():
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PROMISES)
    assert len(named) > 30
    for file, test in named:
        text = (ROOT / file).read_text()
        assert not test or re.search(rf"def {test}\(", text), f"{file}::{test}"


def test_every_promise_has_one():
    for line in PROMISES[PROMISES.index("## Promises") : PROMISES.index("## Not")].splitlines():
        if line.startswith("| ") and not line.startswith("| promise"):
            assert "`tests/" in line.rpartition(" | ")[2], line
