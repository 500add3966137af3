"""The handbook's 14 features of a raw file with Sparkov's columns, by pandas.

Imports nothing of the program and knows nothing of its formats: it is what the
program's results are compared with.

    python sparkov_features.py RAW.csv OUT.csv [input|id]

Payments are in order of time. Of payments of the same second, those earlier in
the file come first, or (with "id") those with the lesser bytes of trans_num.
The rows of OUT.csv are in that order.
"""

import sys
from decimal import Decimal

import numpy as np
import pandas as pd

DAY = 86_400
WINDOWS = [1, 7, 30]
DELAY = 7 * DAY


def read(path, ties):
    # Text, so that card numbers of 19 digits keep their digits.
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    table = pd.DataFrame(
        {
            "id": raw.trans_num,
            "card": raw.cc_num,
            "merchant": raw.merchant,
            "time": pd.to_datetime(
                raw.trans_date_trans_time, format="%Y-%m-%d %H:%M:%S"
            ),
            "cents": [int(Decimal(amount) * 100) for amount in raw.amt],
            "fraud": raw.is_fraud.astype("int64"),
        }
    )
    table["second"] = table.time.astype("datetime64[s]").astype("int64")
    table["bytes"] = [name.encode() for name in table.id]
    order = ["second", "bytes"] if ties == "id" else ["second"]
    return table.sort_values(order, kind="stable").reset_index(drop=True)


def sums_up_to(values):
    """sums[i] is the sum of the first i values."""
    return np.concatenate([[0], np.cumsum(values)])


def add_card_features(table, out):
    """Payments of the card in (t - n days, t], the payment itself and earlier ones of its second included."""
    for _, places in table.groupby("card", sort=False).indices.items():
        second = table.second.to_numpy()[places]
        cents = sums_up_to(table.cents.to_numpy()[places])
        end = np.arange(1, len(places) + 1)
        for days in WINDOWS:
            begin = np.searchsorted(second, second - days * DAY, side="right")
            count = end - begin
            out[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"][places] = count
            out[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"][places] = (
                (cents[end] - cents[begin]) / 100 / count
            )


def add_merchant_features(table, out):
    """Payments and frauds of the merchant in (t - 7 days - n days, t - 7 days]."""
    for _, places in table.groupby("merchant", sort=False).indices.items():
        second = table.second.to_numpy()[places]
        frauds = sums_up_to(table.fraud.to_numpy()[places])
        known = second - DELAY
        end = np.searchsorted(second, known, side="right")
        for days in WINDOWS:
            begin = np.searchsorted(second, known - days * DAY, side="right")
            count = end - begin
            risk = (frauds[end] - frauds[begin]) / np.maximum(count, 1)
            out[f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW"][places] = count
            out[f"TERMINAL_ID_RISK_{days}DAY_WINDOW"][places] = risk


def main(raw, target, ties="input"):
    table = read(raw, ties)
    names = ["TX_DURING_WEEKEND", "TX_DURING_NIGHT"]
    names += [
        f"CUSTOMER_ID_{what}_{days}DAY_WINDOW"
        for days in WINDOWS
        for what in ("NB_TX", "AVG_AMOUNT")
    ]
    names += [
        f"TERMINAL_ID_{what}_{days}DAY_WINDOW"
        for days in WINDOWS
        for what in ("NB_TX", "RISK")
    ]
    out = {name: np.full(len(table), np.nan) for name in names}
    out["TX_DURING_WEEKEND"][:] = table.time.dt.dayofweek >= 5
    out["TX_DURING_NIGHT"][:] = table.time.dt.hour <= 6
    add_card_features(table, out)
    add_merchant_features(table, out)
    pd.DataFrame({"TRANSACTION_ID": table.id, **out}).to_csv(target, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
