"""Run a ``.tflite`` on arrays: batching, and quantized inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from optimizer.errors import InputError, StageError

_Shape = tuple[int, ...]

MAX_BATCH = 64
BATCH_BYTES = 3 * 2**19
"""Bytes of a batch in the largest tensor at most: what a processor's cache holds. Larger batches
are slower than single samples (MobileNetV2 at 96 × 96: three times, with 128)."""


def quantize(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Real values → what the tensor stores: rounded to the nearest step, clipped to the dtype.

    Args:
        values: real values, any shape and numeric dtype.
        details: the tensor's entry of ``get_input_details()``.
    """
    dtype = np.dtype(details["dtype"])
    scale, zero_point = details["quantization"]
    if not scale or not np.issubdtype(dtype, np.integer):
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    steps = np.round(np.asarray(values, np.float64) / scale) + zero_point
    return np.clip(steps, limits.min, limits.max).astype(dtype)


def dequantize(stored: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """What a tensor stores → real values as float32; see :func:`quantize`."""
    scale, zero_point = details["quantization"]
    if not scale or not np.issubdtype(stored.dtype, np.integer):
        return stored.astype(np.float32)
    return ((stored.astype(np.float64) - zero_point) * scale).astype(np.float32)


def build(tflite: bytes, threads: int = 1, every_tensor: bool = False) -> Interpreter:
    """An interpreter, with XNNPACK applied by default.

    Args:
        tflite: the file.
        threads: of the interpreter.
        every_tensor: keep what each operator computed, for which TensorFlow Lite's own kernels
            are used instead of XNNPACK's.

    Raises:
        StageError: the runtime cannot load the model.
    """
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if every_tensor else None
    try:
        return Interpreter(
            model_content=tflite,
            num_threads=threads,
            experimental_preserve_all_tensors=every_tensor,
            **({"experimental_op_resolver_type": resolver} if resolver else {}),
        )
    except (ValueError, RuntimeError) as error:
        raise StageError(
            "The TensorFlow Lite runtime cannot load this model.", str(error)
        ) from None


def signature_names(tflite: bytes) -> tuple[list[str], list[str]]:
    """Names of the inputs and of the outputs in the file's signature, or of its tensors.

    Raises:
        StageError: the runtime cannot load the model.
    """
    interpreter = build(tflite)
    return list(_tensors(interpreter, "input")), list(_tensors(interpreter, "output"))


@dataclass(frozen=True)
class Ends:
    """The names, in a file's signature, of its inputs and outputs in the order of interest.

    Either may be empty for the file's own order.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


FILE_ORDER = Ends()


def predict(
    tflite: bytes,
    xs: Sequence[np.ndarray],
    ends: Ends = FILE_ORDER,
    threads: int = 1,
    batch_size: int | None = None,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> list[np.ndarray]:
    """Outputs of the model for every sample.

    Samples go through in batches where the model's batch dimension is free, and one by one
    where it is fixed or where the graph does not survive another batch size.

    Args:
        tflite: the file.
        xs: samples for each input, shape (n, …) with the same n ≥ 1, real values.
        ends: which input each of ``xs`` is for, and which outputs come back in which order.
        threads: threads of the interpreter.
        batch_size: samples per batch; ``None`` chooses from the size of a sample.
        on_batch: called with (samples done, n), at most once per cent.

    Returns:
        For each output real values, float32, shape (n, …).

    Raises:
        InputError: the samples do not fit the model's inputs.
        StageError: the runtime cannot run the model.
    """
    n = len(xs[0])
    if batch_size is None:
        batch_size = max(1, min(MAX_BATCH, BATCH_BYTES // _largest_activation(tflite)))
    batch_size = min(batch_size, n)
    shapes = [x.shape[1:] for x in xs]
    runner = _Runner.of(tflite, len(xs), ends, batch_size, threads)
    if batch_size == 1 or not runner.allocated_batch(shapes):
        runner = _Runner.of(tflite, len(xs), ends, 1, threads)
        runner.allocate_single(shapes)
    batches = []
    for start in range(0, n, runner.size):
        batches.append(runner.run([x[start : start + runner.size] for x in xs]))
        done = min(n, start + runner.size)
        if 100 * done // n > 100 * start // n:
            on_batch(done, n)
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def run_each(
    tflite: bytes, xs: Sequence[np.ndarray], ends: Ends = FILE_ORDER
) -> Iterator[Interpreter]:
    """The interpreter after each sample, with every operator's result in its tensors.

    TensorFlow Lite's own kernels are used; XNNPACK's keep their results to themselves.

    Args:
        tflite, xs, ends: as of :func:`predict`.

    Raises:
        InputError, StageError: as :func:`predict`.
    """
    runner = _Runner.of(tflite, len(xs), ends, 1, 1, every_tensor=True)
    runner.allocate_single([x.shape[1:] for x in xs])
    for index in range(len(xs[0])):
        runner.run([x[index : index + 1] for x in xs])
        yield runner.interpreter


def _largest_activation(tflite: bytes) -> int:
    """Bytes of the largest tensor that holds one sample; weights have other first dimensions."""
    tensors = build(tflite).get_tensor_details()
    sizes = [
        int(np.prod(tensor["shape"])) * np.dtype(tensor["dtype"]).itemsize
        for tensor in tensors
        if len(tensor["shape"]) and tensor["shape"][0] == 1 and tensor["dtype"] is not np.bytes_
    ]
    return max(1, *sizes) if sizes else 1


@dataclass(frozen=True, eq=False)
class _Runner:
    """An interpreter for ``size`` samples at a time, and its tensors in the order of interest."""

    interpreter: Interpreter
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    size: int

    @classmethod
    def of(
        cls,
        tflite: bytes,
        count: int,
        ends: Ends,
        size: int,
        threads: int,
        every_tensor: bool = False,
    ) -> _Runner:
        """A runner whose tensors have yet to be allocated, for ``count`` inputs."""
        interpreter = build(tflite, threads, every_tensor)
        inputs = _in_order(_tensors(interpreter, "input"), ends.inputs)
        if len(inputs) != count:
            raise InputError(
                f"The model takes {len(inputs)} inputs; the data have {count}. Bring one array "
                "for each."
            )
        outputs = _in_order(_tensors(interpreter, "output"), ends.outputs)
        return cls(interpreter, inputs, outputs, size)

    def allocated_batch(self, shapes: Sequence[_Shape]) -> bool:
        """Allocate for ``size`` samples at once; false if the model does not allow it."""
        try:
            for details, shape in zip(self.inputs, shapes, strict=True):
                if len(details["shape_signature"]) != len(shape) + 1:
                    return False
                wanted = (self.size, *shape)
                self.interpreter.resize_tensor_input(details["index"], wanted, strict=True)
            self.interpreter.allocate_tensors()
            self.interpreter.invoke()
        except (ValueError, RuntimeError):
            return False
        produced = [self.interpreter.get_tensor(details["index"]).shape for details in self.outputs]
        return all(shape and shape[0] == self.size for shape in produced)

    def allocate_single(self, shapes: Sequence[_Shape]) -> None:
        """Allocate for one sample at a time."""
        for details, shape in zip(self.inputs, shapes, strict=True):
            if tuple(details["shape"]) == (1, *shape):
                continue
            try:
                self.interpreter.resize_tensor_input(details["index"], (1, *shape), strict=True)
            except (ValueError, RuntimeError):
                raise InputError(
                    f"The samples have shape {shape}; the model takes "
                    f"{tuple(int(d) for d in details['shape_signature'][1:])}. Reshape the data."
                ) from None
        try:
            self.interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise StageError(
                "The TensorFlow Lite runtime cannot run this model.", str(error)
            ) from None

    def run(self, batch: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs of at most ``size`` samples."""
        interpreter, count = self.interpreter, len(batch[0])
        for details, part in zip(self.inputs, batch, strict=True):
            values = quantize(part, details)
            if count < self.size:  # the last batch is filled up rather than reallocating the graph
                values = np.concatenate([values, np.repeat(values[-1:], self.size - count, axis=0)])
            interpreter.set_tensor(details["index"], values)
        interpreter.reset_all_variables()  # a fused LSTM would carry its state to the next sample
        try:
            interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise StageError(
                "The TensorFlow Lite runtime failed while running this model.", str(error)
            ) from None
        return [
            dequantize(interpreter.get_tensor(details["index"]), details)[:count]
            for details in self.outputs
        ]


def _in_order(tensors: dict[str, dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """The tensors by name where all names are known, else as they come."""
    return [tensors[name] for name in names] if set(names) == set(tensors) else [*tensors.values()]


def _tensors(interpreter: Interpreter, end: Literal["input", "output"]) -> dict[str, Any]:
    """Signature name → details of the tensor; the tensor's own name where there is no signature.

    A signature's names are the model's; the tensors' order and names are the converter's.
    """
    details = getattr(interpreter, f"get_{end}_details")()
    if len(details) > 1 and len(interpreter.get_signature_list()) == 1:
        runner = interpreter.get_signature_runner()
        return dict(getattr(runner, f"get_{end}_details")())
    return {entry["name"]: entry for entry in details}
