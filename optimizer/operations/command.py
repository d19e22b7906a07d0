"""``python -m optimizer doctor|backup|restore``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

DEFAULT_PORT = 8501
_MARKS = {"ok": "ok  ", "note": "note", "finding": "MEND"}


def add_parsers(commands: Any) -> None:
    """Add these commands to the command line's."""
    doctor = commands.add_parser("doctor", help="check this installation, say how to mend it")
    doctor.add_argument(
        "--quick", action="store_true", help="only what changes by the minute; within a second"
    )
    doctor.add_argument("--port", type=int, default=DEFAULT_PORT, help="that the app is to use")
    doctor.add_argument("--json", action="store_true", help="print JSON on standard output")

    backup = commands.add_parser(
        "backup", help="write the whole store into one file; the engine may work meanwhile"
    )
    backup.add_argument("file", metavar="FILE", type=Path, help="a new file, say store.tar")

    restore = commands.add_parser("restore", help="make a store of a backup, in an empty folder")
    restore.add_argument("file", metavar="FILE", type=Path, help="that backup wrote")
    restore.add_argument(
        "--home", metavar="DIR", type=Path, help="by default FEATHERWEIGHT_HOME or ~/.featherweight"
    )
    for parser in (doctor, backup, restore):
        parser.set_defaults(act=run)


def run(options: argparse.Namespace) -> int:
    """Run one of them.

    Returns:
        Exit code 0; 1 when the doctor has findings, or something was missing from a backup.

    Raises:
        InputError: a file or folder cannot be used.
        StoreError: the disk is full or not writable, or the store is damaged.
    """
    if options.command == "backup":
        return _back_up(options.file)
    if options.command == "restore":
        return _restore(options.file, options.home)
    return _examine(quick=options.quick, port=options.port, as_json=options.json)


def _examine(*, quick: bool, port: int, as_json: bool) -> int:
    from optimizer.operations.doctor.examine import examine, examine_quickly
    from optimizer.operations.health import health
    from optimizer.store.base import home_folder

    home = home_folder(None)
    checks = []
    for check in examine_quickly(home) if quick else examine(home, port, _say):
        checks.append(check)
        if not as_json:
            print(f"{_MARKS[check.level]}  {check.name}: {check.text}", flush=True)
            if check.remedy:
                print(f"      → {check.remedy}", flush=True)
    found = [check for check in checks if check.level == "finding"]
    if as_json:
        content = {"health": health(home).as_dict(), "checks": [asdict(check) for check in checks]}
        print(json.dumps(content, indent=2))
    else:
        count = f"{len(found)} to mend" if found else "Nothing to mend"
        print(f"{count}; {len(checks)} checks.")
    return 1 if found else 0


def _back_up(target: Path) -> int:
    from optimizer.errors import InputError
    from optimizer.operations.backup import back_up
    from optimizer.operations.backup_file import DATABASE
    from optimizer.store import Store
    from optimizer.store.base import home_folder

    home = home_folder(None)
    if not (home / DATABASE).is_file():
        raise InputError(f"There is no store at {home}. Set FEATHERWEIGHT_HOME to its folder.")
    store = Store.open(home)
    made = back_up(store, target, _say)
    _say(f"{made.path}: {made.size_bytes / 1e6:.1f} MB, {made.files} files, read again and whole.")
    return _missing(made.missing, "The store lacks, and so does the backup:")


def _restore(source: Path, home: Path | None) -> int:
    from optimizer.operations.restore import restore
    from optimizer.store.base import home_folder

    done = restore(source, home_folder(home), _say)
    made = f"of {done.manifest.created_at[:16].replace('T', ' ')} UTC"
    _say(f"{done.home}: {done.studies} studies {made}, {done.waiting} runs to go on with.")
    return _missing(done.missing, "The store lacked already when the backup was made:")


def _missing(names: tuple[str, ...], what: str) -> int:
    for name in names:
        _say(f"{what} {name}")
    return 1 if names else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
