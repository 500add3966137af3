"""The 14 features with Polars' rolling windows, from a frame in memory.

usage: POLARS_MAX_THREADS=1 features_polars.py ROWS.csv; prints the seconds.
A payment of the same second that comes after the current one is counted too.
"""
import sys
import time

import polars as pl

WINDOWS = [1, 7, 30]
DELAY = 7


def features(frame):
    time_column = pl.col("TX_DATETIME")
    columns = [
        (time_column.dt.weekday() >= 6).cast(pl.Int8).alias("TX_DURING_WEEKEND"),
        (time_column.dt.hour() <= 6).cast(pl.Int8).alias("TX_DURING_NIGHT"),
    ]
    for days in WINDOWS:
        period = f"{days}d"
        columns += [
            pl.col("ONE").rolling_sum_by("TX_DATETIME", period, closed="right")
            .over("CUSTOMER_ID").alias(f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"),
            pl.col("TX_AMOUNT").rolling_mean_by("TX_DATETIME", period, closed="right")
            .over("CUSTOMER_ID").alias(f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"),
        ]
    for days in [0] + WINDOWS:
        period = f"{days + DELAY}d"
        columns += [
            pl.col(source).rolling_sum_by("TX_DATETIME", period, closed="right")
            .over("TERMINAL_ID").alias(f"{source}_{days}")
            for source in ("ONE", "TX_FRAUD")
        ]
    frame = frame.with_columns(columns)
    count = {days: pl.col(f"ONE_{days}") - pl.col("ONE_0") for days in WINDOWS}
    frauds = {
        days: pl.col(f"TX_FRAUD_{days}") - pl.col("TX_FRAUD_0") for days in WINDOWS
    }
    return frame.with_columns(
        [count[d].alias(f"TERMINAL_ID_NB_TX_{d}DAY_WINDOW") for d in WINDOWS]
        + [
            (frauds[d] / count[d]).fill_nan(0).alias(f"TERMINAL_ID_RISK_{d}DAY_WINDOW")
            for d in WINDOWS
        ]
    )


rows = pl.read_csv(sys.argv[1]).with_columns(
    pl.from_epoch("TX_EPOCH", time_unit="s").alias("TX_DATETIME"),
    pl.lit(1).alias("ONE"),
)
began = time.perf_counter()
features(rows)
print(time.perf_counter() - began)
