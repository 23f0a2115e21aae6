"""Writes tests/golden/tables/: the same small table in the formats of other programs.

    pip install numpy==2.* pandas==3.* pyarrow==26.* && python tests/golden/tables.py

What stands in them is in the tests of src/data/read/tests.rs.
"""

import datetime as dt
import decimal
import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

folder = pathlib.Path(__file__).parent / "tables"
folder.mkdir(exist_ok=True)

utc = dt.timezone.utc
D = decimal.Decimal


def column(kind, first, last):
    """Three rows, of which the second is missing."""
    return pa.array([first, None, last], kind)


types = {
    "bool": column(pa.bool_(), True, False),
    "i8": column(pa.int8(), -128, 127),
    "i16": column(pa.int16(), -32768, 5),
    "i32": column(pa.int32(), -(2**31), 7),
    "i64": column(pa.int64(), -(2**53) + 1, 9),
    "i64_long": column(pa.int64(), 2**53, -(2**63)),
    "u8": column(pa.uint8(), 255, 0),
    "u16": column(pa.uint16(), 65535, 0),
    "u32": column(pa.uint32(), 2**32 - 1, 1),
    "u64_long": column(pa.uint64(), 2**64 - 1, 1),
    "f16": pa.array([np.float16(0.1), None, np.float16(65504)], pa.float16()),
    "f32": column(pa.float32(), 0.1, 16777216.0),
    "f64": column(pa.float64(), 0.1, float("-inf")),
    "decimal32": column(pa.decimal32(5, 2), D("-0.05"), D("123.40")),
    "decimal64": column(pa.decimal64(15, 3), D("1.125"), D("-2.5")),
    "decimal128": column(pa.decimal128(38, 10), D("0.5"), D("-12345678.25")),
    "decimal256": column(pa.decimal256(60, 4), D("-1.5"), D("99.0001")),
    "text": column(pa.string(), " Zoë ", "NA"),
    "large_text": column(pa.large_string(), "a", "b"),
    "levels": pa.array(["x", None, "x"]).dictionary_encode(),
    "bytes": column(pa.binary(), b"plain", b"text"),
    "date": column(pa.date32(), dt.date(2024, 2, 29), dt.date(1969, 12, 31)),
    "time_ms": column(pa.time32("ms"), dt.time(12, 30), dt.time(23, 59, 59, 999000)),
    "time_us": column(pa.time64("us"), dt.time(0, 0, 1), dt.time(1, 2, 3, 4)),
    "stamp_ms": column(pa.timestamp("ms"), dt.datetime(2024, 1, 31, 12, 30), dt.datetime(1969, 12, 31, 23, 59, 59, 500000)),
    "stamp_us_utc": column(pa.timestamp("us", "UTC"), dt.datetime(2024, 1, 31, 12, 30, tzinfo=utc), dt.datetime(1900, 1, 1, tzinfo=utc)),
    "stamp_ns": pa.array([1, None, -1], pa.timestamp("ns")),
    "nothing": pa.nulls(3),
}
table = pa.table(types)
pq.write_table(table, folder / "types.parquet", store_decimal_as_integer=True)
# The old forms: bytes for decimals, INT96 for timestamps, pages without levels of a dictionary, two groups of rows.
pq.write_table(
    table.select(["decimal128", "stamp_ns", "text", "i32"]).cast(
        pa.schema([("decimal128", pa.decimal128(38, 10)), ("stamp_ns", pa.timestamp("ns")), ("text", pa.string()), ("i32", pa.int32())])
    ),
    folder / "old.parquet",
    use_deprecated_int96_timestamps=True,
    use_dictionary=False,
    row_group_size=2,
    version="1.0",
)
small = pa.table({"a": pa.array(range(300), pa.int32()), "b": pa.array(["x", "y", "z"] * 100)})
for codec in ["none", "snappy", "gzip", "brotli", "lz4", "zstd"]:
    pq.write_table(small, folder / f"{codec}.parquet", compression=codec, data_page_version="2.0" if codec == "zstd" else "1.0", write_page_checksum=True)
# Delta encodings and split bytes.
pq.write_table(
    small, folder / "delta.parquet", use_dictionary=False,
    column_encoding={"a": "DELTA_BINARY_PACKED", "b": "DELTA_BYTE_ARRAY"},
)
pq.write_table(pa.table({"a": [1, 2], "list": [[1], [2, 3]]}), folder / "list.parquet")
pq.write_table(pa.table({"a": [1, 2], "part": [{"x": 1}, {"x": 2}]}), folder / "struct.parquet")
pq.write_table(pa.table({"a": [1, 2], "b": [b"\xff\xfe", b"x"]}), folder / "bytes.parquet")
pq.write_table(pa.table({"a": pa.array([], pa.int32())}), folder / "no_rows.parquet")
frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]}, index=[10, 20])
frame.to_parquet(folder / "pandas.parquet")
frame.to_csv(folder / "pandas.csv")

x = np.arange(6, dtype="<f4").reshape(3, 2) / 10
np.save(folder / "f4.npy", x)
np.save(folder / "f8_big_by_columns.npy", np.asfortranarray(x.astype(">f8") + 1))
np.save(folder / "i2_one.npy", np.array([-2, 300], "<i2"))
np.save(folder / "f4_three.npy", np.zeros((2, 2, 2), "f4"))
np.save(folder / "c16.npy", np.array([1j]))
np.save(folder / "object.npy", np.array([None, 1], object))
arrays = {
    "x": x,
    "half": np.array([0.1, np.nan, 65504], ">f2"),
    "yes": np.array([True, False, True]),
    "u1": np.array([0, 7, 255], "u1"),
    "i8_long": np.array([2**53, -5, 1], "i8"),
    "u8": np.array([2**53 - 1, 0, 1], ">u8"),
    "wide": np.array(["ä", "NA", "long"]),
    "bytes": np.array([b"a", b"", b"bcd"]),
}
np.savez(folder / "arrays.npz", **arrays)
np.savez_compressed(folder / "packed.npz", **arrays)
np.savez(folder / "lengths.npz", x=x, y=np.zeros(2))
