"""Configurations of Keras models that name code, files, or sizes and shapes of graphs."""

from tests.hostile import HostileFile
from tests.hostile.forge import bytecode, hdf5, keras


def inputs():
    return {"class_name": "InputLayer", "config": {"batch_shape": [None, 4], "name": "x"}}


def dense(**options):
    return {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"name": "dense", "units": 2, "activation": "linear", **options},
        "registered_name": None,
    }


def model(*layers, **more):
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "m", "layers": [inputs(), *layers], **more},
        "registered_name": None,
    }


def wrapped(wrapper, **inner):
    return {"class_name": wrapper, "config": {"name": "outer", **inner}}


def lambda_layer(marker):
    """A Lambda of Keras 3: its code beside its name."""
    code = {"class_name": "__lambda__", "config": {"code": bytecode(marker), "defaults": None}}
    return {"class_name": "Lambda", "config": {"name": "l", "function": code}}


def old_lambda(marker):
    """A Lambda of Keras 2: marshalled code in a list."""
    options = {"name": "l", "function": [bytecode(marker), None, None], "function_type": "lambda"}
    return {"class_name": "Lambda", "config": {**options, "batch_input_shape": [None, 4]}}


def function(module, name):
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": "function",
    }


def deep(levels):
    text = {}
    for _ in range(levels):
        text = {"a": text}
    return text


def chain(**sources):
    """A functional model in which each layer takes the output of the one that is named."""
    layers = [{"class_name": "InputLayer", "name": "x", "config": {"batch_shape": [None, 4]}}]
    for name, source in sources.items():
        tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [source, 0, 0]}}
        node = {"args": [tensor], "kwargs": {}}
        layers.append({**dense(name=name, units=4), "name": name, "inbound_nodes": [node]})
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [[[*sources][-1], 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}


def files(targets):
    marker, secret = targets.marker, str(targets.secret)

    def refused(name, tries, phrase, config, attack=None):
        return HostileFile(f"{name}.keras", "model", tries, phrase, keras(config), attack or name)

    lambdas = {
        "lambda": model(lambda_layer(marker)),
        "lambda_marshal": model(old_lambda(marker)),
        "lambda_nested_sequential": model(model(lambda_layer(marker))),
        "lambda_time_distributed": model(wrapped("TimeDistributed", layer=lambda_layer(marker))),
        "lambda_bidirectional": model(
            wrapped("Bidirectional", layer=dense(), backward_layer=lambda_layer(marker))
        ),
        "lambda_rnn_cell": model(wrapped("RNN", cell=[dense(), lambda_layer(marker)])),
        "lambda_activation": model(dense(activation=lambda_layer(marker)["config"]["function"])),
        "lambda_call_argument": {
            **chain(a="x"),
            "build_config": {"input_shape": [None, 4], "again": lambda_layer(marker)},
        },
    }
    for name, config in lambdas.items():
        where = name.removeprefix("lambda").strip("_").replace("_", " ") or "Keras 3 layer"
        yield refused(
            name, f"run Python code: {where}", "contains a Lambda layer", config, "lambda"
        )

    command = f"touch {marker}"
    named = {
        "module_os_system": ({**dense(), "module": "os", "class_name": "system"}, "os.system"),
        "module_subprocess": (
            {"module": "subprocess", "class_name": "Popen", "config": {"args": command}},
            "subprocess.Popen",
        ),
        "module_evil_dense": ({**dense(), "module": "evil.package"}, "evil.package.Dense"),
        "module_keras_utils": (
            {
                "module": "keras.src.utils.file_utils",
                "class_name": "get_file",
                "config": {"origin": f"file://{secret}"},
            },
            "'get_file'",
        ),
        "class_custom": ({"class_name": "MyLayer", "config": {}}, "'MyLayer'"),
        "class_registered": ({**dense(), "registered_name": "Evil>Dense"}, "'Evil>Dense'"),
        "class_not_text": ({"class_name": {"a": 1}, "config": {}}, "{'a': 1}"),
        "activation_os_system": (dense(activation=function("os", "system")), "os.function"),
        "activation_eval": (dense(activation=function("builtins", "eval")), "'eval'"),
        "activation_by_name": (dense(activation="os.system"), "the activation 'os.system'"),
        "recurrent_activation": (
            {"class_name": "LSTM", "config": {"recurrent_activation": "exec", "units": 2}},
            "the activation 'exec'",
        ),
        "dtype_policy_custom": (
            dense(dtype={"class_name": "EvilPolicy", "module": "evil", "config": {}}),
            "evil.EvilPolicy",
        ),
        "dtype_by_name": (dense(dtype="object"), "dtype 'object'"),
        "quantized_policy": (
            dense(dtype={"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}}),
            "quantized in Keras already",
        ),
        "option_vocabulary": (dense(vocabulary=secret), "the option 'vocabulary'"),
        "option_file_path": (dense(filepath=secret), "the option 'filepath'"),
        "class_string_lookup": (
            {"class_name": "StringLookup", "config": {"vocabulary": secret}},
            "contains StringLookup",
        ),
        "class_hashing": ({"class_name": "Hashing", "config": {"num_bins": 2**40}}, "Hashing"),
        "old_tensorflow_operation": (
            {"class_name": "TensorFlowOpLayer", "config": {"node_def": "ReadFile"}},
            "TensorFlow 2.0 to 2.3",
        ),
        "torch_module": (
            {"class_name": "TorchModuleWrapper", "config": {"module": bytecode(marker)}},
            "'TorchModuleWrapper'",
        ),
        "number_units": (dense(units=2**40), "the number 1.1e+12"),
        "number_of_400_digits": (dense(units=10**400), "the number 1000000000000"),
        "number_negative": (dense(units=-(2**50)), "the number -1.13e+15"),
        "number_nan": (dense(rate=float("nan")), "the number nan"),
        "depth_bomb": (dense(extra=deep(200)), "nested too deeply"),
        "many_parts": (dense(extra=[*range(500_001)]), "has too many parts"),
    }
    for name, (layer, phrase) in named.items():
        tries = name.replace("_", " ")
        yield refused(name, tries, phrase, model(layer))
    yield refused(
        "depth_of_thousands",
        "overflow the parser's stack",
        "thousands of levels deep",
        "[" * 200_000,
    )
    yield refused(
        "subclassed",
        "load a class of its own",
        "subclassed model",
        {"class_name": "Evil", "config": {}},
    )
    yield refused("circle", "make the loader wait for ever", "in a circle", chain(a="b", b="a"))
    yield refused("own_output", "feed a layer its own output", "circle (a → a)", chain(a="a"))
    yield refused(
        "missing_layer", "take a layer that is not there", "output of 'ghost'", chain(a="ghost")
    )
    twice = chain(a="x")
    twice["config"]["layers"].append(twice["config"]["layers"][1])
    yield refused("layer_twice", "describe one layer twice", "is described twice", twice)
    yield refused("not_json", "confuse the parser", "is not valid JSON", '{"class_name": ')
    yield refused(
        "escapes_in_a_name",
        "move the terminal's cursor, fake a line of output",
        "'\\x1b[2J\\nDone.'",
        model({"class_name": "\x1b[2J\nDone.", "config": {}}),
    )
    yield HostileFile(
        "version_1.keras",
        "model",
        "choose a loader that is not there",
        "version '1.2'",
        keras(model(dense()), metadata={"keras_version": "1.2"}),
        "version_1",
    )
    old = {
        "class_name": "Sequential",
        "config": {
            "layers": [
                {"class_name": "Dense", "config": {"units": 2, "batch_input_shape": [None, 4]}}
            ]
        },
    }
    yield HostileFile(
        "style_of_keras_2.keras",
        "model",
        "be read by the other Keras's rules",
        "of another version: Keras 2",
        keras(old),
        "style_of_keras_2",
    )
    yield HostileFile(
        "operation_makedirs.keras",
        "model",
        "call a TensorFlow function that makes folders",
        "'io.gfile.makedirs'",
        keras(
            {
                "class_name": "Sequential",
                "config": {
                    "layers": [
                        {
                            "class_name": "TFOpLambda",
                            "config": {
                                "function": "io.gfile.makedirs",
                                "batch_input_shape": [None, 4],
                            },
                        }
                    ]
                },
            },
            metadata={"keras_version": "2.15.0"},
        ),
        "operation_makedirs",
    )
    yield from _disarmed(marker)


def _disarmed(marker):
    """Files that are used without what they name: it is for training, and never deserialized."""
    evil = {"module": "os", "class_name": "system", "config": f"touch {marker}"}
    options = {
        "kernel_initializer": evil,
        "bias_initializer": function("os", "system"),
        "kernel_regularizer": evil,
        "activity_regularizer": lambda_layer(marker),
        "kernel_constraint": function("builtins", "exec"),
    }
    training = {
        "optimizer": evil,
        "loss": function("os", "system"),
        "metrics": [evil, lambda_layer(marker)],
    }
    config = {**model(dense(**options)), "compile_config": training}
    yield HostileFile(
        "training_settings.keras",
        "model",
        "name code as initializer, regularizer, constraint, loss, metric and optimizer",
        "",
        keras(config),
        "training_settings",
    )
    old = {
        "class_name": "Dense",
        "config": {"name": "dense", "units": 2, "batch_input_shape": [None, 4], "use_bias": False},
    }
    old["config"] |= options
    yield HostileFile(
        "training_settings.h5",
        "model",
        "name code in an old file's training_config",
        "",
        hdf5(
            {"class_name": "Sequential", "config": {"name": "m", "layers": [old]}},
            attributes={"training_config": str(training)},
        ),
        "training_settings",
    )
