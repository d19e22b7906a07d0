"""A default-deny walk over a model's configuration, which returns a cleaned copy.

Nothing is deserialized here. Initializers, regularizers, constraints and everything about
training are taken out, since the weights come from the file and nothing is trained as saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optimizer.errors import InputError
from optimizer.models import allowed, limits

_DROPPED = frozenset(
    {"compile_config", "training_config", "optimizer", "optimizer_config", "loss", "metrics"}
)
_NONE_SUFFIXES = ("_regularizer", "_constraint")
_ZEROS: dict[str, Any] = {
    "module": "keras.initializers",
    "class_name": "Zeros",
    "config": {},
    "registered_name": None,
}


def cleaned(config: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A model's configuration with only what may be deserialized, all of it in float32.

    Args:
        config: the parsed ``config.json``, or the ``model_config`` of a legacy HDF5 file.

    Returns:
        The configuration, and sentences about what was changed in it.

    Raises:
        InputError: it names something that is not allowed, or is too large or too deep.
    """
    if not isinstance(config, dict) or "class_name" not in config:
        raise InputError(
            "The file has no model configuration, so it is not a whole Keras model. Save it with "
            "model.save('model.keras')."
        )
    if _text(config["class_name"]) not in allowed.MODELS:
        raise InputError(
            f"The model is of the class {_short(config['class_name'])}. Only Sequential and "
            "functional models can be used; a subclassed model has no graph to work on."
        )
    cleaner = _Cleaner()
    result = cleaner.value(config, 0)
    if not cleaner.precisions:
        return result, ()
    names = ", ".join(sorted(cleaner.precisions))
    return result, (f"The model computes in float32 now; it was saved to compute in {names}.",)


class _Cleaner:
    def __init__(self) -> None:
        self._nodes = 0
        self.precisions: set[str] = set()

    def value(self, node: Any, depth: int) -> Any:
        """A cleaned copy of any part of the configuration."""
        self._nodes += 1
        if depth > limits.CONFIG_DEPTH:
            raise InputError(
                f"The model's configuration is nested too deeply, more than {limits.CONFIG_DEPTH} "
                "levels, to be a real model. Save it again with model.save('model.keras')."
            )
        if self._nodes > limits.CONFIG_NODES:
            raise InputError(
                f"The model's configuration has too many parts, more than {limits.CONFIG_NODES:,}, "
                "to be a real model. Save it again with model.save('model.keras')."
            )
        if isinstance(node, dict):
            return self._mapping(node, depth)
        if isinstance(node, list):
            return [self.value(item, depth + 1) for item in node]
        if (
            isinstance(node, int | float)
            and not isinstance(node, bool)
            and not abs(node) <= limits.NUMBER  # also true of what is not a number
        ):
            if node in (float("inf"), float("-inf")):
                return node
            raise InputError(
                f"The model's configuration has the number {_number(node)}, which no real layer "
                "has. The file is damaged or was made by hand."
            )
        return node

    def _mapping(self, node: dict[str, Any], depth: int) -> dict[str, Any]:
        if "class_name" in node:
            _check_class(node)
        result: dict[str, Any] = {}
        for key, value in node.items():
            if key in _DROPPED:
                continue
            if key.endswith(_NONE_SUFFIXES):
                result[key] = None
            elif key.endswith("_initializer") and value is not None:
                result[key] = dict(_ZEROS)
            elif key == "shared_object_id":
                result[key] = value if isinstance(value, int) else None
            elif key in allowed.FILE_WORDS:
                raise InputError(
                    f"The model has the option {key!r}, which would read a file of this machine. "
                    "Preprocess the text before the model, and save it without lookup layers."
                )
            else:
                _check_option(key, value)
                result[key] = self._float32(key, node, self.value(value, depth + 1))
        return result

    def _float32(self, key: str, node: Mapping[str, Any], value: Any) -> Any:
        """``float32`` in place of another precision of a layer or of a policy."""
        is_policy = node.get("class_name") in allowed.POLICIES and key == "config"
        if is_policy and isinstance(value, dict) and value.get("name") in allowed.PRECISIONS:
            self.precisions.add(value["name"])
            return {**value, "name": "float32"}
        if key == "dtype" and isinstance(value, str) and value in allowed.PRECISIONS:
            self.precisions.add(value)
            return "float32"
        return value


def _check_class(node: Mapping[str, Any]) -> None:
    name, module = node["class_name"], node.get("module")
    registered = node.get("registered_name")
    if not isinstance(name, str) or not isinstance(registered, str | None):
        raise InputError(_custom(name if not isinstance(name, str) else registered))
    if name in ("Lambda", "__lambda__"):
        raise InputError(
            "The model contains a Lambda layer, which is Python code; code from a file is never "
            "run. Replace it by built-in layers and save the model again."
        )
    if name in (
        "StringLookup",
        "IntegerLookup",
        "TextVectorization",
        "Hashing",
        "CategoryEncoding",
    ):
        raise InputError(
            f"The model contains {name}, which turns text or keys into numbers and has no TFLite "
            "form here. Do that before the model, and save it without the layer."
        )
    if name == "TensorFlowOpLayer":
        raise InputError(
            "The model calls TensorFlow functions in the form of TensorFlow 2.0 to 2.3, which is "
            "not supported. Replace them by layers (a product by Rescaling, a sum by Add) and "
            "save the model again."
        )
    if "Quantized" in str(name):
        raise InputError(
            "The model is quantized in Keras already. Upload the float model: quantization is what "
            "this workbench does."
        )
    if isinstance(registered, str) and registered not in (name, f"Keras>{name}"):
        raise InputError(_custom(registered))
    if module is not None and not (isinstance(module, str) and allowed.MODULE.fullmatch(module)):
        raise InputError(_custom(f"{module}.{name}"))
    if name == "function":
        if _text(node.get("config")) not in allowed.ACTIVATIONS:
            raise InputError(_custom(node.get("config")))
        return
    known = allowed.MODELS | allowed.LAYERS | allowed.OPERATIONS | allowed.VALUES | allowed.POLICIES
    if name not in known:
        raise InputError(_custom(name))


def _check_option(key: str, value: Any) -> None:
    if key.endswith("activation") and isinstance(value, str) and value not in allowed.ACTIVATIONS:
        raise InputError(
            f"The model uses the activation {_short(value)}, which Keras does not have. Custom "
            "functions cannot be loaded; use a built-in one and save the model again."
        )
    if key == "function" and _text(value) not in allowed.FUNCTIONS:
        raise InputError(
            f"The model calls the TensorFlow function {_short(value)}, which is not supported. "
            "Replace it by a Keras layer and save the model again."
        )
    if key == "dtype" and isinstance(value, str) and value not in allowed.DTYPES:
        raise InputError(f"The model has a layer of dtype {_short(value)}, which is not supported.")


def _custom(name: Any) -> str:
    return (
        f"The model contains {_short(name)}, which is not a built-in Keras layer that can be used "
        "here. Code of custom classes is not in the file and is never run; replace it by built-in "
        "layers and save the model again."
    )


def _text(value: Any) -> str | None:
    """The value when it is text, so that it can be looked up in a list of names."""
    return value if isinstance(value, str) else None


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1e300 else str(value)[:30]


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
