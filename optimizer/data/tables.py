"""Tables that strangers made: CSV and Parquet files as named columns of known kinds.

The parsers are native code, so that they run in stage processes and in
:mod:`optimizer.data.peek`'s own process, never in the app's.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from optimizer.data.raw import PARQUET_MAGIC
from optimizer.errors import InputError

MAX_COLUMNS = 10_000
MAX_CELLS = 2**28
MAX_ROW_GROUPS = 10_000
MAX_TABLE_BYTES = 2 * 2**30
ROWS_AT_ONCE = 8_192
MAX_CATEGORIES = 50
"""Distinct texts up to which a column is a category; one with more is a name or a remark."""

Kind = Literal["number", "truth", "category", "sequence", "text", "other"]
_LABEL_NAMES = ("label", "labels", "target", "y", "class", "classes", "category", "outcome")
_SEQUENCE = re.compile(r"\s*[\[(]?\s*\d+(?:[\s,]+\d+)+\s*[\])]?\s*")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_DELIMITERS = ",;\t|"
_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        kind: ``number`` (integers and reals), ``truth`` (true or false), ``category`` (at most
            50 texts), ``sequence`` (whole numbers, several in each row), ``text``, ``other``
            (dates and what else cannot be a feature).
        distinct: number of different values; 0 where it was not counted.
        missing: rows without a value.
        example: a value, shortened.
    """

    name: str
    kind: Kind
    distinct: int
    missing: int
    example: str


def read_table(data: bytes) -> pd.DataFrame:
    """A table's rows.

    Args:
        data: a Parquet or a CSV file: UTF-8 or Latin-1, with a header or without one,
            separated by comma, semicolon, tab or bar.

    Raises:
        InputError: it is neither, is damaged, empty, or too large.
    """
    frame = _parquet(data) if data.startswith(PARQUET_MAGIC) else _csv(data)
    frame.columns = [str(name) for name in frame.columns]
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"The table has two columns named {twice!r}. Name them differently.")
    if frame.empty:
        raise InputError("The table has no rows of data.")
    if frame.shape[1] > MAX_COLUMNS or frame.size > MAX_CELLS:
        raise InputError(
            f"The table has {frame.shape[0]:,} rows and {frame.shape[1]:,} columns; at most "
            f"{MAX_COLUMNS:,} columns and {MAX_CELLS:,} cells are accepted. Save fewer."
        )
    return frame


def describe_columns(frame: pd.DataFrame) -> list[Column]:
    """What each column is, from all of its values."""
    return [_column(str(name), frame[name]) for name in frame.columns]


def propose_labels(columns: Sequence[Column]) -> list[str]:
    """The column that is most likely the label: by its name, else the only one with classes.

    Else the last of several.
    """
    for name in _LABEL_NAMES:
        for column in columns:
            if column.name.strip().lower() == name:
                return [column.name]
    usable = [column for column in columns if column.kind not in ("other", "sequence", "text")]
    classes = [column for column in usable if column.kind in ("category", "truth")]
    if len(classes) == 1:
        return [classes[0].name]
    return [usable[-1].name] if len(columns) > 1 and usable else []


def columns_json(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The columns as JSON-able values."""
    return [asdict(column) for column in columns]


def _parquet(data: bytes) -> pd.DataFrame:
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(io.BytesIO(data))
        _check_row_groups(file.metadata)
        rows, columns = file.metadata.num_rows, file.metadata.num_columns
        if rows * max(1, columns) > MAX_CELLS or columns > MAX_COLUMNS:
            raise InputError(
                f"The table declares {rows:,} rows and {columns:,} columns; at most "
                f"{MAX_COLUMNS:,} columns and {MAX_CELLS:,} cells are accepted. Save fewer."
            )
        _refuse_nested(file.schema_arrow)
        return _read_rows(data, file.schema_arrow).to_pandas(ignore_metadata=True)
    except InputError:
        raise
    except Exception as error:
        reason = (
            str(error).splitlines()[0][:200].rstrip(".") if str(error) else type(error).__name__
        )
        raise InputError(
            f"This Parquet file cannot be read: {reason}. Save or upload it again."
        ) from None


def _check_row_groups(metadata: Any) -> None:
    groups, rows = metadata.num_row_groups, metadata.num_rows
    if groups > MAX_ROW_GROUPS:
        raise InputError(
            f"The table is stored in {groups:,} row groups; at most {MAX_ROW_GROUPS:,} are "
            "accepted. Save it again with larger ones."
        )
    counted = sum(metadata.row_group(i).num_rows for i in range(groups))
    if rows < 0 or counted != rows:
        raise InputError(
            f"The table declares {rows:,} rows, and its row groups {counted:,}. Save it again."
        )


def _refuse_nested(schema: Any) -> None:
    """Refuse columns of anything but values and plain lists of numbers."""
    from pyarrow import types

    for field in schema:
        inner = field.type
        if types.is_list(inner) or types.is_large_list(inner) or types.is_fixed_size_list(inner):
            inner = inner.value_type if types.is_primitive(inner.value_type) else field.type
        if types.is_nested(inner):
            raise InputError(
                f"The column {field.name[:80]!r} of the table is nested ({str(field.type)[:80]}); "
                "columns hold values, or lists of numbers. Save it as several columns."
            )


def _read_rows(data: bytes, schema: Any) -> Any:
    """All rows, in pieces, so that a long text which a dictionary repeats is noticed in time."""
    import pyarrow as pa
    from pyarrow import parquet

    of_any_length = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_dictionary,
    )
    texts = [field.name for field in schema if any(test(field.type) for test in of_any_length)]
    file = parquet.ParquetFile(io.BytesIO(data), read_dictionary=texts)
    batches, total = [], 0
    for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
        total += sum(map(_unpacked_bytes, batch.columns))
        if total > MAX_TABLE_BYTES:
            raise InputError(
                f"The table unpacks to more than {MAX_TABLE_BYTES // 2**30} GiB. Save fewer rows, "
                "or shorter texts."
            )
        batches.append(batch)
    return pa.Table.from_batches(batches, batches[0].schema if batches else schema).cast(schema)


def _unpacked_bytes(column: Any) -> int:
    """Bytes of a column once each value has its own copy of a text in a dictionary."""
    import pyarrow as pa
    from pyarrow import compute

    if not isinstance(column, pa.DictionaryArray):
        return int(column.nbytes)
    if pa.types.is_primitive(column.dictionary.type):
        return len(column) * 8
    lengths = compute.take(compute.binary_length(column.dictionary), column.indices)
    return int(compute.sum(lengths).as_py() or 0)


def _csv(data: bytes) -> pd.DataFrame:
    encoding = _encoding(data)
    head = data[:_HEAD_BYTES].decode(encoding, errors="ignore").lstrip("\ufeff")
    lines = [line for line in head.splitlines() if line.strip()]
    if not lines:
        raise InputError("The file is empty.")
    delimiter = _delimiter(lines)
    first = next(csv.reader(lines[:1], delimiter=delimiter))
    commas = delimiter != "," and any(_DECIMAL_COMMA.fullmatch(c) for c in _cells(lines, delimiter))
    try:
        return pd.read_csv(
            io.BytesIO(data),
            sep=delimiter,
            encoding=encoding,
            header=None if all(map(_is_number, first)) else 0,
            decimal="," if commas else ".",
            skipinitialspace=True,
            low_memory=False,
        )
    except (ValueError, UnicodeDecodeError, csv.Error, pd.errors.ParserError) as error:
        reason = str(error).splitlines()[0][:200].rstrip(".")
        raise InputError(
            f"This table cannot be read: {reason}. Save it as CSV in UTF-8, with the same number "
            "of values in every row."
        ) from None


def _encoding(data: bytes) -> str:
    if b"\0" in data[:_HEAD_BYTES]:
        raise InputError(
            f"This is not a data file that can be read: it begins with {data[:8]!r}. Upload an "
            ".npz, a .csv, a .parquet, or a .zip with one folder of images per class."
        )
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


def _delimiter(lines: list[str]) -> str:
    """The delimiter that divides the first lines into equally many cells, the most of them."""

    def score(delimiter: str) -> tuple[bool, int]:
        widths = [len(row) for row in csv.reader(lines[:20], delimiter=delimiter)]
        return len(set(widths)) == 1 < widths[0], widths[0]

    return max(_DELIMITERS, key=score)


def _cells(lines: list[str], delimiter: str) -> list[str]:
    return [cell.strip() for row in csv.reader(lines[1:20], delimiter=delimiter) for cell in row]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _column(name: str, values: pd.Series) -> Column:
    present = values.dropna()
    example = "" if present.empty else str(present.iloc[0])[:40]
    kind, distinct = _kind(present)
    return Column(name, kind, distinct, len(values) - len(present), example)


def _kind(values: pd.Series) -> tuple[Kind, int]:
    if pd.api.types.is_bool_dtype(values):
        return "truth", values.nunique()
    if pd.api.types.is_numeric_dtype(values):
        return ("other", 0) if values.dtype.kind == "c" else ("number", values.nunique())
    first = values.iloc[0] if len(values) else None
    if isinstance(first, list | tuple | np.ndarray):
        numbers = all(np.asarray(row).dtype.kind in "biuf" or not len(row) for row in values)
        return ("sequence" if numbers else "other"), 0
    if isinstance(values.dtype, pd.CategoricalDtype) or all(isinstance(v, str) for v in values):
        return _kind_of_texts(values.astype(str))
    if all(isinstance(value, bool | np.bool_) for value in values):
        return "truth", values.nunique()
    return "other", 0


def _kind_of_texts(values: pd.Series) -> tuple[Kind, int]:
    distinct = values.nunique()
    if len(values) and all(_SEQUENCE.fullmatch(text) for text in values):
        return "sequence", 0
    return ("category" if distinct <= MAX_CATEGORIES else "text"), distinct
