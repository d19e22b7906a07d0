"""``python -m optimizer.data.peek``: a table on standard input → its columns as JSON.

Its own process, with limits, because the parsers of tables are native code and tables come
from strangers.
"""

from __future__ import annotations

import json
import resource
import sys

from optimizer.errors import InputError

MEMORY_BYTES = 8 * 2**30
CPU_SECONDS = 60


def main() -> int:
    """Print ``{"columns", "labels", "rows"}``, or ``{"error"}``. Exit code 0."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    from optimizer.data.tables import columns_json, describe_columns, propose_labels, read_table

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
