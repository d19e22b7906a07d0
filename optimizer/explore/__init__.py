"""Choosing among many variants: fronts, budgets, recommendations, knees, and side by side."""
