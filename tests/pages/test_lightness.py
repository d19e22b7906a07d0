"""The app's process never imports TensorFlow, whatever page is open."""

import os
import subprocess
import sys

from tests.pages.conftest import ROOT, STUDY_PAGES

CODE = """
import sys
from streamlit.testing.v1 import AppTest
for page in sys.argv[1:]:
    app = AppTest.from_file("app.py", default_timeout=60).run()
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception, app.exception
loaded = {"tensorflow", "tf_keras", "keras", "tensorflow_model_optimization"} & set(sys.modules)
assert not loaded, loaded
"""


def test_no_page_imports_tensorflow(workbench):
    pages = [
        "start/studies",
        "start/new_study",
        "lessons/learn",
        *(f"study/{page}" for page in STUDY_PAGES),
    ]
    subprocess.run([sys.executable, "-c", CODE, *pages], cwd=ROOT, env=dict(os.environ), check=True)
