"""``python -m optimizer.data.peek FOLDER``: a table on standard input → its columns as JSON.

Its own process, confined as stages are, because the parsers of tables are native code and tables
come from strangers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from optimizer.confinement import Limits, confine
from optimizer.data.tables import columns_json, describe_columns, propose_labels, read_table
from optimizer.errors import InputError

LIMITS = Limits(memory_bytes=7 * 2**30, processor_seconds=60, file_bytes=0, open_files=64)


def main() -> int:
    """Print ``{"columns", "labels", "rows"}``, or ``{"error"}``. Exit code 0."""
    confine(LIMITS, Path(sys.argv[1]))
    try:
        frame = read_table(sys.stdin.buffer.read())
        columns = describe_columns(frame)
        found = {
            "columns": columns_json(columns),
            "labels": propose_labels(columns),
            "rows": len(frame),
        }
    except InputError as error:
        found = {"error": str(error)}
    except MemoryError:
        found = {"error": "The table needs too much memory. Use fewer rows or columns."}
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
