"""The study's model: what it is, layer by layer, and what can act on it."""

from typing import Any

import pandas as pd
import streamlit as st

from optimizer.format import format_bytes, verification_sentence
from pages.parts import context
from pages.parts.table import show_table
from pages.parts.text import plain

_KINDS = {
    "keras": (
        "A Keras model: it can be pruned, clustered, trained for quantization and quantized "
        "after training, each where the table below says so.",
        False,
    ),
    "saved_model": (
        "A SavedModel without Keras layers: it can be converted and quantized after training. "
        "Nothing in it can be pruned, clustered or trained, since its layers are not in the file; "
        "upload the model as .keras for that.",
        True,
    ),
    "tflite": (
        "A TFLite file: it is measured as it is, as the baseline of this study. It is finished, so "
        "nothing can be pruned, clustered, trained or quantized again; upload the Keras model it "
        "came from for that.",
        True,
    ),
}
"""Kind of model → what is possible with it and why not more, and whether that is a limit."""
_TECHNIQUES = {
    "prune": "Prune",
    "cluster": "Cluster",
    "quantize_aware": "QAT",
    "channels": "Channels",
}


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    model = context.store().get_model(study.model_id)
    st.title("Model")
    facts = model.facts
    if facts is None:
        st.info("The model has not been read yet. Open “New study” to read it.")
        return
    st.markdown(f"**{plain(model.file_name)}** · {facts.get('source_format', 'Keras')}")
    _possible(facts)
    columns = st.columns(4)
    columns[0].metric("Parameters", f"{facts['parameters']:,}", border=True)
    columns[1].metric("Parameters as float32", format_bytes(4 * facts["parameters"]), border=True)
    columns[2].metric("Uploaded file", format_bytes(model.size_bytes), border=True)
    columns[3].metric("Layers", len(facts["layers"]), border=True)
    _ends(facts)
    _verification(facts)
    st.header("Layers, and what can act on them")
    _layer_table(facts["layers"])


def _possible(facts: dict[str, Any]) -> None:
    """What kind of model it is, and what can be done with it."""
    text, is_limited = _KINDS.get(facts.get("kind", "keras"), _KINDS["keras"])
    if facts.get("has_loops"):
        text += " It has a loop, as recurrent layers do: int8 and int16×8 do not cover it."
    (st.warning if is_limited else st.info)(
        text, icon=":material/lock:" if is_limited else ":material/build:"
    )


def _ends(facts: dict[str, Any]) -> None:
    rows = [
        {
            "": kind,
            "Name": end["name"],
            "Shape": " × ".join("batch" if d is None else str(d) for d in end["shape"]),
            "Dtype": end.get("dtype", ""),
        }
        for kind, ends in (("Input", facts["inputs"]), ("Output", facts["outputs"]))
        for end in ends
    ]
    show_table(pd.DataFrame(rows), hide_index=True, alt="Inputs and outputs of the model")


def _verification(facts: dict[str, Any]) -> None:
    found = facts.get("verification")
    if found:
        done = (
            "Converted to float32 TFLite to see that it can be. "
            if facts.get("kind") == "saved_model"
            else "Brought to TensorFlow's Keras 2, as the optimization toolkit needs. "
        )
        st.success(
            done + verification_sentence(found),
            icon=":material/verified:",
        )
    for note in facts.get("notes", []):
        st.caption(f":material/info: {plain(note)}")


def _layer_table(layers: list[dict[str, Any]]) -> None:
    known = {
        name: label
        for name, label in _TECHNIQUES.items()
        if all(name in layer["techniques"] for layer in layers)
    }
    rows = []
    for layer in layers:
        reasons = layer["techniques"]
        rows.append(
            {
                "Layer": layer["name"],
                "Type": layer["type"],
                "Output shape": " × ".join(
                    "batch" if d is None else str(d) for d in layer.get("output_shape", [])
                ),
                "Parameters": layer["parameters"],
                **{label: reasons[name] is None for name, label in known.items()},
                "Why not": " ".join(
                    f"{label}: {reasons[name]}"
                    for name, label in known.items()
                    if reasons[name] is not None and layer["parameters"]
                ),
            }
        )
    show_table(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "Parameters": st.column_config.NumberColumn(format="localized"),
            "Prune": st.column_config.CheckboxColumn(help="Its weights can be set to zero"),
            "Cluster": st.column_config.CheckboxColumn(help="Its weights can share a few values"),
            "QAT": st.column_config.CheckboxColumn(
                help="Quantization-aware training covers it; other layers stay in float there"
            ),
            "Channels": st.column_config.CheckboxColumn(
                help="Its output channels (filters, units) can be removed"
            ),
            "Why not": st.column_config.TextColumn(
                width="large", help="For layers with parameters: why a technique leaves it alone"
            ),
        },
        alt="Layers of the model with shapes, parameters and the techniques that can act on each",
    )
    weighted = [layer for layer in layers if layer["parameters"]]
    prunable = sum(layer["parameters"] for layer in layers if layer["techniques"]["prune"] is None)
    total = sum(layer["parameters"] for layer in weighted) or 1
    if prunable:
        st.caption(
            f"{100 * prunable / total:.1f} % of the parameters are in layers that can be pruned. "
            "Post-training quantization acts on every layer."
        )


draw()
