"""Weights of the first ``.keras`` files, renamed as later ones have them. Stage processes only.

TensorFlow 2.12 and 2.13 kept a model's layers in a group of another name, and counted layers
with weights twice when numbering those of one type: ``dense``, ``dense_2``, ``dense_4``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import h5py
from tf_keras.src.utils.generic_utils import to_snake_case

_OLD, _NEW = "_layer_checkpoint_dependencies", "layers"


def has_old_names(weights: h5py.File) -> bool:
    """Whether the weights of a Keras 2 model are under the old names."""
    return _OLD in weights


def rename(group: h5py.Group, source: Any) -> None:
    """Give the weights of a model, or of a layer with models inside, their later names.

    Args:
        group: of the weights, changed in place.
        source: the tf_keras model or layer, whose own weights do not matter.
    """
    for name in list(group):
        if name == _OLD:
            _rename_layers(group, source)
        elif isinstance(group[name], h5py.Group):
            inner = getattr(source, name, None)
            if isinstance(inner, list | tuple):
                for place, item in _numbered(inner).items():
                    if place in group[name]:
                        rename(group[name][place], item)
            elif inner is not None:
                rename(group[name], inner)


def _rename_layers(group: h5py.Group, model: Any) -> None:
    counted_twice = [layer for layer in model.layers for _ in range(1 + bool(layer.weights))]
    old, new = _numbered(counted_twice), _numbered(model.layers)
    places = {id(layer): name for name, layer in new.items()}
    group.create_group(_NEW)
    for name in list(group[_OLD]):
        layer = old[name]
        rename(group[_OLD][name], layer)
        group.move(f"{_OLD}/{name}", f"{_NEW}/{places[id(layer)]}")
    del group[_OLD]


def _numbered(items: Iterable[Any]) -> dict[str, Any]:
    """The objects by the names that Keras gives them in a file: their type's, numbered."""
    seen: Counter[str] = Counter()
    names = {}
    for item in items:
        kind = to_snake_case(type(item).__name__)
        names[f"{kind}_{seen[kind]}" if seen[kind] else kind] = item
        seen[kind] += 1
    return names
