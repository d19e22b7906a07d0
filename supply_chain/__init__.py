"""What Featherweight is made of: known vulnerabilities in it, and a list of it.

Run by ``make audit`` and ``make sbom`` in the tools' own environment; imports no part of the
product.
"""
