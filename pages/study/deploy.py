"""Will it fit a microcontroller, and what would an inference cost there: estimates."""

import pandas as pd
import streamlit as st

from optimizer.charts.deploy import (
    arena_figure,
    arena_table,
    boards_figure,
    energy_figure,
    energy_info,
    energy_table,
)
from optimizer.comparison import suggested
from optimizer.deploy.boards import (
    BOARDS,
    KIB,
    PROGRAM_FLASH_BYTES,
    PROGRAM_RAM_BYTES,
    Board,
)
from optimizer.deploy.energy import Place, energy
from optimizer.deploy.fit import Fit, Footprint, fit, footprint, kib
from optimizer.errors import FeatherweightError
from optimizer.format import format_count, format_energy
from optimizer.measured import marked_name
from optimizer.store.records import Variant
from pages.parts import context
from pages.parts.chart import draw_chart
from pages.parts.deploy_sources import draw_sources
from pages.parts.table import show_table
from pages.parts.text import plain

_PLACES: dict[str, Place] = {"On the chip": "sram", "DRAM beside it": "dram"}
_MOST_ROWS = 1_000
_MARKS = {True: "✓ fits", False: "✗", None: "? cannot be told"}


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    st.title("Deploy")
    st.caption(
        "Will a variant fit a microcontroller, and what would one inference cost there? "
        "**Estimates**, computed from each .tflite and from published figures; nothing here was "
        "run on a board."
    )
    done = [variant for variant in context.study_variants(study) if variant.results]
    if not done:
        st.info("Nothing has been measured in this study yet. Compare measures the baseline.")
        st.page_link(
            context.COMPARE,
            label="Compare",
            icon=":material/scatter_plot:",
            query_params=context.study_link(study),
        )
        return
    needs = _needs(study.id, context.store().variants_version(study.id))
    if not needs:
        st.error("None of the study's files can be read any more. Run the variants again.")
        return
    boards, program = _controls()
    selected = _choose([variant for variant in done if variant.id in needs])
    _table(done, needs, boards, program)
    _one(selected, needs[selected.id], boards, program)
    _energy(done, needs, selected)
    draw_sources()


@st.cache_resource(max_entries=4, show_spinner="Reading the files")
def _needs(study_id: str, version: tuple[int, int]) -> dict[str, Footprint]:
    """What the files of a study need, by the variants' ids."""
    found = {}
    for variant in context.store().variants_of(study_id):
        if not variant.results:
            continue
        try:
            found[variant.id] = _footprint(variant.stages["convert"])
        except (FeatherweightError, KeyError) as error:
            st.warning(f"{plain(variant.name)}: {plain(str(error))}")
    return found


@st.cache_resource(max_entries=20_000, show_spinner=False)
def _footprint(key: str) -> Footprint:
    """What a stored file needs; a file never changes under its key."""
    return footprint(context.store().artifacts.read(key, "model.tflite"))


def _controls() -> tuple[list[Board], tuple[int, int]]:
    """The boards, with one of the person's own, and what the rest of the program needs."""
    with st.expander("Your own board, and the rest of your program", icon=":material/tune:"):
        left, right = st.columns(2, gap="large")
        flash = left.slider(
            "Flash of your board (KiB)",
            *(32, 4096, 512, 32),
            key="deploy_flash",
            help="For program and model. 1 KiB is 1,024 bytes, as data sheets count.",
        )
        ram = right.slider(
            "RAM of your board (KiB)",
            *(8, 1024, 128, 8),
            key="deploy_ram",
            help="On the chip, for tensors, stack and all else.",
        )
        program_flash = left.slider(
            "Flash for the rest of your program (KiB)",
            *(0, 1024, PROGRAM_FLASH_BYTES // KIB, 8),
            key="deploy_program_flash",
            help="Sensors, radio, bootloader. A rule of thumb to begin with: put in what your "
            "linker says. It counts for every board.",
        )
        program_ram = right.slider(
            "RAM for the rest of your program (KiB)",
            *(0, 256, PROGRAM_RAM_BYTES // KIB, 4),
            key="deploy_program_ram",
            help="Stack, input buffers, radio. A rule of thumb to begin with. It counts for every "
            "board.",
        )
    own = Board("Your board", "your board", flash * KIB, ram * KIB, "the sliders above")
    return [*BOARDS, own], (program_flash * KIB, program_ram * KIB)


def _choose(variants: list[Variant]) -> Variant:
    by_id = {variant.id: variant for variant in variants}
    chosen = context.chosen_variant_id(context.current_study())
    first = suggested(variants) or variants[0]
    st.session_state["deploy_pick"] = chosen if chosen in by_id else first.id
    picked = st.selectbox(
        "Variant",
        list(by_id),
        format_func=lambda variant_id: marked_name(by_id[variant_id]),
        key="deploy_pick",
        help="The details below are about this one.",
        on_change=lambda: context.choose_variant(by_id[st.session_state["deploy_pick"]]),
    )
    return by_id[picked]


def _table(
    done: list[Variant],
    needs: dict[str, Footprint],
    boards: list[Board],
    program: tuple[int, int],
) -> None:
    st.header("Which variants fit which board")
    known = [(variant, needs[variant.id]) for variant in done if variant.id in needs]
    counts = {
        board.name: sum(fit(needed, board, *program).fits is True for _, needed in known)
        for board in boards
    }
    st.markdown(
        f"Of {len(known):,} variants, those that fit: "
        + ", ".join(f"{plain(name)} **{count:,}**" for name, count in counts.items())
        + f". {kib(program[0])} of flash and {kib(program[1])} of RAM are kept for the rest of "
        "the program."
    )
    rows, listed = [], known
    if len(known) > _MOST_ROWS:
        listed = sorted(known, key=lambda item: item[1].flash_bytes)[:_MOST_ROWS]
    for variant, needed in listed:
        rows.append(
            {
                "Variant": marked_name(variant),
                "Flash needed (KiB)": needed.flash_bytes / KIB,
                "RAM needed (KiB)": None if needed.ram_bytes is None else needed.ram_bytes / KIB,
                **{board.name: _cell(fit(needed, board, *program), needed) for board in boards},
            }
        )
    show_table(
        pd.DataFrame(rows),
        hide_index=True,
        placeholder="cannot be told",
        height=min(38 + 35 * len(rows), 600),
        column_config={
            "Variant": st.column_config.TextColumn(pinned=True, width=220),
            "Flash needed (KiB)": st.column_config.NumberColumn(
                format="%.1f",
                help="The file, the runtime and its operators; without the rest of the program.",
            ),
            "RAM needed (KiB)": st.column_config.NumberColumn(
                format="%.1f",
                help="The tensors at the busiest moment and what the runtime keeps about them; "
                "without the rest of the program.",
            ),
            **{
                board.name: st.column_config.TextColumn(
                    help=f"{board.chip}: {kib(board.flash_bytes)} flash, {kib(board.ram_bytes)} "
                    f"RAM ({board.source}). {board.note}"
                )
                for board in boards
            },
        },
        alt="For each variant and board whether it fits, and what is missing",
    )
    st.caption(
        "Flash, RAM: too little on that board. Not run: TensorFlow Lite for Microcontrollers "
        "refuses the file; the reason is below when you choose the variant."
        + (
            f" The {_MOST_ROWS:,} smallest of {len(known):,} files are listed."
            if len(known) > _MOST_ROWS
            else ""
        )
    )


def _cell(found: Fit, needed: Footprint) -> str:
    if found.fits is not False:
        return _MARKS[found.fits]
    missing = ["not run"] if needed.refusals else []
    missing += ["flash"] if found.flash_share > 1 else []
    missing += ["RAM"] if (found.ram_share or 0) > 1 else []
    return f"{_MARKS[False]} {', '.join(missing)}"


def _one(
    variant: Variant, needed: Footprint, boards: list[Board], program: tuple[int, int]
) -> None:
    st.header(f"{plain(marked_name(variant))} on each board")
    for refusal in needed.refusals:
        st.warning(plain(refusal), title="TensorFlow Lite for Microcontrollers does not run it")
    if needed.remarks:
        st.markdown("\n".join(f"- {plain(remark)}" for remark in needed.remarks))
    fits = [(board, fit(needed, board, *program)) for board in boards]
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**How full it would be**")
        draw_chart(
            boards_figure([(board.name, found) for board, found in fits]),
            "deploy-boards",
            "Share of flash and RAM that the variant would take on each board",
            _boards_table(fits),
        )
    with right:
        _arena(needed)
    st.caption(f"Operators of the file: {plain(', '.join(needed.operators))}.")


def _boards_table(fits: list[tuple[Board, Fit]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "Board": board.name,
                "Verdict": found.verdict,
                "Flash used (%)": 100 * found.flash_share,
                "RAM used (%)": None if found.ram_share is None else 100 * found.ram_share,
                "Why": " ".join(found.reasons),
                "Board has": f"{kib(board.flash_bytes)} flash, {kib(board.ram_bytes)} RAM",
                "Source": board.source,
            }
            for board, found in fits
        ]
    )


def _arena(needed: Footprint) -> None:
    st.markdown("**What lies in RAM, and when**")
    if needed.arena is None:
        st.info("The file runs in loops or branches, so its tensors cannot be planned from it.")
        return
    draw_chart(
        arena_figure(needed.arena, needed.sequence),
        "deploy-arena",
        f"{len(needed.arena.buffers)} tensors by place and time; at most "
        f"{kib(needed.arena.size_bytes)} at once",
        arena_table(needed.arena, needed.sequence),
    )
    busy = needed.arena.busiest
    where = f"at operator {busy}, {needed.sequence[busy - 1]}" if busy else "at the input"
    st.caption(
        f"The tensor arena: {kib(needed.arena.size_bytes)}, busiest {where} (blue). Planned as "
        "TensorFlow Lite for Microcontrollers plans it. The runtime itself keeps about "
        f"{kib(needed.runtime_ram_bytes)} more."
    )


def _energy(done: list[Variant], needs: dict[str, Footprint], selected: Variant) -> None:
    st.header("Energy of one inference, estimated")
    label = st.segmented_control(
        "Weights are read from",
        list(_PLACES),
        default="On the chip",
        required=True,
        key="deploy_weights",
        help="On the chip: as from 1 MB of SRAM, 100 pJ for 64 bits. DRAM: 1,300 pJ for 64 bits, "
        "the lower end of the source. On-chip flash is not in the source.",
    )
    place = _PLACES[label or "On the chip"]
    counted = [
        (marked_name(variant), energy(work, place))
        for variant in done
        if variant.id in needs and (work := needs[variant.id].work)
    ]
    if not counted:
        st.info("No file tells how often it runs its loops, so nothing can be counted.")
        return
    info = energy_info(counted, marked_name(selected))
    _say(needs[selected.id], place)
    draw_chart(
        energy_figure(info),
        "deploy-energy",
        f"Estimated energy of {len(info.names)} variants, the least first: arithmetic, weights, "
        "activations",
        energy_table(info),
    )
    if info.left_out:
        st.caption(f"The {len(info.names)} with the least; {info.left_out} more are not drawn.")
    if missing := len(needs) - len(counted):
        st.caption(f"{missing} more run in loops, whose turns the file does not tell.")


def _say(needed: Footprint, place: Place) -> None:
    """The selected variant's estimate in a sentence."""
    if needed.work is None:
        return
    found = energy(needed.work, place)
    kinds = ", ".join(f"{format_count(n)} in {kind}" for kind, n in needed.work.macs.items())
    share = 100 * found.memory_uj / found.total_uj if found.total_uj else 0.0
    st.markdown(
        f"About **{format_energy(found.total_uj)}** for the selected variant, {share:.0f} % of it "
        f"for moving data: {kinds or 'no'} multiply-accumulates, "
        f"{kib(needed.work.weight_bytes)} of weights, {kib(needed.work.activation_bytes)} of "
        "activations."
    )


draw()
