"""The address without a page: goes on to Compare, where the newest study is open."""

import streamlit as st

from pages.parts import context

st.switch_page(context.COMPARE, query_params=dict(st.query_params))
