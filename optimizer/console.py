"""Facts and results as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optimizer.format import format_bytes, format_seconds
from optimizer.sweep import SweepPlan


def facts_text(facts: Mapping[str, Any]) -> str:
    """What ``inspect`` prints."""
    verified = facts.get("verification")
    lines = [
        f"{facts['file_name']}: {facts['source_format']}, {format_bytes(facts['size_bytes'])}",
        f"{facts['parameters']:,} parameters ({format_bytes(facts['parameter_bytes'])} as float32)",
        *(f"input {item['name']}: {item['shape']} {item['dtype']}" for item in facts["inputs"]),
        *(f"output {item['name']}: {item['shape']} {item['dtype']}" for item in facts["outputs"]),
        *(
            [
                "outputs after conversion equal the upload's within "
                f"{verified['max_abs_difference']:.1e} ({verified['samples']} random inputs)"
            ]
            if verified
            else []
        ),
        *facts["notes"],
        "",
        f"{'layer':24} {'type':24} {'parameters':>10}  prune cluster QAT",
    ]
    for layer in facts["layers"]:
        can = [
            "yes" if layer["techniques"][name] is None else "no"
            for name in ("prune", "cluster", "quantize_aware")
        ]
        lines.append(
            f"{layer['name'][:24]:24} {layer['type'][:24]:24} {layer['parameters']:>10,}  "
            f"{can[0]:5} {can[1]:7} {can[2]}"
        )
    return "\n".join(lines)


def sweep_lines(plan: SweepPlan) -> list[str]:
    """What ``sweep`` says before it runs: what was left out and why, and what comes."""
    lines = [
        f"Left out {item.count} ({item.example}{', …' if item.count > 1 else ''}): {item.reason}"
        for item in plan.left_out
    ]
    done = f", {plan.done} of them measured already" if plan.done else ""
    if plan.stored == plan.stages:
        time = "nothing has to be computed"
    elif plan.seconds is None:
        time = "how long it takes is not known yet"
    else:
        time = f"about {format_seconds(plan.seconds)}"
    lines.append(
        f"{len(plan.recipes)} variants{done}: {plan.stages} stages after sharing, {plan.stored} "
        f"of them in the store; {plan.trainings} trainings, {plan.trainings_alone} if each "
        f"variant were made by itself; {time}."
    )
    return lines


def results_text(results: Mapping[str, Any]) -> str:
    """What ``run``, ``sweep`` and ``search`` print of the content of ``results.json``."""
    records = [results["baseline"], *results["variants"]]
    width = min(64, max(32, *(len(record["name"]) for record in records)))
    lines = [
        f"{'variant':{width}} {'size':>10} {'gzip':>10} {'metric':>16} {'p50':>10} {'ratio':>7}",
    ]
    for record in records:
        name = f"{record['name'][:width]:{width}}"
        if record["file"] is None:
            lines.append(f"{name} {record['state']}: {record['error']}")
            continue
        lines.append(
            f"{name} {format_bytes(record['size_bytes']):>10} "
            f"{format_bytes(record['gzip_bytes']):>10} {_quality(record):>16} {_speed(record)}"
        )
        lines += [
            f"  promise not kept: {item['promise']}; found: {item['found']}"
            for item in record["promises"]
            if not item["kept"]
        ]
    if "search" in results:
        found = results["search"]
        lines += ["", f"{found['goal']}.", found["answer"]["text"], *found["answer"]["remarks"]]
    return "\n".join(lines)


def _speed(record: Mapping[str, Any]) -> str:
    """Median latency and its ratio to the baseline, where they were measured."""
    latency = record["latency_ms"]
    if not latency:
        return f"{'not measured':>10}"
    ratio = "" if latency["ratio"] is None else f"{latency['ratio']:.2f}"
    return f"{latency['p50']:>7.3f} ms {ratio:>7}"


def _quality(record: Mapping[str, Any]) -> str:
    """The headline metric; without labels how far it agrees with the baseline."""
    figures = [next(iter(record["metrics"].items()))]
    figures += [("agreement", record["agreement"]), ("differs by", record["mean_abs_difference"])]
    for name, value in figures:
        if value is not None:
            return f"{name} {value:.4g}"
    return "not measured"


def benchmark_text(results: list[dict[str, Any]]) -> str:
    """What ``benchmark`` prints."""
    lines = [f"{'file':40} {'p50':>11} {'p90':>11} {'p99':>11}  ratio to the first"]
    for item in results:
        if item["ratio"] is None:
            against = "-"
        elif item["significant"]:
            low, high = item["ratio_ci"]
            against = f"{item['ratio']:.2f} (95 % interval {low:.2f} to {high:.2f})"
        else:
            against = "no significant difference"
        lines.append(
            f"{Path(item['file']).name[:40]:40} {item['p50_ms']:>8.3f} ms "
            f"{item['p90_ms']:>8.3f} ms {item['p99_ms']:>8.3f} ms  {against}"
        )
    lines.append(f"{results[0]['device']}, {results[0]['threads']} thread, XNNPACK")
    return "\n".join(lines)
