"""The handbook's 14 features of a raw file of Sparkov or TabFormer, by pandas.

Imports nothing of the program and knows nothing of its formats: it is what the
program's results are compared with.

    python raw_features.py sparkov|tabformer RAW.csv OUT.jsonl [input|id]

Payments are in order of time. Of payments of the same second, those earlier in
the file come first, or (with "id") those with the lesser bytes of the id. The
rows of OUT.jsonl are in that order; ids, cards and terminals are text in it.
"""

import json
import sys
from decimal import Decimal

import numpy as np
import pandas as pd

DAY = 86_400
WINDOWS = [1, 7, 30]
DELAY = 7 * DAY


def sparkov(raw):
    return pd.DataFrame(
        {
            "id": raw.trans_num,
            "card": raw.cc_num,
            "terminal": raw.merchant,
            "time": pd.to_datetime(
                raw.trans_date_trans_time, format="%Y-%m-%d %H:%M:%S"
            ),
            "cents": cents_of(raw.amt),
            "fraud": raw.is_fraud.astype("int64"),
        }
    )


def tabformer(raw):
    date = raw.Year + " " + raw.Month + " " + raw.Day + " " + raw.Time
    return pd.DataFrame(
        {
            "id": [str(row + 1) for row in range(len(raw))],
            "card": raw.User + "-" + raw.Card,
            "terminal": raw["Merchant Name"],
            "time": pd.to_datetime(date, format="%Y %m %d %H:%M"),
            "cents": cents_of(raw.Amount.str.removeprefix("$")),
            "fraud": (raw["Is Fraud?"] == "Yes").astype("int64"),
        }
    )


def cents_of(amounts):
    return [int(Decimal(amount) * 100) for amount in amounts]


def read(of, path, ties):
    # Text, so that card numbers of 19 digits keep their digits.
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    table = {"sparkov": sparkov, "tabformer": tabformer}[of](raw)
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


def add_terminal_features(table, out):
    """Payments and frauds of the terminal in (t - 7 days - n days, t - 7 days]."""
    for _, places in table.groupby("terminal", sort=False).indices.items():
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


def main(of, raw, target, ties="input"):
    table = read(of, raw, ties)
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
    add_terminal_features(table, out)
    keys = {
        "TRANSACTION_ID": table.id,
        "CUSTOMER_ID": table.card,
        "TERMINAL_ID": table.terminal,
        "TX_AMOUNT": table.cents / 100,
    }
    rows = pd.DataFrame({**keys, **out}).to_dict("records")
    with open(target, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
