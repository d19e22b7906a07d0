"""A plain Python script that makes a variant again, without this package.

Its ``main`` is written for the recipe (:mod:`optimizer.takeaway.script_main`); the steps it
calls are copied out of :mod:`optimizer.takeaway.steps` and :mod:`optimizer.techniques`.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from optimizer.data.objective import TASKS
from optimizer.recipe import Recipe
from optimizer.takeaway.inline import Inlined, Place, import_block, inline
from optimizer.takeaway.script_main import converter_function, main_function
from optimizer.takeaway.script_values import (
    Constant,
    constants,
    refuse_the_impossible,
    start_file,
)

Facts = Mapping[str, Any]

_STEPS = "optimizer.takeaway.steps"
_PLACES: dict[str, str] = {
    **dict.fromkeys(("Arrays", "Objective", "load_data"), f"{_STEPS}.data"),
    **dict.fromkeys(("prune", "prune_by_masks", "prune_by_both"), f"{_STEPS}.pruning"),
    **dict.fromkeys(("cluster", "cluster_everywhere"), f"{_STEPS}.clustering"),
    **dict.fromkeys(("in_clustering_wrappers", "in_preserving_wrappers"), f"{_STEPS}.clustering"),
    **dict.fromkeys(
        (
            "train_quantized",
            "representative_dataset",
            "without_zeros",
        ),
        f"{_STEPS}.quantizing",
    ),
    **dict.fromkeys(("sizes", "predict"), f"{_STEPS}.measuring"),
    **dict.fromkeys((f"{task}_score" for task in TASKS), f"{_STEPS}.measuring"),
    **dict.fromkeys(("magnitude", "at_random"), "optimizer.techniques.masks"),
    **dict.fromkeys(("make_deterministic", "taylor", "make_loss"), "optimizer.techniques.training"),
    "fold_into_next": "optimizer.techniques.folding",
    "keras_converter": "optimizer.techniques.source",
    **dict.fromkeys(("unrolled", "with_flat_pooling"), "optimizer.techniques.loops"),
}
"""What ``main`` and ``make_converter`` may call, and where it is."""

_REWRITTEN = ("BatchNormalization", "ReLU", "Activation", "SeparableConv2D")
"""Layer types that quantization-aware training folds, fuses or splits first."""

_LIBRARIES = {
    "tf": "import tensorflow as tf",
    "tfmot": "import tensorflow_model_optimization as tfmot",
    "keras": "import tf_keras as keras",
    "Any": "from typing import Any",
    "Path": "from pathlib import Path",
}
_PACKAGES = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "numpy", "setuptools")
"""The last one has the ``distutils`` that the toolkit imports and Python 3.12 lacks."""


def requirements() -> str:
    """A ``requirements.txt`` for the script: the versions that are installed here."""
    return "".join(f"{name}=={version(name)}\n" for name in _PACKAGES)


def plain_script(
    recipe: Recipe,
    facts: Facts,
    task: str,
    threads: int,
    model_config: str | None = None,
    loss: str | None = None,
) -> str:
    """The text of the script.

    Args:
        recipe: what the variant was made with.
        facts: the model's ``facts.json``.
        task: the study's task.
        threads: processor threads of the stages that made the variant.
        model_config: ``config.json`` of the flat model, where it is at hand; without it the
            script decides for itself which layers tfmot's wrappers fit.
        loss: that the study was given, if not the task's own.

    Raises:
        InputError: the script would need more than TensorFlow and its toolkit; says why.
    """
    refuse_the_impossible(facts, model_config)
    values = constants(recipe, facts, threads)
    converter = converter_function(recipe, facts)
    main = main_function(recipe, facts, task, loss, model_config)
    used = _names(main) | _names(converter)
    picked = inline(
        [(_PLACES[name], name) for name in _PLACES if name in used], values, _instead(facts)
    )
    needed = {name: value for name, value in values.items() if name in used | picked.names}
    used |= {name for value in needed.values() for name in _names(value.source)}
    functions = [main, converter, *(source + "\n" for source in picked.definitions)]
    return "".join(
        (
            _docstring(recipe),
            _imports(picked, used),
            *_assignments(needed),
            *(f"\n\n{function}" for function in _spaced(functions)),
            '\n\nif __name__ == "__main__":\n    main()\n',
        )
    )


def _instead(facts: Facts) -> dict[Place, Place]:
    """The script's own, smaller definitions, and training with BatchNormalization if any."""
    places = {
        ("optimizer.data.arrays", "Arrays"): (f"{_STEPS}.data", "Arrays"),
        ("optimizer.techniques.training", "Objective"): (f"{_STEPS}.data", "Objective"),
    }
    if any(layer["type"] == "BatchNormalization" for layer in facts["layers"]):
        places[f"{_STEPS}.training", "train"] = (f"{_STEPS}.training_norms", "train")
    if not any(layer["type"] in _REWRITTEN for layer in facts["layers"]):
        places["optimizer.techniques.qat_graph", "prepare"] = (f"{_STEPS}.as_it_is", "prepare")
    return places


def _names(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _docstring(recipe: Recipe) -> str:
    name = recipe.name.replace("\\", "/").replace('"', "'")
    paragraphs = (
        f"It reads {start_file(recipe)} (for tf_keras, which is Keras 2) and data.npz from the "
        "working folder. Install requirements.txt with Python 3.11 or 3.12. On the machine that "
        "made the variant the file comes out the same byte for byte; another processor may change "
        "the last digits of training.",
        "Written by Featherweight, Apache-2.0. main() is the recipe; below it are its steps.",
    )
    texts = [textwrap.fill(paragraph, 98) for paragraph in paragraphs]
    first = '"""Makes a variant again with TensorFlow and its optimization toolkit.'
    return "\n\n".join((first, f"The variant: {name}.", *texts)) + '\n"""\n\n'


def _imports(picked: Inlined, used: set[str]) -> str:
    own = {statement for name, statement in _LIBRARIES.items() if name in used}
    standard, others = import_block({*picked.imports, *own, "import os"})
    return (
        f"from __future__ import annotations\n\n{standard}\n\n"
        "# The toolkit needs Keras 2, which must be said before TensorFlow is imported.\n"
        f'os.environ["TF_USE_LEGACY_KERAS"] = "1"\n\n{others}\n\n'
    )


def _assignments(needed: Mapping[str, Constant]) -> list[str]:
    return [f"# {value.comment}\n{name} = {value.source}\n" for name, value in needed.items()]


def _spaced(sources: list[str]) -> list[str]:
    return [source.rstrip("\n") + "\n" for source in sources]
