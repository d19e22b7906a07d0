"""TEMP"""

import json
import tempfile
from pathlib import Path

from optimizer.models.inspect import inspect_upload


def import_model(params, inputs, progress):
    import keras
    import tf_keras

    from optimizer.models.bridge import to_flat
    from optimizer.models.facts import model_facts
    from optimizer.models.flat import load_flat, save_flat
    from optimizer.models.verify import verify

    data = inputs["file"]["data"]
    file = inspect_upload(data, params["file_name"])
    p = Path(tempfile.mkdtemp()) / ("m.h5" if "h5" in file.format else "m.keras")
    p.write_bytes(data)
    source = (tf_keras if "h5" in file.format else keras).models.load_model(p, compile=False)
    flat = to_flat(source)
    saved = save_flat(flat.model)
    model = load_flat(saved)
    return {
        "model.keras": saved,
        "facts.json": json.dumps(
            model_facts(file, model, verify(source, flat, model), flat.notes)
        ).encode(),
    }
