"""Opens app.py on this page; see pages/parts/entry.py for why this file is here."""

from pages.parts.entry import enter

enter()
