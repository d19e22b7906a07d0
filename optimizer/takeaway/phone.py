"""Commands that measure a ``.tflite`` on an Android phone with TFLite's ``benchmark_model``."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

BINARY_SOURCE = (
    "`benchmark_model` is TensorFlow Lite's own tool: take the build for Android from "
    "https://ai.google.dev/edge/litert/models/measurement (section “native benchmark binary”, "
    "nightly, `android_aarch64_benchmark_model`), and `adb` from Android's platform tools."
)
"""Where the tool comes from."""

_FOLDER = "/data/local/tmp"
_BINARY = "android_aarch64_benchmark_model"


@dataclass(frozen=True)
class Command:
    """Shell commands and what they do, in a few words."""

    title: str
    text: str


def phone_commands(file_name: str, mode: str) -> list[Command]:
    """What to type on a computer with a phone attached and USB debugging switched on.

    Args:
        file_name: of the ``.tflite``, in the working folder.
        mode: the recipe's quantization mode; the GPU delegate is for float models.
    """
    target = shlex.quote(f"{_FOLDER}/{file_name}")
    local = shlex.quote(file_name if not file_name.startswith("-") else f"./{file_name}")
    copying = "\n".join(
        (
            f"adb push {_BINARY} {_FOLDER}/benchmark_model",
            f"adb shell chmod +x {_FOLDER}/benchmark_model",
            f"adb push {local} {target}",
        )
    )
    commands = [Command("Copy the tool and the model to the phone", copying)]
    commands += [
        Command(
            f"CPU, {threads} thread{'s' * (threads > 1)}, XNNPACK",
            _run(target, f"--num_threads={threads} --use_xnnpack=true"),
        )
        for threads in (1, 4)
    ]
    if mode in ("none", "float16"):
        commands.append(
            Command(
                "GPU, half precision",
                _run(target, "--use_gpu=true --gpu_precision_loss_allowed=true"),
            )
        )
    return commands


def _run(target: str, options: str) -> str:
    """``adb shell`` hands its words to the phone's shell, which reads quotes a second time."""
    line = f"{_FOLDER}/benchmark_model --graph={target} {options} --num_runs=200"
    return f"adb shell {shlex.quote(line)}"


def phone_text(file_name: str, mode: str) -> str:
    """The commands as a text file."""
    blocks = [f"# {command.title}\n{command.text}\n" for command in phone_commands(file_name, mode)]
    return f"# {BINARY_SOURCE.replace('`', '')}\n\n" + "\n".join(blocks)
