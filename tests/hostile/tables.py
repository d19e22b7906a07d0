"""Tables that overwhelm their parsers. These run in a process of their own."""

import gzip
import io

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from tests.hostile import HostileFile
from tests.hostile.forge import zipped


def parquet_of(table, **options):
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, **options)
    return buffer.getvalue()


def files(targets):
    def refused(name, tries, phrase, data):
        return HostileFile(f"table_{name}", "dataset", tries, phrase, data, f"table_{name}")

    wide = ",".join(f"c{i}" for i in range(10_001))
    row = ",".join("1" for _ in range(10_001))
    yield refused(
        "wide.csv",
        "have more columns than can be shown",
        "1 rows and 10,001 columns",
        f"{wide}\n{row}\n".encode(),
    )
    yield refused(
        "binary.csv", "be no text at all", "it begins with b'a,b\\n\\x00", b"a,b\n\x00\x01"
    )
    yield refused(
        "ragged.csv",
        "have other columns in each row",
        "Expected 2 fields in line 3",
        b"a,b\n1,2\n1,2,3,4\n",
    )
    yield refused("header_only.csv", "have no rows", "has no rows of data", b"a,b\n")
    yield refused(
        "open_quote.csv",
        "make a cell of the whole file",
        "EOF inside string",
        b'a,b\n1,"2\n3,4\n5,6\n',
    )
    yield refused(
        "workbook.xlsx",
        "bring macros",
        "is an Excel workbook",
        zipped([("[Content_Types].xml", b""), ("xl/vbaProject.bin", b"")]),
    )
    yield refused(
        "packed.csv",
        "unpack without a bound",
        "is compressed with gzip",
        gzip.compress(bytes(10**6), mtime=0),
    )
    numbers = pa.table({"a": np.arange(10_001), "y": np.arange(10_001) % 2})
    yield refused(
        "row_groups.parquet",
        "be cut into ten thousand pieces",
        "in 10,001 row groups",
        parquet_of(numbers, row_group_size=1),
    )
    one = pa.array(["x" * 2**20])
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(200_000, np.int32)), one)
    yield refused(
        "dictionary.parquet",
        "repeat one long text to 200 GB",
        "more than 2 GiB",
        parquet_of(pa.table({"a": texts, "y": np.zeros(200_000)})),
    )
    nested = pa.array([{"b": {"c": 1}}] * 3)
    yield refused(
        "nested.parquet",
        "be nested",
        "'a' of the table is nested (struct<b:",
        parquet_of(pa.table({"a": nested, "y": [1, 2, 3]})),
    )
    yield refused(
        "rows.parquet",
        "declare billions of cells",
        "300,000,000 rows and 1 columns",
        parquet_of(pa.table({"a": pa.nulls(300_000_000, pa.null())})),
    )
    honest = parquet_of(pa.table({"a": [1, 2, 3], "y": [0, 1, 0]}))
    yield refused(
        "footer.parquet", "have its footer cut off", "Parquet file cannot be read", honest[:-20]
    )
    twice = pa.Table.from_arrays([pa.array([1, 2]), pa.array([3, 4])], names=["a", "a"])
    yield refused(
        "twice.parquet", "have a column twice", "two columns named 'a'", parquet_of(twice)
    )
