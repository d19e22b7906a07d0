"""The command line: ``python -m optimizer inspect|run|sweep|search|benchmark|report|storage …``.

Stage processes import this module by name, so it imports nothing heavy at its top.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

_MODEL = "a .keras or .h5 file, a SavedModel as .zip, a .tflite, or a sample's name"


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit code is 0, 1 if a variant failed or nothing was found, or 2 for
    bad input."""
    options = _parser().parse_args(arguments)
    from optimizer.errors import FeatherweightError, InputError

    try:
        act: Callable[[argparse.Namespace], int] = options.act or _run
        return act(options)
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
    if options.command == "report":
        return commands.report(options.folder, options.html, _report_choices(options))
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
    if options.command == "search":
        return commands.search(job, _search_options(options))
    return commands.run(job, options.recipe)


def _parser() -> argparse.ArgumentParser:
    from optimizer.operations.command import add_parsers

    parser = argparse.ArgumentParser(
        prog="python -m optimizer",
        description="Make a Keras model small and fast, and measure what that costs.",
        epilog="Exit code: 0 done, 1 a variant failed or nothing was found, 2 bad input.",
    )
    parser.set_defaults(act=None)
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

    search = commands.add_parser(
        "search", help="search for the best recipe under limits, and write the files of all trials"
    )
    search.add_argument("model", metavar="MODEL", help=_MODEL)
    _add_goal(search)
    _add_job(search)

    benchmark = commands.add_parser(
        "benchmark", help="measure .tflite files against the first, in alternating rounds"
    )
    benchmark.add_argument("files", metavar="FILE.tflite", nargs="+", type=Path)
    _add_json(benchmark)

    report = commands.add_parser(
        "report", help="write what run, sweep or search found as one HTML file for anybody"
    )
    report.add_argument("folder", metavar="DIR", type=Path, help="what --out was")
    report.add_argument("--html", required=True, type=Path, metavar="FILE", help="to write")
    report.add_argument("--title")
    report.add_argument("--question", help="that the report answers")
    report.add_argument("--audience", help="whom it is for")
    report.add_argument(
        "--choice", metavar="NAME", help="the variant to recommend; by default the suggested one"
    )
    report.add_argument("--alternatives", metavar="NAME", nargs="*", help="to show beside it")
    _add_storage(commands)
    add_parsers(commands)
    return parser


def _add_storage(commands: Any) -> None:
    from optimizer.storage_command import PARTS, USUAL_AGE_DAYS

    storage = commands.add_parser("storage", help="show what takes space in the store; free some")
    storage.add_argument(
        "--free",
        choices=PARTS,
        help="cache: results and files that nothing refers to; uploads: models and datasets in no "
        "study; logs: of deleted runs; temporary: what killed processes left; database: its gaps",
    )
    storage.add_argument(
        "--older-than",
        type=float,
        default=USUAL_AGE_DAYS,
        metavar="DAYS",
        help=f"of cached results and uploads (default: {USUAL_AGE_DAYS:g})",
    )
    _add_json(storage)
    storage.set_defaults(act=_storage)


def _storage(options: argparse.Namespace) -> int:
    from optimizer.storage_command import storage

    return storage(options.free, options.older_than, as_json=options.json)


def _report_choices(options: argparse.Namespace) -> Any:
    from optimizer.report.content import Choices

    return Choices(
        title=options.title or "",
        question=options.question or "",
        audience=options.audience or "",
        choice=options.choice,
        alternatives=None if options.alternatives is None else tuple(options.alternatives),
    )


def _add_goal(parser: argparse.ArgumentParser) -> None:
    from optimizer.search.goal import OBJECTIVES

    parser.add_argument(
        "--objective",
        choices=list(OBJECTIVES),
        default="download",
        help="smallest gzip-compressed download (the default), smallest file, lowest latency, or "
        "best accuracy",
    )
    parser.add_argument(
        "--max-accuracy-drop",
        type=float,
        metavar="X",
        help="0.01 is one point of the study's metric; an error may grow by 2 %%",
    )
    parser.add_argument("--max-size-bytes", type=int, metavar="N", help="of the .tflite itself")
    parser.add_argument(
        "--max-latency-ratio", type=float, metavar="R", help="median latency to the baseline's"
    )
    parser.add_argument("--trials", type=int, metavar="N", help="to try at most (default: 40)")
    parser.add_argument("--minutes", type=float, metavar="M", help="to search at most")
    parser.add_argument(
        "--space", type=Path, metavar="GRID.json", help="what to choose from; see sweep's --grid"
    )
    parser.add_argument(
        "--same-in-all-layers",
        action="store_true",
        help="leave out recipes with a sparsity for each layer, which a sensitivity scan divides",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the search (default: 0)")


def _search_options(options: argparse.Namespace) -> Any:
    import json

    from optimizer.errors import InputError
    from optimizer.grid import Grid
    from optimizer.search.goal import SearchOptions

    limits = {
        name: value
        for name in ("max_accuracy_drop", "max_size_bytes", "max_latency_ratio")
        if (value := getattr(options, name)) is not None
    }
    if not limits and options.objective != "accuracy":
        raise InputError(
            f"The {options.objective} alone is no goal: the smallest or fastest model may be of no "
            "use. Give at least one limit, for example --max-accuracy-drop 0.01."
        )
    budget = {"trials": options.trials, "minutes": options.minutes}
    if options.trials is None and options.minutes is None:
        budget["trials"] = 40
    grid = Grid.read(options.space) if options.space else None
    return SearchOptions.parse(
        {
            "objective": options.objective,
            "constraints": limits,
            "space": json.loads(grid.canonical_json()) if grid else {},
            "per_layer": not options.same_in_all_layers,
            "seed": options.seed,
            **budget,
        }
    )


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
