"""Whether a ``.tflite`` fits a microcontroller: what it needs, what is there, and what is missing.

Everything here is computed from the file; nothing was run on a board.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from optimizer.deploy.arena import Arena, plan_arena, tensor_bytes, variables
from optimizer.deploy.boards import (
    KIB,
    OPERATOR_FLASH_BYTES,
    PROGRAM_FLASH_BYTES,
    PROGRAM_RAM_BYTES,
    RUNTIME_FLASH_BYTES,
    Board,
)
from optimizer.deploy.energy import Work, count_work, energy
from optimizer.measure.flatbuffer import Graph, parse
from optimizer.takeaway.micro import micro_needs

_QUANTIZED_PER_CHANNEL = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")
_SOFTMAX_TABLES_BYTES = 2100
_SCRATCH = frozenset(
    {"TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_LSTM", "SVDF", "BATCH_MATMUL", "TRANSPOSE"}
)
"""Operators whose kernels ask for working memory that a file does not tell."""


@dataclass(frozen=True, eq=False)
class Footprint:
    """What one file needs.

    Attributes:
        arena: the plan of its tensors; ``None`` where the file does not tell.
        runtime_ram_bytes: what the runtime keeps about tensors and operators, an upper estimate.
        operators: kinds of operators, sorted.
        sequence: the main graph's operators in the order they run.
        refusals: why TensorFlow Lite for Microcontrollers does not run it, as sentences.
        remarks: what it runs with difficulty, as sentences.
        work: what one inference computes and moves; ``None`` where the file does not tell.
    """

    file_bytes: int
    arena: Arena | None
    runtime_ram_bytes: int
    operators: tuple[str, ...]
    sequence: tuple[str, ...]
    refusals: tuple[str, ...]
    remarks: tuple[str, ...]
    work: Work | None
    computes_in_float: bool

    @cached_property
    def flash_bytes(self) -> int:
        """The file, the runtime and its operators, without the rest of a program."""
        return self.file_bytes + RUNTIME_FLASH_BYTES + OPERATOR_FLASH_BYTES * len(self.operators)

    @cached_property
    def ram_bytes(self) -> int | None:
        """Tensors and runtime, without the rest of a program."""
        return None if self.arena is None else self.arena.size_bytes + self.runtime_ram_bytes


@dataclass(frozen=True)
class Fit:
    """A file on a board.

    Attributes:
        fits: ``None`` where it cannot be told.
        reasons: why not, each as a sentence; remarks when it fits.
        flash_share, ram_share: needed of what is there, the program's part included; 1 is full.
    """

    fits: bool | None
    reasons: tuple[str, ...]
    flash_share: float
    ram_share: float | None

    @property
    def verdict(self) -> str:
        """In a word or two."""
        return {True: "fits", False: "does not fit", None: "cannot be told"}[self.fits]


def footprint(tflite: bytes) -> Footprint:
    """Read what a file needs.

    Raises:
        InputError: the bytes are not a TensorFlow Lite file.
    """
    graphs = parse(tflite)
    needs = micro_needs(tflite)
    remarks = list(needs.remarks)
    if asking := sorted(_SCRATCH & set(needs.operators)):
        remarks.append(
            f"{', '.join(asking)} may need working memory besides, which the file does not tell."
        )
    return Footprint(
        file_bytes=len(tflite),
        arena=plan_arena(graphs),
        runtime_ram_bytes=_runtime_ram(graphs),
        operators=needs.operators,
        sequence=tuple(operator.kind for operator in graphs[0].operators),
        refusals=needs.refusals,
        remarks=tuple(remarks),
        work=count_work(graphs),
        computes_in_float=needs.computes_in_float,
    )


def fit(
    needed: Footprint,
    board: Board,
    program_flash_bytes: int = PROGRAM_FLASH_BYTES,
    program_ram_bytes: int = PROGRAM_RAM_BYTES,
) -> Fit:
    """Whether a file fits a board beside the rest of a program."""
    flash = needed.flash_bytes + program_flash_bytes
    reasons = list(needed.refusals)
    if flash > board.flash_bytes:
        reasons.append(_missing("flash", flash, board.flash_bytes))
    ram = None if needed.ram_bytes is None else needed.ram_bytes + program_ram_bytes
    if ram is not None and ram > board.ram_bytes:
        reasons.append(_missing("RAM", ram, board.ram_bytes))
    shares = flash / board.flash_bytes, None if ram is None else ram / board.ram_bytes
    if reasons:
        return Fit(False, tuple(reasons), *shares)
    if ram is None:
        text = "How much RAM its tensors need cannot be told from the file: it runs in loops."
        return Fit(None, (text,), *shares)
    return Fit(True, _slow(needed, board), *shares)


def kib(size_bytes: float) -> str:
    """Bytes as data sheets count them, 1 KiB being 1,024: ``63.7 KiB``, ``2,048 KiB``."""
    value = size_bytes / KIB
    return f"{value:,.0f} KiB" if value >= 100 or value == int(value) else f"{value:.1f} KiB"


def _slow(needed: Footprint, board: Board) -> tuple[str, ...]:
    if needed.computes_in_float and not board.float_unit:
        return (f"Slow: it computes in float32, and {board.chip} has no floating-point unit.",)
    return ()


def _missing(what: str, needed: int, there: int) -> str:
    return (
        f"Needs {kib(needed)} of {what}, {kib(needed - there)} more than the board's {kib(there)}."
    )


def _runtime_ram(graphs: Sequence[Graph]) -> int:
    """What the runtime keeps per tensor, operator and channel, in bytes.

    Fitted from above to what tflite-micro's own recording allocator reported for 24 files on a
    64-bit machine (version of October 2026); pointers of 32-bit chips are half as long.
    """
    total = 1024
    for graph in graphs:
        total += sum(tensor_bytes(graph.tensors[index]) + 16 for index in variables(graph))
        total += 24 * len(graph.tensors) + 64 * (len(graph.inputs) + len(graph.outputs))
        for operator in graph.operators:
            total += 1024 if "LSTM" in operator.kind else 160
            output = graph.tensors[operator.outputs[0]] if operator.outputs else None
            if output is None:
                continue
            if operator.kind in _QUANTIZED_PER_CHANNEL and output.shape:
                total += 8 * abs(output.shape[-1])
            if operator.kind == "SOFTMAX" and output.dtype == "int16":
                total += _SOFTMAX_TABLES_BYTES
    return total


def estimates(tflite: bytes) -> dict[str, float | None]:
    """The estimates that are kept with a variant's measurements.

    Returns:
        ``flash_bytes`` and ``ram_bytes`` without the rest of a program, and ``energy_uj`` with
        weights on the chip; ``None`` where the file does not tell.

    Raises:
        InputError: the bytes are not a TensorFlow Lite file.
    """
    needed = footprint(tflite)
    return {
        "flash_bytes": needed.flash_bytes,
        "ram_bytes": needed.ram_bytes,
        "energy_uj": energy(needed.work, "sram").total_uj if needed.work else None,
    }
