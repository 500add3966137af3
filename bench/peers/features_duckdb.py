"""The 14 features with DuckDB's window functions, from a table in memory.

usage: features_duckdb.py ROWS.csv; prints the seconds (one thread).
A payment of the same second that comes after the current one is counted too.
"""
import sys
import time

import duckdb

DAY = 86400
DELAY = 7
database = duckdb.connect()
database.execute("set threads = 1")
database.execute(
    "create table payments as select *, epoch_ms(TX_EPOCH * 1000) as TX_DATETIME "
    "from read_csv(?) order by TRANSACTION_ID",
    [sys.argv[1]],
)
windows = []
columns = [
    "(isodow(TX_DATETIME) >= 6)::int as TX_DURING_WEEKEND",
    "(hour(TX_DATETIME) <= 6)::int as TX_DURING_NIGHT",
]
for days in (1, 7, 30):
    windows += [
        f"c{days} as (partition by CUSTOMER_ID order by TX_TIME_SECONDS "
        f"range between {days * DAY - 1} preceding and current row)",
        f"t{days} as (partition by TERMINAL_ID order by TX_TIME_SECONDS "
        f"range between {(days + DELAY) * DAY - 1} preceding "
        f"and {DELAY * DAY} preceding)",
    ]
    columns += [
        f"count(*) over c{days} as CUSTOMER_ID_NB_TX_{days}DAY_WINDOW",
        f"avg(TX_AMOUNT) over c{days} as CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW",
        f"count(*) over t{days} as TERMINAL_ID_NB_TX_{days}DAY_WINDOW",
        f"coalesce(avg(TX_FRAUD) over t{days}, 0) as TERMINAL_ID_RISK_{days}DAY_WINDOW",
    ]
query = (
    f"create table features as select *, {', '.join(columns)} from payments "
    f"window {', '.join(windows)}"
)
began = time.perf_counter()
database.execute(query)
print(time.perf_counter() - began)
