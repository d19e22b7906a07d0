"""The command line: ``python -m optimizer inspect|run|sweep|benchmark …``.

Stage processes import this module by name, so it imports nothing heavy at its top.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, get_args

_MODEL = "a .keras or .h5 file, a SavedModel as .zip, a .tflite, or a sample's name"


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit code is 0, 1 if a variant failed, or 2 for bad input."""
    options = _parser().parse_args(arguments)
    from optimizer.errors import FeatherweightError, InputError

    try:
        return _run(options)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except FeatherweightError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    from optimizer import commands
    from optimizer.session import Choice

    if options.command == "inspect":
        return commands.inspect(options.model, as_json=options.json)
    if options.command == "benchmark":
        return commands.benchmark(options.files, as_json=options.json)
    job = commands.Job(
        options.model,
        options.data,
        options.out,
        options.json,
        not options.no_cache,
        _reading(options),
        Choice(options.task, options.loss, options.metric),
    )
    if options.command == "sweep":
        return commands.sweep(job, options.grid)
    return commands.run(job, options.recipe)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m optimizer",
        description="Make a Keras model small and fast, and measure what that costs.",
        epilog="Exit code: 0 done, 1 a variant failed, 2 bad input.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    inspect = commands.add_parser("inspect", help="show what a model is and what can act on it")
    inspect.add_argument("model", metavar="MODEL", help=_MODEL)
    _add_json(inspect)

    run = commands.add_parser("run", help="run one recipe and write its files")
    run.add_argument("model", metavar="MODEL", help=_MODEL)
    run.add_argument("--recipe", required=True, type=Path, help="a recipe.json")
    _add_job(run)

    sweep = commands.add_parser("sweep", help="run every recipe of a grid and write their files")
    sweep.add_argument("model", metavar="MODEL", help=_MODEL)
    sweep.add_argument(
        "--grid",
        required=True,
        type=Path,
        help="a grid.json: a recipe in which any part or value may be a list of alternatives",
    )
    _add_job(sweep)

    benchmark = commands.add_parser(
        "benchmark", help="measure .tflite files against the first, in alternating rounds"
    )
    benchmark.add_argument("files", metavar="FILE.tflite", nargs="+", type=Path)
    _add_json(benchmark)
    return parser


def _add_job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        required=True,
        help="an .npz, a .csv, a .parquet, a .zip of image folders, or a sample dataset's name",
    )
    parser.add_argument("--out", required=True, type=Path, help="folder for the results")
    _add_reading(parser)
    parser.add_argument(
        "--no-cache", action="store_true", help="repeat every stage, in a store of its own"
    )
    _add_json(parser)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    from optimizer.data.objective import TASKS
    from optimizer.data.options import Scaling

    parser.add_argument(
        "--scaling",
        choices=get_args(Scaling),
        help="applied once to the samples: none, unit (x / 255), standardize (mean 0, deviation "
        "1), symmetric (x / 127.5 - 1)",
    )
    parser.add_argument(
        "--labels",
        metavar="COLUMN",
        nargs="*",
        help="of a table, its label columns; without a name: no labels",
    )
    parser.add_argument(
        "--leave-out", metavar="COLUMN", nargs="+", help="of a table, columns not to use"
    )
    parser.add_argument("--task", help=f"{', '.join(TASKS)}; one per output, joined by +")
    parser.add_argument("--loss", help="for fine-tuning, if not the task's usual one")
    parser.add_argument("--metric", help="to put first, if not the task's usual one")


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    given = {
        "scaling": options.scaling,
        "labels": options.labels,
        "left_out": options.leave_out,
    }
    return {name: value for name, value in given.items() if value is not None}


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")


if __name__ == "__main__":
    raise SystemExit(main())
