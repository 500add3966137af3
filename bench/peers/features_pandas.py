"""The 14 features as the Fraud Detection Handbook computes them with pandas
(chapter 3, "Baseline feature transformation"): calendar flags by apply, rolling
windows of every customer and terminal by groupby and apply.

usage: features_pandas.py ROWS.csv; prints the seconds. It takes minutes.
"""
import sys
import time

import pandas as pd

WINDOWS = [1, 7, 30]
DELAY = 7


def is_weekend(moment):
    return int(moment.weekday() >= 5)


def is_night(moment):
    return int(moment.hour <= 6)


def customer_features(payments):
    payments = payments.sort_values("TX_DATETIME")
    payments.index = payments.TX_DATETIME
    for days in WINDOWS:
        rolling = payments["TX_AMOUNT"].rolling(f"{days}d")
        total, count = rolling.sum(), rolling.count()
        payments[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"] = list(count)
        payments[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"] = list(total / count)
    payments.index = payments.TRANSACTION_ID
    return payments


def terminal_features(payments):
    payments = payments.sort_values("TX_DATETIME")
    payments.index = payments.TX_DATETIME
    frauds_delay = payments["TX_FRAUD"].rolling(f"{DELAY}d").sum()
    count_delay = payments["TX_FRAUD"].rolling(f"{DELAY}d").count()
    for days in WINDOWS:
        rolling = payments["TX_FRAUD"].rolling(f"{DELAY + days}d")
        frauds = rolling.sum() - frauds_delay
        count = rolling.count() - count_delay
        payments[f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW"] = list(count)
        payments[f"TERMINAL_ID_RISK_{days}DAY_WINDOW"] = list(frauds / count)
    payments.index = payments.TRANSACTION_ID
    payments.fillna(0, inplace=True)
    return payments


rows = pd.read_csv(sys.argv[1])
rows["TX_DATETIME"] = pd.to_datetime(rows.pop("TX_EPOCH"), unit="s")
began = time.perf_counter()
rows["TX_DURING_WEEKEND"] = rows.TX_DATETIME.apply(is_weekend)
rows["TX_DURING_NIGHT"] = rows.TX_DATETIME.apply(is_night)
for key, function in [("CUSTOMER_ID", customer_features), ("TERMINAL_ID", terminal_features)]:
    rows = rows.groupby(key)[list(rows.columns)].apply(function)
    rows = rows.sort_values("TX_DATETIME").reset_index(drop=True)
print(time.perf_counter() - began)
