"""Some boards people start with, and what a program of TensorFlow Lite for Microcontrollers needs
besides the model."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True)
class Board:
    """A microcontroller board.

    Attributes:
        flash_bytes, ram_bytes: what its data sheet gives; RAM on the chip only.
        source: the document that says so.
        float_unit: whether the processor computes float32 in hardware.
        note: what the two numbers leave out.
    """

    name: str
    chip: str
    flash_bytes: int
    ram_bytes: int
    source: str
    float_unit: bool = True
    note: str = ""


BOARDS: tuple[Board, ...] = (
    Board(
        "Arduino UNO R4 Minima",
        "Renesas RA4M1, Cortex-M4F, 48 MHz",
        256 * KIB,
        32 * KIB,
        "Arduino data sheet ABX00080",
    ),
    Board(
        "Arduino Nano 33 BLE Sense",
        "Nordic nRF52840, Cortex-M4F, 64 MHz",
        1024 * KIB,
        256 * KIB,
        "Arduino data sheet ABX00031",
    ),
    Board(
        "Raspberry Pi Pico",
        "RP2040, two Cortex-M0+, 133 MHz",
        2048 * KIB,
        264 * KIB,
        "Raspberry Pi Pico data sheet",
        float_unit=False,
        note="The flash is beside the chip, on QSPI.",
    ),
    Board(
        "STM32F746G Discovery",
        "STM32F746NG, Cortex-M7, 216 MHz",
        1024 * KIB,
        320 * KIB,
        "ST data sheet DS10916",
        note="320 kB of system RAM; 20 kB more are for instructions and backup. The board's "
        "external SDRAM and flash are not counted.",
    ),
    Board(
        "SparkFun Edge",
        "Ambiq Apollo3 Blue, Cortex-M4F, 48 MHz",
        1024 * KIB,
        384 * KIB,
        "Ambiq Apollo3 Blue data sheet",
    ),
    Board(
        "ESP32-S3-DevKitC-1 (N8)",
        "ESP32-S3, two Xtensa LX7, 240 MHz",
        8192 * KIB,
        512 * KIB,
        "Espressif ESP32-S3 series and ESP32-S3-WROOM-1 data sheets",
        note="The flash is beside the chip; Wi-Fi takes part of the RAM when it is on.",
    ),
)

RUNTIME_FLASH_BYTES = 16 * KIB
"""The core runtime on a Cortex-M3, as TensorFlow Lite for Microcontrollers' overview gives it."""
OPERATOR_FLASH_BYTES = 6 * KIB // 4
"""Of each kind of operator: the same overview gives 22 kB with the operators of a model for speech
keywords, which has four kinds. Kernels that are optimized for a processor are larger."""
RUNTIME_SOURCE = (
    "TensorFlow Lite for Microcontrollers' overview: the core runtime takes 16 kB on a Cortex-M3, "
    "22 kB with the four kinds of operators of a speech keyword model"
)
PROGRAM_FLASH_BYTES = 64 * KIB
PROGRAM_RAM_BYTES = 16 * KIB
"""What the rest of a program is taken to need unless one says otherwise: a rule of thumb."""
