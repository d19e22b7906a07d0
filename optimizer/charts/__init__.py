"""Plotly figures as pure functions of plain data.

Each chart has an ``…_info`` function, which computes what is to be shown as a frozen value and
is what tests compare, and an ``…_figure`` function, which only draws it.
"""
