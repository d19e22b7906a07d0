"""From an upload to a study: how the data are read, and what the study is for."""

import json

import numpy as np
import pandas as pd
import pytest

from optimizer.data.options import DataOptions
from optimizer.data.stage import prepare_data
from optimizer.stage import ignore_progress
from tests.data.conftest import npz, zipped
from tests.data.test_images import image
from tests.pages.conftest import check
from tests.pages.test_pages import button, texts


def upload_data(app, name, data):
    check(app.segmented_control(key="data_source").set_value("Upload").run())
    return check(app.file_uploader(key="data_upload").set_value((name, data, "x/y")).run())


def widget(app, kind, label):
    return next(item for item in getattr(app, kind) if item.label == label)


def queued(store):
    return {run.kind: run for run in store.list_runs()}


def finish_model(store, **changes):
    """The engine's part: the sample model's facts, as if it had just been read."""
    run = queued(store)["import_model"]
    facts = {
        "parameters": 10,
        "inputs": [{"name": "x", "shape": [None, 4, 4, 1], "dtype": "float32"}],
        "outputs": [{"name": "y", "shape": [None, 2], "dtype": "float32", "activation": "softmax"}],
        "layers": [],
        "notes": [],
        "verification": None,
        **changes,
    }
    store.set_model_facts(run.model_id, facts, "a" * 64)
    store.update_run(run.id, state="done")


def finish_data(store):
    """The engine's part: really read the data, here in this process."""
    run = queued(store)["prepare_data"]
    data = store.get_dataset(run.dataset_id)
    params = {"file_name": data.file_name, "test_share": data.test_share}
    params |= {"split_seed": data.split_seed, "options": data.options}
    inputs = {"file": {"data": store.read_file(data.sha256)}}
    files = prepare_data(params, inputs, ignore_progress)
    store.set_dataset_facts(data.id, json.loads(files["facts.json"]), "b" * 64)
    store.update_run(run.id, state="done")


def table(rows=40):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((rows, 16)), columns=[f"p{i}" for i in range(16)])
    frame["id"], frame["kind"] = range(rows), rng.choice(["a", "b"], rows)
    return frame.to_csv(index=False).encode()


def test_a_table_is_read_as_chosen_in_the_shape_of_the_model(empty):
    store = empty.store
    app = upload_data(empty.open("start/new"), "rows.csv", table())
    assert "A table of 40 rows and 18 columns" in texts(app)
    labels = widget(app, "multiselect", "Label columns")
    assert labels.value == ["kind"]
    check(widget(app, "multiselect", "Columns to leave out").set_value(["id"]).run())
    check(widget(app, "selectbox", "Scaling").set_value("standardize").run())
    check(button(app, "Read and check").click().run())
    assert set(queued(store)) == {"import_model"}, "the data wait for the model's shape"

    finish_model(store)
    check(app.run())
    (dataset,) = store.list_datasets()
    options = DataOptions.parse(dataset.options)
    assert (options.labels, options.left_out) == (("kind",), ("id",))
    assert (options.scaling, options.sample_shape) == ("standardize", (4, 4, 1))

    finish_data(store)
    check(app.run())
    assert "The data fit the model." in texts(app)
    button(app, "Create study and measure the baseline").click().run()
    (study,) = store.list_studies()
    assert (study.task, study.objective) == ("multiclass", {})


def test_images_say_their_classes_and_take_the_models_size(empty):
    store = empty.store
    images = {f"{name}/{i}.png": image(40 * i) for name in ("cat", "dog") for i in range(5)}
    app = upload_data(empty.open("start/new"), "pets.zip", zipped(images))
    assert r"10 images in 2 classes\: cat \(5\), dog \(5\)" in texts(app)
    check(button(app, "Read and check").click().run())
    finish_model(store)
    check(app.run())
    finish_data(store)
    assert store.list_datasets()[0].facts["x_shape"] == [4, 4, 1]


def test_a_loss_and_a_metric_can_be_chosen(empty):
    store = empty.store
    arrays = {"x": np.random.default_rng(0).random((400, 4, 4, 1)), "y": np.arange(400) % 2}
    app = upload_data(empty.open("start/new"), "d.npz", npz(**arrays))
    check(button(app, "Read and check").click().run())
    finish_model(store)
    finish_data(store)
    check(app.run())
    check(widget(app, "selectbox", "Loss").set_value("categorical_focal_crossentropy").run())
    check(widget(app, "selectbox", "Metric to compare by").set_value("f1_macro").run())
    button(app, "Create study and measure the baseline").click().run()
    (study,) = store.list_studies()
    assert study.objective == {"loss": "categorical_focal_crossentropy", "metric": "f1_macro"}


def test_each_output_has_its_task(empty):
    store = empty.store
    arrays = {
        "x": np.random.default_rng(0).random((400, 4, 4, 1)),
        "y_kind": np.arange(400) % 2,
        "y_price": np.linspace(0, 1, 400),
    }
    app = upload_data(empty.open("start/new"), "d.npz", npz(**arrays))
    check(button(app, "Read and check").click().run())
    ends = [("kind", 2, "softmax"), ("price", 1, None)]
    finish_model(
        store,
        outputs=[
            {"name": name, "shape": [None, n], "dtype": "float32", "activation": activation}
            for name, n, activation in ends
        ],
    )
    finish_data(store)
    check(app.run())
    assert widget(app, "selectbox", "Task of price").value == "regression"
    button(app, "Create study and measure the baseline").click().run()
    assert store.list_studies()[0].task == "multiclass+regression"


@pytest.mark.parametrize("scaling", ["none", "unit"])
def test_the_data_page_states_the_scaling(workbench, scaling):
    store, study = workbench.store, workbench.study
    data = store.get_dataset(study.dataset_id)
    facts = {**data.facts, "scaling": {"kind": scaling, "inputs": {}}}
    store.set_dataset_facts(data.id, facts, data.facts_key)
    app = workbench.open("study/data", study=study.id)
    assert ("applied once" in texts(app)) == (scaling != "none")
