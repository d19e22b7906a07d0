"""What a person takes away from a variant and from a study."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from optimizer.export import file_stem, results_csv, study_results
from optimizer.store.records import Study, Variant
from optimizer.takeaway.bundle import bundle
from optimizer.takeaway.collect import takeaway
from pages.parts.context import later, store


def layers_of(variant: Variant) -> list[dict[str, Any]]:
    """The layer table of a finished variant, as read out of its ``.tflite``."""
    return json.loads(store().artifacts.read(variant.stages["convert"], "layers.json"))["layers"]


def variant_downloads(variant: Variant, key: str) -> None:
    """Buttons for the file, its recipe, and a zip of all there is."""
    stem = file_stem(variant)
    with st.container(horizontal=True):
        st.download_button(
            "Download .tflite",
            data=later(lambda: store().artifacts.read(variant.stages["convert"], "model.tflite")),
            file_name=f"{stem}.tflite",
            mime="application/octet-stream",
            type="primary",
            icon=":material/download:",
            key=f"{key}-tflite",
            on_click="ignore",
            help="The very file that was measured.",
        )
        st.download_button(
            "Recipe JSON",
            variant.recipe.canonical_json(indent=2) + "\n",
            file_name=f"{stem}.recipe.json",
            mime="application/json",
            icon=":material/receipt_long:",
            key=f"{key}-recipe",
            on_click="ignore",
            help="Makes this variant again, here or on the command line.",
        )
        st.download_button(
            "Everything as zip",
            data=later(lambda: bundle(takeaway(store(), variant))),
            file_name=f"{stem}.zip",
            mime="application/zip",
            icon=":material/folder_zip:",
            key=f"{key}-bundle",
            on_click="ignore",
            help="The file, its recipe, a plain Python script, a C array for microcontrollers, "
            "commands for a phone, and a README with the measured figures.",
        )


def study_downloads(study: Study, variants: list[Variant]) -> None:
    """Buttons for all results."""
    with st.container(horizontal=True):
        st.download_button(
            "Results CSV",
            data=lambda: results_csv(variants),
            file_name=f"{study.name}.csv",
            mime="text/csv",
            icon=":material/table:",
            on_click="ignore",
            help="One line per variant, for a spreadsheet.",
        )
        st.download_button(
            "Results JSON",
            data=later(lambda: _results_json(study, variants)),
            file_name=f"{study.name}.results.json",
            mime="application/json",
            icon=":material/data_object:",
            on_click="ignore",
            help="Everything measured, layer by layer, with the environment.",
        )


def _results_json(study: Study, variants: list[Variant]) -> str:
    results = study_results(
        study,
        store().get_model(study.model_id),
        store().get_dataset(study.dataset_id),
        variants,
        study.environment,
        layers_of,
    )
    return json.dumps(results, indent=2)
