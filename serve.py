"""Serves the workbench: ``python serve.py [--server.port N …]``, as ``make run`` does.

It is ``streamlit run app.py`` with one thing settled first. While a folder ``pages`` exists,
Streamlit takes a server's first visitor for one of its older, automatic multipage apps until
``app.py`` has run once, and greets a deep link with "Page not found".
"""

import sys
from pathlib import Path

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

if __name__ == "__main__":
    PagesManager.uses_pages_directory = False
    app = Path(__file__).with_name("app.py")
    sys.argv = ["streamlit", "run", str(app), *sys.argv[1:]]
    sys.exit(cli.main())
