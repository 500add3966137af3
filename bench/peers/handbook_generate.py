"""The handbook's own way of making its data set, with numpy and pandas.

Written from the rules of "Reproducible Machine Learning for Credit Card Fraud
Detection", chapter "Transaction data simulator": the same functions, the same
draws, the same use of pandas, so that its time is the time of the published
code. One thing differs: the start date is handed on to the transactions.

Prints one JSON line with the number of payments, of frauds and the seconds.
With --csv=FILE it also writes the labelled table.
"""

import argparse
import json
import random
import sys
import time

import numpy as np
import pandas as pd


def generate_customer_profiles_table(n_customers, random_state=0):
    np.random.seed(random_state)
    rows = []
    for customer_id in range(n_customers):
        x = np.random.uniform(0, 100)
        y = np.random.uniform(0, 100)
        mean_amount = np.random.uniform(5, 100)
        std_amount = mean_amount / 2
        mean_nb_tx_per_day = np.random.uniform(0, 4)
        rows.append(
            [customer_id, x, y, mean_amount, std_amount, mean_nb_tx_per_day]
        )
    return pd.DataFrame(
        rows,
        columns=[
            "CUSTOMER_ID",
            "x_customer_id",
            "y_customer_id",
            "mean_amount",
            "std_amount",
            "mean_nb_tx_per_day",
        ],
    )


def generate_terminal_profiles_table(n_terminals, random_state=1):
    np.random.seed(random_state)
    rows = []
    for terminal_id in range(n_terminals):
        x = np.random.uniform(0, 100)
        y = np.random.uniform(0, 100)
        rows.append([terminal_id, x, y])
    return pd.DataFrame(
        rows, columns=["TERMINAL_ID", "x_terminal_id", "y_terminal_id"]
    )


def get_list_terminals_within_radius(customer_profile, x_y_terminals, r):
    x_y_customer = customer_profile[["x_customer_id", "y_customer_id"]].values
    x_y_customer = x_y_customer.astype(float)
    squared = np.square(x_y_customer - x_y_terminals)
    distance = np.sqrt(np.sum(squared, axis=1))
    return list(np.where(distance < r)[0])


def generate_transactions_table(customer_profile, start_date, nb_days):
    rows = []
    customer_id = int(customer_profile.CUSTOMER_ID)
    random.seed(customer_id)
    np.random.seed(customer_id)
    for day in range(nb_days):
        nb_tx = np.random.poisson(customer_profile.mean_nb_tx_per_day)
        for _ in range(nb_tx):
            time_tx = int(np.random.normal(86400 / 2, 20000))
            if not 0 < time_tx < 86400:
                continue
            amount = np.random.normal(
                customer_profile.mean_amount, customer_profile.std_amount
            )
            if amount < 0:
                amount = np.random.uniform(0, customer_profile.mean_amount * 2)
            amount = np.round(amount, decimals=2)
            if len(customer_profile.available_terminals) > 0:
                terminal_id = random.choice(customer_profile.available_terminals)
                rows.append(
                    [
                        time_tx + day * 86400,
                        day,
                        customer_id,
                        terminal_id,
                        amount,
                    ]
                )
    table = pd.DataFrame(
        rows,
        columns=[
            "TX_TIME_SECONDS",
            "TX_TIME_DAYS",
            "CUSTOMER_ID",
            "TERMINAL_ID",
            "TX_AMOUNT",
        ],
    )
    if len(table) > 0:
        table["TX_DATETIME"] = pd.to_datetime(
            table["TX_TIME_SECONDS"], unit="s", origin=start_date
        )
        table = table[
            [
                "TX_DATETIME",
                "CUSTOMER_ID",
                "TERMINAL_ID",
                "TX_AMOUNT",
                "TX_TIME_SECONDS",
                "TX_TIME_DAYS",
            ]
        ]
    return table


def transactions_of_group(group, start_date, nb_days):
    # pandas 3 no longer hands the grouping column on; its value is the name.
    profile = group.iloc[0].copy()
    profile["CUSTOMER_ID"] = group.name
    return generate_transactions_table(profile, start_date, nb_days)


def generate_dataset(n_customers, n_terminals, nb_days, start_date, r):
    customers = generate_customer_profiles_table(n_customers, random_state=0)
    terminals = generate_terminal_profiles_table(n_terminals, random_state=1)
    x_y_terminals = terminals[["x_terminal_id", "y_terminal_id"]].values
    x_y_terminals = x_y_terminals.astype(float)
    customers["available_terminals"] = customers.apply(
        lambda x: get_list_terminals_within_radius(
            x, x_y_terminals=x_y_terminals, r=r
        ),
        axis=1,
    )
    transactions = (
        customers.groupby("CUSTOMER_ID")
        .apply(lambda x: transactions_of_group(x, start_date, nb_days))
        .reset_index(drop=True)
    )
    transactions = transactions.sort_values("TX_DATETIME")
    transactions = transactions.reset_index(drop=True)
    transactions = transactions.reset_index()
    transactions = transactions.rename(columns={"index": "TRANSACTION_ID"})
    return customers, terminals, transactions


def add_frauds(customers, terminals, transactions):
    transactions["TX_FRAUD"] = 0
    transactions["TX_FRAUD_SCENARIO"] = 0
    added = []

    def count():
        added.append(int(transactions.TX_FRAUD.sum()) - sum(added))

    great = transactions.TX_AMOUNT > 220
    transactions.loc[great, "TX_FRAUD"] = 1
    transactions.loc[great, "TX_FRAUD_SCENARIO"] = 1
    count()

    for day in range(transactions.TX_TIME_DAYS.max()):
        compromised = terminals.TERMINAL_ID.sample(n=2, random_state=day)
        hit = transactions[
            (transactions.TX_TIME_DAYS >= day)
            & (transactions.TX_TIME_DAYS < day + 28)
            & (transactions.TERMINAL_ID.isin(compromised))
        ]
        transactions.loc[hit.index, "TX_FRAUD"] = 1
        transactions.loc[hit.index, "TX_FRAUD_SCENARIO"] = 2
    count()

    for day in range(transactions.TX_TIME_DAYS.max()):
        leaked = customers.CUSTOMER_ID.sample(n=3, random_state=day).values
        hit = transactions[
            (transactions.TX_TIME_DAYS >= day)
            & (transactions.TX_TIME_DAYS < day + 14)
            & (transactions.CUSTOMER_ID.isin(leaked))
        ]
        random.seed(day)
        picks = random.sample(list(hit.index.values), k=int(len(hit) / 3))
        transactions.loc[picks, "TX_AMOUNT"] = (
            transactions.loc[picks, "TX_AMOUNT"] * 5
        )
        transactions.loc[picks, "TX_FRAUD"] = 1
        transactions.loc[picks, "TX_FRAUD_SCENARIO"] = 3
    count()
    return transactions, added


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=5000)
    parser.add_argument("--terminals", type=int, default=10000)
    parser.add_argument("--days", type=int, default=183)
    parser.add_argument("--start", default="2018-04-01")
    parser.add_argument("--radius", type=float, default=5)
    parser.add_argument("--csv")
    flags = parser.parse_args()
    begun = time.perf_counter()
    customers, terminals, transactions = generate_dataset(
        flags.customers, flags.terminals, flags.days, flags.start, flags.radius
    )
    transactions, added = add_frauds(customers, terminals, transactions)
    seconds = time.perf_counter() - begun
    if flags.csv:
        transactions.to_csv(flags.csv, index=False)
    result = {
        "payments": len(transactions),
        "frauds": int(transactions.TX_FRAUD.sum()),
        "added_by_scenario": added,
        "seconds": round(seconds, 3),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "pandas": pd.__version__,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
