"""How a data file is to be read: an immutable value, part of what a dataset is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from optimizer.errors import InputError

Scaling = Literal["none", "unit", "standardize", "symmetric"]
"""``none``; ``unit``: x / 255; ``standardize``: zero mean, unit variance; ``symmetric``:
x / 127.5 − 1, which brings 0 … 255 to −1 … 1."""
SCALINGS: dict[Scaling, str] = {
    "none": "none",
    "unit": "x / 255",
    "standardize": "standardized: mean 0, deviation 1",
    "symmetric": "x / 127.5 − 1, so that 0 … 255 becomes −1 … 1",
}
"""Scaling → what the screen calls it."""
Name = Annotated[str, Field(max_length=1000)]
Pixels = Annotated[int, Field(ge=1, le=2048)]


class DataOptions(BaseModel):
    """How to read a dataset.

    Attributes:
        scaling: applied once, to every input, with statistics of the training samples.
        labels: of a table, the columns that are labels; ``None`` for the proposed one, none
            for data without labels.
        left_out: of a table, columns that are neither labels nor features.
        image_size: (height, width) that images are resized to where the model leaves it open.
        sample_shape: shape of the model's input without the batch, which images are resized
            to, rows are reshaped to and sequences are padded to; ``None`` where it is not
            known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scaling: Scaling = "none"
    labels: tuple[Name, ...] | None = None
    left_out: tuple[Name, ...] = ()
    image_size: tuple[Pixels, Pixels] = (224, 224)
    sample_shape: tuple[int | None, ...] | None = None

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> DataOptions:
        """Options from JSON; what is not there has its default.

        Raises:
            InputError: a value is not allowed; the message names it.
        """
        try:
            return cls.model_validate(dict(value))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the options"
            raise InputError(
                f"The data cannot be read that way: {where}: {first['msg']}; received "
                f"{first['input']!r}."
            ) from None

    def shaped_for(self, model_facts: Mapping[str, Any]) -> DataOptions:
        """The same options with the shape of a model's first input."""
        shape = tuple(model_facts["inputs"][0]["shape"][1:])
        return self.model_copy(update={"sample_shape": shape})

    def dump(self) -> dict[str, Any]:
        """JSON-able, only what differs from the defaults."""
        return self.model_dump(mode="json", exclude_defaults=True)
