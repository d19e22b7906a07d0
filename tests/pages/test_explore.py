"""The Explore page: budgets move the recommendation, and links reopen what is seen."""

import pytest

from benchmarks.crowd import crowd
from optimizer.recipe import Recipe
from tests.pages.conftest import check
from tests.pages.test_pages import button, charts, texts

PAGE = "study/explore"


def query(app):
    """The address's parameters as a link has them."""
    found = {name: v if isinstance(v, str) else v[-1] for name, v in app.query_params.items()}
    return {name: text for name, text in found.items() if name != "study"}


def table(app):
    return app.dataframe[0].value


@pytest.fixture
def explored(workbench):
    """Opens the page on the sample study, with an address."""

    study_id = workbench.study.id

    def opened(**address):
        return workbench.open(PAGE, study=study_id, **address)

    opened.ids = {v.name: v.id for v in workbench.store.list_variants(study_id)}
    return opened


def test_a_tighter_budget_moves_the_recommendation(explored):
    app = explored()
    before = texts(app)
    assert "smallest download within the budgets" in before
    first = table(app)["Variant"][0]
    check(app.select_slider(key="explore_budget_metric").set_value(0.5).run())
    second = table(app)["Variant"][0]
    assert (first, second) == (
        "prune 80% · cluster 8 · int8 QAT",
        "prune 50% · cluster 16 · int8 QAT",
    )
    assert "gzip size 28.9 kB" in texts(app)
    assert query(app) == {"budget_metric": "0.5"}


def test_the_goal_moves_the_recommendation(explored):
    app = explored()
    check(app.selectbox(key="explore_goal").set_value("best").run())
    assert "best accuracy within the budgets" in texts(app)
    assert table(app)["Variant"][0] == "int8 QAT"
    assert query(app) == {"goal": "best"}


def test_impossible_budgets_say_what_is_nearest(explored):
    app = explored(budget_metric="0", budget_gzip="15")
    assert "No variant is within all budgets" in texts(app)
    assert "misses its budget by" in texts(app)
    assert not app.success


def everything(app):
    """What the page shows: charts, tables, words."""
    return (
        charts(app),
        [frame.value.to_dict("list") for frame in app.dataframe],
        texts(app),
        query(app),
    )


def test_a_link_reopens_the_view(explored):
    app = explored()
    chosen = [explored.ids["float16"], explored.ids["int8 QAT"]]
    app.selectbox(key="explore_x").set_value("size")
    app.selectbox(key="explore_color").set_value("latency")
    check(app.multiselect(key="explore_more").set_value(["macs"]).run())
    app.select_slider(key="explore_budget_metric").set_value(0.3)
    app.multiselect(key="explore_pruning").set_value(["none", "unstructured"])
    app.toggle(key="explore_within").set_value(True)
    app.multiselect(key="explore_chosen").set_value(chosen)
    check(app.selectbox(key="explore_goal").set_value("fastest").run())
    address = query(app)
    assert address == {
        "x": "size",
        "color": "latency",
        "more": "macs",
        "goal": "fastest",
        "budget_metric": "0.3",
        "pruning": "none,unstructured",
        "within": "yes",
        "compare": ",".join(chosen),
    }
    again = explored(**address)
    assert everything(again) == everything(app)
    assert not again.warning
    (link,) = [code.value for code in again.code]
    assert "budget_metric=0.3" in link
    assert "study=" in link


def test_a_mangled_link_is_followed_as_far_as_it_goes(explored):
    app = explored(
        x="beauty",
        y="metric",
        budget_metric="-3",
        budget_ratio="fast",
        compare=f"deleted,{explored.ids['int8']}",
        state="asleep",
    )
    (warning,) = [item.value for item in app.warning]
    for words in ("beauty", "outside the slider", "not a number", "not in this study", "asleep"):
        assert words in warning
    assert app.selectbox(key="explore_x").value == "gzip"
    assert app.select_slider(key="explore_budget_metric").value == 0
    assert app.multiselect(key="explore_chosen").value == [explored.ids["int8"]]
    assert query(app) == {"budget_metric": "0", "compare": explored.ids["int8"]}
    check(app.selectbox(key="explore_goal").set_value("fastest").run())
    assert not app.warning, "said until something is chosen"


def test_a_measure_is_on_one_axis_only(explored):
    app = explored()
    check(app.selectbox(key="explore_x").set_value("metric").run())
    assert (app.selectbox(key="explore_x").value, app.selectbox(key="explore_y").value) == (
        "metric",
        "gzip",
    )
    check(app.selectbox(key="explore_y").set_value("ratio").run())
    assert app.multiselect(key="explore_more").value == []
    assert query(app) == {"x": "metric", "y": "ratio", "more": "none"}


def test_choices_are_kept_while_another_page_is_open(explored):
    app = explored()
    check(app.select_slider(key="explore_budget_metric").set_value(0.5).run())
    app.query_params.clear()
    check(app.switch_page("pages/study/model.py").run())
    check(app.switch_page("pages/study/explore.py").run())
    assert app.select_slider(key="explore_budget_metric").value == 0.5
    assert query(app) == {"budget_metric": "0.5"}


def test_another_address_in_the_same_session_is_followed(explored):
    """As after the browser's Back button."""
    app = explored(budget_metric="0.5")
    app.query_params["budget_metric"] = "0.2"
    check(app.run())
    assert app.select_slider(key="explore_budget_metric").value == 0.2


def test_chosen_variants_are_in_chart_table_and_columns(explored):
    names = ["float32 baseline", "int8", "prune 80%"]
    app = explored(compare=",".join(explored.ids[name] for name in names))
    rings = next(trace for trace in charts(app)[0]["data"] if trace.get("name") == "Chosen")
    assert set(rings["customdata"]) == {explored.ids[name] for name in names}
    measures, differences = (frame.value for frame in app.dataframe[1:])
    assert list(measures.columns) == ["Measure", *names]
    assert measures.astype(str).apply(lambda column: column.str.contains("★ best")).any().any()
    assert differences.set_index("Field").loc["quantize.mode"].tolist() == ["none", "int8", "none"]


def test_a_button_compares_what_is_worth_comparing(explored):
    app = explored()
    label = "Compare the baseline, the recommended one and the knee"
    check(button(app, label).click().run())
    names = ["float32 baseline", "prune 80% · cluster 8 · int8 QAT"]
    assert list(app.dataframe[1].value.columns)[:3] == ["Measure", *names]
    assert all(item.label != label for item in app.button)


def test_filters_leave_out_of_charts_and_table(explored):
    app = explored()
    before = len(table(app))
    check(app.multiselect(key="explore_quantization").set_value(["int8_qat"]).run())
    assert 0 < len(table(app)) < before
    shown = {i for trace in charts(app)[0]["data"] for i in trace.get("customdata") or []}
    assert len(shown) == len(table(app))
    check(app.toggle(key="explore_within").set_value(True).run())
    assert set(table(app)["Budgets"]) == {"within"}


def test_variants_under_way_are_not_measured_yet(workbench, explored):
    """As while a sweep is made: some without latency, some without anything."""
    store, study = workbench.store, workbench.study
    variants = store.list_variants(study.id)
    results = {**variants[1].results, "latency_ms": None}
    store.update_variant(variants[1].id, results=results, state="running")
    store.add_variant(study.id, Recipe.parse({"prune": {}, "seed": 9}))
    app = explored(x="latency", budget_ratio="5")
    assert "not measured yet" in texts(app)
    rows = table(app).set_index("Variant")
    assert rows.loc["float16"]["Budgets"] == "Latency ratio not measured yet"
    assert rows.loc["float16"]["State"] == "running"
    assert rows.iloc[-1]["State"] == "queued"


def test_a_study_with_one_variant_and_equal_values(workbench):
    store, sample = workbench.store, workbench.study
    study = store.create_study("One", sample.model_id, sample.dataset_id, "multiclass")
    base = store.add_variant(study.id, Recipe())
    results = store.baseline(sample.id).results
    store.update_variant(base.id, state="done", results=results)
    app = workbench.open(PAGE, study=study.id)
    assert "The baseline itself" in texts(app)
    assert "no knee" in texts(app)
    check(app.select_slider(key="explore_budget_metric").set_value(0).run())
    assert "The baseline itself" in texts(app)
    store.update_variant(base.id, results={"size_bytes": 1000})
    assert "a trade-off needs two" in texts(workbench.open(PAGE, study=study.id))
    store.update_variant(base.id, results=None, state="queued")
    assert "Nothing has been measured" in texts(workbench.open(PAGE, study=study.id))


def test_a_deleted_variant_leaves_the_view(workbench, explored):
    app = explored(compare=explored.ids["int8"])
    workbench.store.delete_variant(explored.ids["int8"])
    check(app.run())
    assert app.multiselect(key="explore_chosen").value == []


def test_another_study_has_a_view_of_its_own(workbench, explored):
    store, sample = workbench.store, workbench.study
    other = store.create_study("Other", sample.model_id, sample.dataset_id, "multiclass")
    base = store.add_variant(other.id, Recipe())
    store.update_variant(base.id, state="done", results=store.baseline(sample.id).results)
    app = explored(budget_metric="0.5")
    check(app.selectbox(key="study_picker").set_value(other.id).run())
    assert query(app) == {}
    check(app.selectbox(key="study_picker").set_value(sample.id).run())
    assert query(app) == {"budget_metric": "0.5"}


def test_hundreds_of_variants_are_all_in_chart_and_table(workbench, explored):
    crowd(workbench.store, workbench.study, 400)
    app = explored(compare=explored.ids["int8"])
    assert len(workbench.store.list_variants(workbench.study.id)) == 400
    assert len(table(app)) == 400
    chart, overview = charts(app)
    shown = {i for trace in chart["data"] for i in trace.get("customdata") or []}
    assert len(shown) == 400
    assert "scattergl" in {trace["type"] for trace in chart["data"]}
    assert overview["data"][0]["type"] == "parcoords"


def test_a_choice_counts_more_than_the_address_of_before(explored):
    """A quick hand's next choice arrives with the address of before the last one."""
    app = explored(budget_metric="0.5")
    check(app.select_slider(key="explore_budget_metric").set_value(0.4).run())
    app.query_params["budget_metric"] = "0.5"
    check(app.select_slider(key="explore_budget_metric").set_value(0.3).run())
    assert query(app) == {"budget_metric": "0.3"}
