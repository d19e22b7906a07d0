"""What the variant page offers to take away."""

import pytest

from optimizer.recipe import Recipe


def page_of(workbench, name):
    variants = workbench.store.list_variants(workbench.study.id)
    variant = next(variant for variant in variants if variant.name == name)
    return workbench.open("study/variant", study=workbench.study.id, variant=variant.id)


def buttons(app):
    return {item.proto.label: item.proto for item in app.get("download_button")}


@pytest.mark.parametrize(("name", "gpu"), [("float16", True), ("int8", False)])
def test_phone_commands_are_shown_for_the_chosen_file(workbench, name, gpu):
    commands = [item.value for item in page_of(workbench, name).code if "adb" in item.value]
    assert any("--num_threads=4" in command for command in commands)
    assert any("--use_gpu=true" in command for command in commands) == gpu


def test_what_a_microcontroller_lacks_is_said(workbench):
    app = page_of(workbench, "dynamic range")
    assert any("dynamic range" in item.value for item in app.warning)


def test_the_script_is_offered_and_its_inputs_wait_for_a_run(workbench):
    offered = buttons(page_of(workbench, "prune 50%"))
    assert not offered["Script"].disabled
    assert not offered["Everything as zip"].disabled
    assert offered["model.keras"].disabled  # the bundled study came without it
    assert offered["data.npz"].disabled


def test_why_there_is_no_script_is_said(workbench):
    store, study = workbench.store, workbench.study
    done = next(v for v in store.list_variants(study.id) if v.name == "prune 50%")
    model = store.get_model(study.model_id)
    layers = [*model.facts["layers"], {"name": "op", "type": "TensorOperation", "parameters": 0}]
    store.set_model_facts(model.id, {**model.facts, "layers": layers}, model.facts_key)
    app = workbench.open("study/variant", study=study.id, variant=done.id)
    assert any("Keras 3" in item.value for item in app.info)
    assert "Script" not in buttons(app)


def test_a_script_without_channels_starts_from_the_narrowed_model(workbench):
    store, study = workbench.store, workbench.study
    done = next(v for v in store.list_variants(study.id) if v.name == "prune 50%")
    recipe = Recipe.parse({"prune": {"structure": {"kind": "channels"}}})
    made = store.add_variant(study.id, recipe)
    store.artifacts.write("ab" * 32, {"model.keras": b"narrowed"})
    stages = {**done.stages, "prune": "ab" * 32}
    store.update_variant(made.id, state="done", results=done.results, stages=stages)
    app = workbench.open("study/variant", study=study.id, variant=made.id)
    assert not buttons(app)["narrowed.keras"].disabled
