"""What bringing a model to one flat form changed, in plain sentences."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Changes:
    """Names of what was changed on the way, for the notes."""

    flattened: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    split: list[str] = field(default_factory=list)
    frozen: list[str] = field(default_factory=list)
    thawed: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)

    def notes(self) -> tuple[str, ...]:
        """The sentences for what there is to say."""
        sentences = (
            ("Nested models were flattened into one", self.flattened),
            ("Layers that do nothing when the model is used were removed", self.removed),
            ("Activations that Keras 2 lacks became layers of their own, behind", self.split),
            ("Batch normalizations with frozen statistics stay frozen", self.frozen),
            ("Frozen layers can be fine-tuned again", self.thawed),
            ("Layers were renamed to make their names unique and valid", self.renamed),
            ("Tensor operations became layers", self.operations),
        )
        return tuple(f"{text}: {_listed(names)}." for text, names in sentences if names)


def _listed(names: list[str]) -> str:
    distinct = list(dict.fromkeys(names))
    shown = ", ".join(distinct[:6])
    return shown if len(distinct) <= 6 else f"{shown} and {len(distinct) - 6} more"
