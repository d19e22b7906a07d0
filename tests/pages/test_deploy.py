"""The Deploy page says what fits and what an inference would cost."""

from tests.pages.conftest import check


def table(app):
    return next(frame.value for frame in app.dataframe if "RAM needed (KiB)" in frame.value)


def test_every_variant_has_a_row_and_every_board_a_column(workbench):
    app = workbench.open("study/deploy")
    rows = table(app).set_index("Variant")
    assert len(rows) == 16
    assert rows.loc["int8", "Arduino UNO R4 Minima"] == "✓ fits"
    assert rows.loc["float32 baseline", "Arduino UNO R4 Minima"] == "✗ flash, RAM"
    assert rows.loc["float16", "SparkFun Edge"] == "✗ not run"
    assert any("estimated" in item.value for item in app.header)


def test_the_sliders_are_a_board_of_ones_own(workbench):
    app = workbench.open("study/deploy")
    app.slider(key="deploy_flash").set_value(64).run()
    assert (table(check(app))["Your board"].str.startswith("✗")).all()
    app.slider(key="deploy_program_flash").set_value(0).run()
    app.slider(key="deploy_program_ram").set_value(0).run()
    rows = table(check(app)).set_index("Variant")
    assert rows.loc["channels −50% MACs · int8", "Your board"] == "✓ fits"


def test_dram_costs_more_than_memory_on_the_chip(workbench):
    app = workbench.open("study/deploy")

    def said():
        return next(item.value for item in app.markdown if item.value.startswith("About"))

    assert "**0.875 µJ**" in said()
    app.segmented_control(key="deploy_weights").set_value("DRAM beside it").run()
    check(app)
    assert "**9.34 µJ**" in said()


def test_a_refused_file_says_why(workbench):
    study = workbench.study
    variants = workbench.store.list_variants(study.id)
    float16 = next(variant for variant in variants if variant.name == "float16")
    app = workbench.open("study/deploy", study=study.id, variant=float16.id)
    assert any("float16 weights" in item.value for item in app.warning)


def test_an_empty_study_says_what_to_do(empty):
    app = empty.open("study/deploy")
    assert any("no study yet" in item.value for item in app.info)
