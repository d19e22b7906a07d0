"""The energy of one inference, estimated: counted operations times published energy for each.

Source: M. Horowitz, "Computing's Energy Problem (and what we can do about it)", ISSCC 2014,
figure 1.1.9: a 45 nm process at 0.9 V. Additions and multiplications are bare arithmetic units;
memories are read 64 bits at a time. The table has no multiplication of 16 by 8 bits: that one is
interpolated by the product of the widths, by which the table's 8 and 32 bits differ too.

What this is good for is the comparison of variants. It leaves out the processor's instructions
(about 70 pJ each in the same source), clocks, leakage, and every operator that is not a
multiply-accumulate, and takes each weight to be read once and each activation written once and
read once for each reader; a real chip needs several times more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from optimizer.deploy.arena import tensor_bytes
from optimizer.measure.flatbuffer import Graph, Operator
from optimizer.measure.macs import multiply_accumulates
from optimizer.measure.weights import WEIGHT_INPUTS, constants_passed_on

SOURCE = "Horowitz, ISSCC 2014, figure 1.1.9 (45 nm, 0.9 V)"
Arithmetic = Literal["float32", "int8", "int16x8"]
Place = Literal["sram", "dram"]

ADD_PJ = {"int8": 0.03, "int16": 0.05, "int32": 0.1, "float16": 0.4, "float32": 0.9}
MULTIPLY_PJ = {"int8": 0.2, "int32": 3.1, "float16": 1.1, "float32": 3.7}
"""Picojoules of one addition or multiplication."""
READ_64_BITS_PJ = {"sram 8 kB": 10.0, "sram 32 kB": 20.0, "sram 1 MB": 100.0, "dram": 1300.0}
"""Picojoules of one 64-bit access; for DRAM the lower end of the source's 1.3 to 2.6 nJ."""

MAC_PJ: dict[Arithmetic, float] = {
    "float32": MULTIPLY_PJ["float32"] + ADD_PJ["float32"],
    "int8": MULTIPLY_PJ["int8"] + ADD_PJ["int32"],
    "int16x8": 2 * MULTIPLY_PJ["int8"] + 2 * ADD_PJ["int32"],
}
"""One multiply-accumulate: int8 sums in 32 bits, int16×8 in 64."""
_WEIGHTS_PJ: dict[Place, float] = {
    "sram": READ_64_BITS_PJ["sram 1 MB"] / 8,
    "dram": READ_64_BITS_PJ["dram"] / 8,
}
_ACTIVATION_PJ = READ_64_BITS_PJ["sram 32 kB"] / 8


@dataclass(frozen=True)
class Work:
    """What one inference computes and moves, as read from the file.

    Attributes:
        macs: kind of arithmetic → multiply-accumulates.
        weight_bytes: constants read, each once, as they are stored.
        activation_bytes: computed tensors, each written once and read once for each reader.
    """

    macs: dict[Arithmetic, int]
    weight_bytes: int
    activation_bytes: int


@dataclass(frozen=True)
class Energy:
    """An estimate for one inference, in microjoules."""

    compute_uj: float
    weights_uj: float
    activations_uj: float

    @property
    def memory_uj(self) -> float:
        """Weights and activations."""
        return self.weights_uj + self.activations_uj

    @property
    def total_uj(self) -> float:
        """All of it."""
        return self.compute_uj + self.memory_uj


def count_work(graphs: Sequence[Graph]) -> Work | None:
    """Count what one inference computes and moves.

    Returns:
        ``None`` where the file runs other graphs in loops or branches, whose turns it does not
        tell, or has tensors without a fixed size.
    """
    main = graphs[0]
    if any(operator.kind in ("WHILE", "IF") for operator in main.operators):
        return None
    sources = constants_passed_on(main)
    macs: dict[Arithmetic, int] = {}
    constants: dict[int, int] = {}
    moved = 0
    try:
        for operator in main.operators:
            count = multiply_accumulates(Graph(main.tensors, (operator,), (), ()))
            if count:
                kind = _arithmetic(main, operator)
                macs[kind] = macs.get(kind, 0) + count
            moved += _moved(main, operator, sources, constants)
    except ValueError:
        return None
    return Work(macs, sum(constants.values()), moved)


def energy(work: Work, weights_in: Place) -> Energy:
    """The energy of counted work.

    Args:
        work: see :func:`count_work`.
        weights_in: where weights are read from: on the chip (as from 1 MB of SRAM), or DRAM
            beside it. Activations are taken to be in 32 kB of SRAM.
    """
    compute = sum(MAC_PJ[kind] * count for kind, count in work.macs.items())
    return Energy(
        1e-6 * compute,
        1e-6 * _WEIGHTS_PJ[weights_in] * work.weight_bytes,
        1e-6 * _ACTIVATION_PJ * work.activation_bytes,
    )


def _arithmetic(graph: Graph, operator: Operator) -> Arithmetic:
    """By the dtypes of weights and output; dynamic range multiplies in int8, as its kernels do."""
    output = graph.tensors[operator.outputs[0]].dtype
    if output == "int16":
        return "int16x8"
    positions = WEIGHT_INPUTS.get(operator.kind, {})
    weights = {
        graph.tensors[operator.inputs[position]].dtype
        for position in positions
        if position < len(operator.inputs) and operator.inputs[position] >= 0
    }
    return "float32" if weights & {"float32", "float16"} or output == "float16" else "int8"


def _moved(
    graph: Graph, operator: Operator, sources: dict[int, int], constants: dict[int, int]
) -> int:
    """Bytes of activations an operator reads and writes; its constants go into ``constants``."""
    moved = 0
    passes_on = any(index in sources for index in operator.outputs)
    for index in operator.inputs:
        if index < 0:
            continue
        origin = graph.tensors[sources.get(index, index)]
        if origin.stored is not None:
            constants[origin.buffer] = origin.stored.nbytes
        elif operator.kind != "RESHAPE":
            moved += tensor_bytes(graph.tensors[index])
    if passes_on or operator.kind == "RESHAPE":
        return moved
    return moved + sum(
        tensor_bytes(graph.tensors[index]) for index in operator.outputs if index >= 0
    )
