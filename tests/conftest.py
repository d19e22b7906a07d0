"""Shared set-up of all tests."""

from optimizer.tf_environment import configure

configure()
