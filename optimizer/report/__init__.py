"""The stakeholder report: one HTML file that opens offline, for people who never saw the app."""
