"""The frame of the workbench: page configuration, navigation, and the side bar."""

from pathlib import Path

import streamlit as st

from pages.parts import visit
from pages.parts.sidebar import draw_sidebar

st.set_page_config(page_title="Featherweight", page_icon="assets/mark.svg", layout="wide")
st.logo("assets/wordmark.svg", size="large", icon_image="assets/mark.svg")
st.html(Path(__file__).parent / "assets" / "page.css")

if visit.begin():
    st.navigation(visit.pages(), position="hidden").run()
    st.stop()

page = st.navigation(
    {
        "Start": [
            st.Page(
                "pages/start/home.py",
                title="Home",
                default=True,
                visibility="hidden",
            ),
            st.Page(
                "pages/start/studies.py",
                title="Studies",
                icon=":material/folder_open:",
                url_path="studies",
            ),
            st.Page(
                "pages/start/new_study.py",
                title="New study",
                icon=":material/add_circle:",
                url_path="new",
            ),
            st.Page(
                "pages/start/settings.py",
                title="Settings",
                icon=":material/settings:",
                url_path="settings",
            ),
        ],
        "Study": [
            st.Page(
                "pages/study/compare.py",
                title="Compare",
                icon=":material/scatter_plot:",
                url_path="compare",
            ),
            st.Page(
                "pages/study/explore.py",
                title="Explore",
                icon=":material/travel_explore:",
                url_path="explore",
            ),
            st.Page(
                "pages/study/optimize.py",
                title="Optimize",
                icon=":material/tune:",
                url_path="optimize",
            ),
            st.Page(
                "pages/study/search.py",
                title="Search",
                icon=":material/manage_search:",
                url_path="search",
            ),
            st.Page(
                "pages/study/variant.py",
                title="Variant",
                icon=":material/layers:",
                url_path="variant",
            ),
            st.Page(
                "pages/study/deploy.py",
                title="Deploy",
                icon=":material/developer_board:",
                url_path="deploy",
            ),
            st.Page(
                "pages/study/model.py",
                title="Model",
                icon=":material/account_tree:",
                url_path="model",
            ),
            st.Page(
                "pages/study/data.py",
                title="Data",
                icon=":material/dataset:",
                url_path="data",
            ),
            st.Page(
                "pages/study/report.py",
                title="Report",
                icon=":material/summarize:",
                url_path="report",
            ),
            st.Page(
                "pages/study/runs.py",
                title="Runs",
                icon=":material/pending_actions:",
                url_path="runs",
            ),
        ],
    },
    expanded=True,
)
draw_sidebar()
page.run()
