"""The command line over one hostile file, in this process."""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

from optimizer.__main__ import main


@dataclass(frozen=True)
class Answer:
    """What a command said.

    Attributes:
        code: its exit code.
        lines: of standard error.
        output: standard output.
    """

    code: int
    lines: tuple[str, ...]
    output: str


def arguments(kind, path, folder):
    """The command that takes a file of some kind; its results would go into the folder."""
    recipe = folder / "honest.json"
    recipe.write_text("{}")
    model, data, out = "digits_cnn", "digits", str(folder / "out")
    if kind == "model":
        return ["inspect", str(path)]
    if kind == "tflite":
        return ["benchmark", str(path)]
    if kind == "dataset":
        return ["run", model, "--data", str(path), "--recipe", str(recipe), "--out", out]
    command, option = {"recipe": ("run", "--recipe"), "grid": ("sweep", "--grid")}[kind]
    return [command, model, "--data", data, option, str(path), "--out", out]


def command(*words):
    """Run ``python -m optimizer`` with these arguments, without another process."""
    errors, output = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(output):
        code = main([str(word) for word in words])
    return Answer(code, tuple(errors.getvalue().splitlines()), output.getvalue())


def refusal(file, folder):
    """What the command line says to a file that is written into a folder."""
    path = Path(folder) / file.name
    path.write_bytes(file.data)
    return command(*arguments(file.kind, path, Path(folder)))
