"""Which weights a pruned kernel loses together: none, blocks, n:m patterns, or channels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from optimizer.schedules import Part


class Unstructured(Part):
    """Single weights become zero wherever they matter least."""

    kind: Literal["unstructured"] = "unstructured"


class Block(Part):
    """Whole blocks of weights become zero together.

    ``size`` is (input channels, output channels) of a block: 4 × 1 and 1 × 4 are what CPU
    kernels for sparse matrices like. A block lies within one position of a convolution's window.
    """

    kind: Literal["block"] = "block"
    size: tuple[
        Annotated[int, Field(ge=1, le=1024)],
        Annotated[int, Field(ge=1, le=1024)],
    ] = (4, 1)


class PatternNM(Part):
    """Of every ``m`` consecutive weights along the input channels at most ``n`` are not zero.

    2:4 is what sparse tensor cores execute (Mishra et al. 2021, arXiv:2104.08378).
    """

    kind: Literal["n_m"] = "n_m"
    n: Annotated[int, Field(ge=1, le=63)] = 2
    m: Annotated[int, Field(ge=2, le=64)] = 4

    @property
    def sparsity(self) -> float:
        """The share of zeros that the pattern makes, 0 to 1."""
        return 1.0 - self.n / self.m

    @model_validator(mode="after")
    def _fewer(self) -> PatternNM:
        if self.n >= self.m:
            raise ValueError(f"n must be below m; received n={self.n} and m={self.m}")
        return self


class Channels(Part):
    """Filters and units are removed, so that the model becomes smaller and faster everywhere.

    ``target`` is what the schedule's sparsity is a share of: the model's multiply-accumulates
    (``macs``), or its channels (``channels``). Layers keep a ``multiple_of`` so many channels
    where they have at least twice as many: processors compute that many at once, so that odd
    numbers save less time than they remove.
    """

    kind: Literal["channels"] = "channels"
    target: Literal["macs", "channels"] = "macs"
    multiple_of: Annotated[int, Field(ge=1, le=64)] = 8


Structure = Annotated[Unstructured | Block | PatternNM | Channels, Field(discriminator="kind")]
