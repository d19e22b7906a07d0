"""What the command line does; :mod:`optimizer.__main__` reads its arguments."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optimizer.command_files import output_folder, read_data_file, read_model_file, write_results
from optimizer.console import benchmark_text, facts_text, results_text, sweep_lines
from optimizer.data.options import DataOptions
from optimizer.errors import InputError
from optimizer.grid import Grid
from optimizer.models.inspect import identify
from optimizer.recipe import Recipe
from optimizer.search.goal import SearchOptions
from optimizer.search.record import search_record
from optimizer.session import PROPOSED, Choice, bring, open_study, run_recipes, run_search
from optimizer.store import Store
from optimizer.store.records import Study, Variant
from optimizer.sweep import plan_here, sweep_title

if TYPE_CHECKING:
    from optimizer.report.content import Choices


@dataclass(frozen=True)
class Job:
    """What ``run``, ``sweep`` and ``search`` have in common.

    Attributes:
        model, data: paths or names of samples.
        out: where results go.
        as_json: print ``results.json`` and not a table.
        use_cache: use what is in the person's store.
        reading: how to read the data, see :class:`optimizer.data.options.DataOptions`.
        choice: task, loss and metric.
    """

    model: str
    data: str
    out: Path
    as_json: bool = False
    use_cache: bool = True
    reading: Mapping[str, Any] = field(default_factory=dict)
    choice: Choice = PROPOSED


def inspect(model: str, *, as_json: bool) -> int:
    """Show what a model is and which technique can act on which layer. Exit code 0."""
    name, data = read_model_file(model)
    identify(data, name)
    found, _ = bring(Store.open(), (name, data), None, _say)
    assert found.facts is not None
    facts = {"file_name": name, "size_bytes": found.size_bytes, **found.facts}
    print(json.dumps(facts, indent=2) if as_json else facts_text(facts))
    return 0


def run(job: Job, recipe: Path) -> int:
    """Run one recipe and write its files. Exit code 0, or 1 if it failed.

    Args:
        job: what it works on and where the results go.
        recipe: a ``recipe.json``.

    Raises:
        InputError: something of it cannot be used.
    """
    wanted = Recipe.read(recipe)

    def made(store: Store, study: Study) -> tuple[list[Variant], dict[str, Any]]:
        return run_recipes(store, study, [wanted], _say), {}

    return _work(job, made)


def sweep(job: Job, grid: Path) -> int:
    """Run every recipe of a grid and write their files. Exit code 0, or 1 if one failed.

    Args:
        job: what it works on and where the results go.
        grid: a ``grid.json``.

    Raises:
        InputError: something of it cannot be used.
    """
    wanted = Grid.read(grid)
    expansion = wanted.expand()

    def made(store: Store, study: Study) -> tuple[list[Variant], dict[str, Any]]:
        plan = plan_here(store, study, expansion)
        for line in sweep_lines(plan):
            _say(line)
        said = json.loads(wanted.canonical_json())
        variants = run_recipes(
            store,
            study,
            [recipe for recipe in plan.recipes if not recipe.is_baseline],
            _say,
            title=sweep_title(len(plan.recipes)),
            options={"grid": said, "expected": plan.expected},
        )
        left_out = [asdict(item) for item in plan.left_out]
        return variants, {"sweep": {"grid": said, "left_out": left_out}}

    return _work(job, made)


def search(job: Job, options: SearchOptions) -> int:
    """Search for the best recipe under constraints and write the files of all trials.

    Args:
        job: what it works on and where the results go.
        options: goal, space and budget.

    Returns:
        Exit code 0 when something was found, 1 when it is not achievable.

    Raises:
        InputError: something of it cannot be used.
    """

    def made(store: Store, study: Study) -> tuple[list[Variant], dict[str, Any]]:
        run = run_search(store, study, options, _say)
        trials = store.list_trials(run.id)
        variants = {variant.id: variant for variant in store.list_variants(study.id)}
        baseline = next(variant for variant in variants.values() if variant.is_baseline)
        ids = dict.fromkeys(t.variant_id for t in trials if t.variant_id in variants)
        chosen = [variants[variant_id] for variant_id in ids if variant_id]
        return [baseline, *chosen], {"search": search_record(run, trials, variants)}

    def found(variants: Sequence[Variant], results: Mapping[str, Any]) -> bool:
        return bool(results["search"]["answer"].get("kind") == "found")

    return _work(job, made, found)


Work = Callable[[Store, Study], tuple[Sequence[Variant], dict[str, Any]]]
Verdict = Callable[[Sequence[Variant], Mapping[str, Any]], bool]


def _all_done(variants: Sequence[Variant], results: Mapping[str, Any]) -> bool:
    return all(variant.state == "done" for variant in variants)


def _work(job: Job, made: Work, succeeded: Verdict = _all_done) -> int:
    """Open the study of a job, let its variants be made, write and print the results."""
    reading = DataOptions.parse(job.reading)
    model_file, data_file = read_model_file(job.model), read_data_file(job.data)
    identify(model_file[1], model_file[0])
    out = output_folder(job.out)
    with _store(job.use_cache) as store:
        found, dataset = bring(store, model_file, data_file, _say, reading)
        assert dataset is not None
        study = open_study(store, found, dataset, _say, choice=job.choice)
        variants, more = made(store, study)
        results = write_results(store, store.get_study(study.id), variants, out, more)
    print(json.dumps(results, indent=2) if job.as_json else results_text(results))
    return 0 if succeeded(variants, results) else 1


def benchmark(files: list[Path], *, as_json: bool) -> int:
    """Measure files against the first in alternating rounds. Exit code 0."""
    from optimizer.measure.latency import benchmark_files

    results = benchmark_files(files)
    print(json.dumps(results, indent=2) if as_json else benchmark_text(results))
    return 0


def report(folder: Path, html: Path, choices: Choices) -> int:
    """Write the report of a folder that ``run``, ``sweep`` or ``search`` wrote. Exit code 0.

    Args:
        folder: with ``results.json``.
        html: the file to write.
        choices: with names of variants, or of their files, in place of ids.

    Raises:
        InputError: there is nothing to report, a name is not known, or the file cannot be written.
    """
    from optimizer.report.content import compose
    from optimizer.report.page import render
    from optimizer.report.source import from_folder

    source = from_folder(folder)
    named = replace(
        choices,
        choice=choices.choice and source.named(choices.choice).id,
        alternatives=choices.alternatives
        and tuple(source.named(name).id for name in choices.alternatives),
    )
    written = render(compose(source, named)).encode()
    try:
        html.write_bytes(written)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"Cannot write {str(html)!r}: {reason}.") from None
    _say(f"{html}: {len(written) / 1e6:.1f} MB; opens in any browser, offline.")
    return 0


@contextmanager
def _store(use_cache: bool) -> Iterator[Store]:
    """The person's store, or an empty one for the time of a run without the cache."""
    if use_cache:
        yield Store.open()
        return
    with tempfile.TemporaryDirectory(prefix="featherweight-") as folder:
        store = Store.open(Path(folder))
        yield store
        store.close()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
