"""Makes the files in this folder: python make_formats.py

Run once, with pandas 3, polars, pyarrow and the program zstd. Each file but the last ones holds
the first 200 payments of ../A/transactions.csv as some program writes them.
"""

import subprocess
from decimal import Decimal
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).parent
CSV = FOLDER / "../A/transactions.csv"
ROWS = 200

payments = pd.read_csv(CSV, parse_dates=["TX_DATETIME"]).head(ROWS)
table = pa.Table.from_pandas(payments, preserve_index=False)


def column(name: str, kind: pa.DataType, values=None) -> pa.Table:
    """The payments with one column of another type."""
    array = table[name].cast(kind, safe=False) if values is None else pa.array(values, kind)
    return table.set_column(table.column_names.index(name), name, array)


def write(name: str, rows: pa.Table, **options) -> None:
    pq.write_table(rows, FOLDER / f"{name}.parquet", **options)


pl.from_pandas(payments).write_parquet(FOLDER / "polars.parquet")
for codec in ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]:
    payments.to_parquet(FOLDER / f"pandas_{codec}.parquet", compression=None if codec == "none" else codec)
write("label_boolean", column("TX_FRAUD", pa.bool_()))
write("amount_float", column("TX_AMOUNT", pa.float32()))
amounts = [Decimal(f"{amount:.2f}") for amount in payments.TX_AMOUNT]
write("amount_decimal", column("TX_AMOUNT", pa.decimal128(10, 2), amounts))
for unit in ["s", "ms", "us", "ns"]:
    write(f"time_{unit}", column("TX_DATETIME", pa.timestamp(unit, tz="UTC")))
write("time_int96", table, use_deprecated_int96_timestamps=True)
write("time_text", column("TX_DATETIME", pa.string(), payments.TX_DATETIME.dt.strftime("%Y-%m-%dT%H:%M:%S").tolist()))
write("time_epoch", column("TX_DATETIME", pa.int64(), [int(t.timestamp() * 1000) for t in payments.TX_DATETIME]))
write("ids_text", column("CUSTOMER_ID", pa.string(), payments.CUSTOMER_ID.astype(str).tolist()))
write("ids_unsigned", column("TERMINAL_ID", pa.uint32()))
write("labels_double", column("TX_FRAUD_SCENARIO", pa.float64()))
write("derivable_missing", table.drop_columns(["TX_TIME_SECONDS", "TX_TIME_DAYS", "TX_FRAUD_SCENARIO"]))
write("pages_v2", table, data_page_version="2.0", compression="zstd", row_group_size=64)
lines = CSV.read_text().split("\n")[: ROWS + 1]
text = "".join(line + "\n" for line in lines).encode()
packed = subprocess.run(["zstd", "-q", "--check"], input=text, capture_output=True, check=True)
(FOLDER / "payments.csv.zst").write_bytes(packed.stdout)

pl.read_csv(FOLDER / "../A/terminals.csv").write_parquet(FOLDER / "terminals_polars.parquet")

# Refused: dates without a time of day, a null, a part of a cent, and two million
# times the same payment in one row group.
write("refused_dates", column("TX_DATETIME", pa.date32(), payments.TX_DATETIME.dt.date.tolist()))
write("refused_null", column("TX_AMOUNT", pa.float64(), [None, *payments.TX_AMOUNT[1:]]))
write("refused_cents", column("TX_AMOUNT", pa.float32(), [1.005, *payments.TX_AMOUNT[1:]]))
many = 2_000_000
same = pa.table({field: pa.repeat(table[field][0], many) for field in table.column_names})
write("refused_many", same, row_group_size=many, compression="brotli", data_page_size=2**30)
