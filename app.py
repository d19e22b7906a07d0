"""The frame of the workbench: the server, page configuration, navigation, and the side bar."""

from pathlib import Path

import streamlit as st

from pages.parts import faults, refusals, sign_in, visit
from pages.parts.sidebar import draw_sidebar
from pages.parts.tour import draw_tour
from pages.parts.turns import turn
from serving import door

PAGES = {
    "Start": (
        ("start/studies", "Studies", "folder_open"),
        ("start/new", "New study", "add_circle"),
        ("start/storage", "Storage", "database"),
        ("start/settings", "Settings", "settings"),
    ),
    "Results": (
        ("study/compare", "Compare", "scatter_plot"),
        ("study/explore", "Explore", "travel_explore"),
        ("study/variant", "Variant", "layers"),
        ("study/inspect", "Inspect", "troubleshoot"),
        ("study/deploy", "Deploy", "developer_board"),
        ("study/report", "Report", "summarize"),
    ),
    "Make it smaller": (
        ("study/advisor", "Advisor", "lightbulb"),
        ("study/optimize", "Optimize", "tune"),
        ("study/sensitivity", "Sensitivity", "shield"),
        ("study/search", "Search", "manage_search"),
        ("study/runs", "Runs", "pending_actions"),
    ),
    "Model and data": (
        ("study/model", "Model", "account_tree"),
        ("study/data", "Data", "dataset"),
    ),
    "Understand": (("lessons/learn", "Learn", "school"),),
}
"""Section → file in ``pages/`` without its ending, which is its address, too; title and icon."""


def draw() -> None:
    """Draw the frame and the page that the address asks for, in the session of one browser."""
    st.set_page_config(page_title="Featherweight", page_icon="assets/mark.svg", layout="wide")
    st.logo("assets/wordmark.svg", size="large", icon_image="assets/mark.svg")
    st.html(Path(__file__).parent / "assets" / "page.css")
    if door.is_bypassed():
        st.error("Start the workbench by app.py: streamlit run app.py", title="Not served")
        st.stop()
    if not sign_in.admitted():
        addresses = [Path(file).name for entries in PAGES.values() for file, _, _ in entries]
        st.navigation(sign_in.pages([*addresses, visit.SHARED]), position="hidden").run()
        st.stop()
    if visit.begin():
        with faults.explained(whole_page=True):
            st.navigation(visit.pages(), position="hidden").run()
        st.stop()
    home = st.Page("pages/start/home.py", title="Home", default=True, visibility="hidden")
    sections = {
        section: [
            st.Page(f"pages/{file}.py", title=title, icon=f":material/{icon}:")
            for file, title, icon in entries
        ]
        for section, entries in PAGES.items()
    }
    sections["Start"].insert(0, home)
    page = st.navigation(sections, expanded=True)
    with faults.explained(whole_page=True):
        draw_sidebar()
        draw_tour(page.url_path)
        with refusals.shown():
            page.run()


# Streamlit imports this file once, for the server, and runs it as a script in every session.
if __name__ == "__main__":
    with turn():
        draw()
else:
    door.open_door(__file__)
    app = st.App(__file__, routes=door.routes(), middleware=door.middleware())
