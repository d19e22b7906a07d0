"""Recipes and grids: JSON that is ambiguous, out of bounds or without an end."""

import json

from tests.hostile import HostileFile

TEXTS = {
    "key_twice": ('{"seed": 1, "seed": 2}', "mean two things", "the key 'seed' twice"),
    "nan": ('{"fine_tune": {"learning_rate": NaN}}', "train with NaN", "the value NaN"),
    "infinity": ('{"fine_tune": {"epochs": Infinity}}', "train for ever", "the value Infinity"),
    "too_large_a_number": (
        '{"fine_tune": {"learning_rate": 1e999}}',
        "become infinite",
        "the number 1e999",
    ),
    "digits": ('{"seed": ' + "9" * 100_000 + "}", "take hours to parse", "of 100,000 digits"),
    "deep": ("[" * 100_000, "overflow the stack", "nested deeper than any recipe"),
    "deep_parts": (
        '{"prune":' * 100 + "{}" + "}" * 100,
        "nest within limits of the parser",
        "nested deeper than any recipe",
    ),
    "large": ('{"seed": 1}' + " " * 300_000, "fill the memory", "larger than 256 KiB"),
    "unknown": ('{"__class__": "os.system"}', "name what is not there", "key '__class__'"),
    "text_for_a_number": ('{"seed": "=1+1"}', "be a formula", "received '=1+1'"),
    "range": ('{"fine_tune": {"epochs": 1000001}}', "train for weeks", "received 1000001"),
    "surrogate": (
        '{"cluster": {"cluster_centroids_init": "\\ud800"}}',
        "break the terminal",
        ("unexpected end of hex escape", "received '\\ud800'"),
    ),
    "line_break": (
        '{"layers": {"a\\nDone.": {"final_sparsity": 0.5}}}',
        "fake a line of output",
        "layers.a\\nDone.",
    ),
    "no_object": ('["prune"]', "be a list", "bject"),
    "no_json": ("{seed: 1}", "be no JSON", "not valid JSON"),
    "binary": ("\x00\x01", "be no text", "char 0"),
}


def files(targets):
    for kind in ("recipe", "grid"):
        for name, (text, tries, phrase) in TEXTS.items():
            words = phrase[kind == "grid"] if isinstance(phrase, tuple) else phrase
            yield HostileFile(
                f"{kind}_{name}.json",
                kind,
                tries,
                words,
                text.encode(),
                f"plan_{name.removesuffix('_parts')}",
            )
    combinations = {"seed": [*range(100)], "fine_tune": {"epochs": [*range(1, 101)]}}
    yield HostileFile(
        "grid_combinations.json",
        "grid",
        "ask for 10,000 trainings",
        "asks for 10,000 combinations",
        json.dumps(combinations).encode(),
        "grid_combinations",
    )
    alternatives = {"seed": [*range(1_001)]}
    yield HostileFile(
        "grid_alternatives.json",
        "grid",
        "list without an end",
        "lists 1,001 alternatives",
        json.dumps(alternatives).encode(),
        "grid_alternatives",
    )
    yield HostileFile(
        "grid_empty.json",
        "grid",
        "have no alternatives",
        "is an empty list",
        b'{"seed": []}',
        "grid_empty",
    )
