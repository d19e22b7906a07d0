"""How a link to a page works on a server that nobody has opened yet.

Until ``st.navigation`` has been called once in a server, Streamlit takes the files that lie
directly in ``pages/`` for its own automatic pages: it runs the file that the address names and
not ``app.py``, and says "Page not found" when there is none. So each address has a file there,
and all of them run ``app.py``, which draws the page as ever. Later sessions never run them.
"""

from __future__ import annotations

import runpy
from pathlib import Path

_APP = Path(__file__).resolve().parents[2] / "app.py"


def enter() -> None:
    """Run ``app.py``, which finds the page that the address asks for."""
    runpy.run_path(str(_APP), run_name="__main__")
