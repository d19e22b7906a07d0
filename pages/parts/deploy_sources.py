"""Where the estimates of the Deploy page come from, and what they leave out."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from optimizer.deploy.boards import BOARDS, RUNTIME_SOURCE
from optimizer.deploy.energy import ADD_PJ, MULTIPLY_PJ, READ_64_BITS_PJ, SOURCE
from optimizer.deploy.fit import kib
from pages.parts.table import show_table


def draw_sources() -> None:
    """Behind a click: sources of energy, flash, RAM and boards."""
    with st.expander("Where these figures come from, and their limits", icon=":material/book:"):
        st.markdown(
            f"**Energy.** {SOURCE}: bare arithmetic units and memories of that process. Real chips "
            "need several times more, for instructions (about 70 pJ each in the same source), "
            "clocks and leakage; use it to compare variants, not to size a battery. Counted: the "
            "multiply-accumulates of convolutions, dense layers and matrix products by the dtype "
            "in the file; each weight read once, each activation written once and read once per "
            "reader. int8 sums in 32 bits. int16×8 multiplications are not in the source and are "
            "interpolated by width. Zeros of pruned weights cost as much as others, because dense "
            "kernels multiply them, too."
        )
        show_table(_picojoules(), hide_index=True, alt="Picojoules of each operation")
        st.markdown(
            f"**Flash.** The file as it ships, plus the runtime: {RUNTIME_SOURCE}. Kernels "
            "optimized for a processor are larger.\n\n"
            "**RAM.** The tensor arena is planned from the file with the algorithm of TensorFlow "
            "Lite for Microcontrollers (largest first, lowest gap). On 19 files its own recording "
            "allocator (package tflite-micro, October 2026, x86-64) gave the same bytes; LSTM and "
            "transposed convolutions ask for more besides. What the runtime keeps is an upper "
            "estimate fitted to the same reports.\n\n"
            "**Boards.** "
            + "; ".join(
                f"{board.name}: {kib(board.flash_bytes)} flash, {kib(board.ram_bytes)} RAM "
                f"({board.source}){'. ' + board.note if board.note else ''}"
                for board in BOARDS
            )
        )


def _picojoules() -> pd.DataFrame:
    rows = [
        *({"Operation": f"Add, {kind}", "Energy (pJ)": value} for kind, value in ADD_PJ.items()),
        *(
            {"Operation": f"Multiply, {kind}", "Energy (pJ)": value}
            for kind, value in MULTIPLY_PJ.items()
        ),
        *(
            {"Operation": f"Access of 64 bits, {kind}", "Energy (pJ)": value}
            for kind, value in READ_64_BITS_PJ.items()
        ),
    ]
    return pd.DataFrame(rows)
