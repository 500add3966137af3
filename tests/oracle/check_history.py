"""Checks what clients of the API saw against what the stream holds afterwards.

Imports nothing of the program, only Python's standard library, and does not
read how the program stores anything. A folder holds JSON Lines:

    history.jsonl       one line per request to /v1/score, in the order of SENT:
                        SENT and ENDED (milliseconds on one clock), PAYMENT
                        (what was sent), STATUS and BODY (both null if no whole
                        answer came)
    payments.jsonl      records of transaction_topic: PARTITION, OFFSET, VALUE
    predictions.jsonl   records of prediction_topic, likewise
    letters.jsonl       records of transaction_dead_letter_topic, likewise
    stored.jsonl        'export --with=payment,prediction'
    scored.jsonl        'export --table=predictions'

    python3 check_history.py FOLDER

Every client has repeated each payment until it was answered with 200, 409 or
422. The last line of the output has the counts. Exit code 1 if anything is
wrong; then each line before names a fault.
"""

import json
import sys
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path

DAY = 86_400
WINDOWS = [1, 7, 30]
CORE = ["CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT"]
# Answers that end the repetition: decided, another payment's id, refused.
FINAL = {200, 409, 422}
FAULTS_SHOWN = 20


class Faults:
    def __init__(self):
        self.lines = []

    def expect(self, condition, line):
        if not condition:
            self.lines.append(line)


def rows_of(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def time_text(payment):
    """Without what an export writes more: 2026-11-30T08:00:00Z."""
    return payment["TX_DATETIME"].replace("T", " ").rstrip("Z")


def core_of(payment):
    return (time_text(payment), *(payment[name] for name in CORE))


def decision_of(record):
    """Without rules an alert is a review, everything else is approved."""
    usual = "review" if record["ALERT"] else "approve"
    return record.get("DECISION") or usual


def said_by(record):
    """What an answer has to say, from the record that it names."""
    return {
        "TRANSACTION_ID": record["TRANSACTION_ID"],
        "DECISION": decision_of(record),
        "SCORE": record.get("SCORE"),
        "ALERT": record["ALERT"],
        "REASONS": record.get("REASONS", []),
        "RULES": record.get("RULES", []),
        "SHADOW_RULES": record.get("SHADOW_RULES", []),
        "CONTRIBUTIONS": record.get("CONTRIBUTIONS"),
        "SHADOW_SCORES": record.get("SHADOW_SCORES"),
        "MODEL_VERSION": record["MODEL_VERSION"],
        "RULES_VERSION": record.get("RULES_VERSION"),
        "LISTS_VERSION": record.get("LISTS_VERSION"),
        "THRESHOLD": record.get("THRESHOLD"),
    }


def without(names, row):
    return {name: value for name, value in row.items() if name not in names}


def by_id(requests):
    found = defaultdict(list)
    for request in requests:
        found[request["PAYMENT"]["TRANSACTION_ID"]].append(request)
    return found


def check_answers(faults, requests, predictions):
    """Every answer names a record that says the same; answers about one payment are equal."""
    places = {(r["PARTITION"], r["OFFSET"]): r["VALUE"] for r in predictions}
    first = {}
    for request in requests:
        if request["STATUS"] != 200:
            continue
        number = request["PAYMENT"]["TRANSACTION_ID"]
        body = request["BODY"]
        faults.expect(
            body.get("TRANSACTION_ID") == number,
            f"payment {number}: the answer is about {body.get('TRANSACTION_ID')}",
        )
        place = body.get("RECORD") or {}
        record = places.get((place.get("PARTITION"), place.get("OFFSET")))
        faults.expect(
            record is not None, f"payment {number}: no record at {place}"
        )
        if record is not None:
            expected = said_by(record)
            said = without({"RECORD", "FEATURES"}, body)
            faults.expect(
                said == expected,
                f"payment {number}: answered {said}, the record says {expected}",
            )
            faults.expect(
                core_of(record) == core_of(request["PAYMENT"]),
                f"payment {number}: the record is about another payment",
            )
        answer = without({"FEATURES"}, body)
        before = first.setdefault(number, answer)
        faults.expect(
            before == answer, f"payment {number}: two answers, {before} and {answer}"
        )


def check_decided(faults, requests, predictions):
    """A payment that a client repeated until it was answered is decided exactly once, a refused one never."""
    decided = Counter(r["VALUE"]["TRANSACTION_ID"] for r in predictions)
    for number, times in decided.items():
        faults.expect(times == 1, f"payment {number}: decided {times} times")
    attempts = by_id(requests)
    for number in decided:
        faults.expect(number in attempts, f"payment {number}: decided, never sent")
    for number, sent in attempts.items():
        statuses = {request["STATUS"] for request in sent}
        # A number may stand for several payments: each needs its own end.
        by_core = defaultdict(set)
        for request in sent:
            by_core[core_of(request["PAYMENT"])].add(request["STATUS"])
        for core, ends in by_core.items():
            faults.expect(
                len(ends & FINAL) == 1,
                f"payment {number} {core}: ended with {sorted(ends & FINAL)}",
            )
        faults.expect(
            sum(200 in ends for ends in by_core.values()) <= 1,
            f"payment {number}: two payments are accepted under one id",
        )
        faults.expect(
            409 not in statuses or 200 in statuses,
            f"payment {number}: 409 without an accepted payment",
        )
        times = decided.get(number, 0)
        expected = 1 if 200 in statuses else 0
        faults.expect(
            times == expected,
            f"payment {number}: answered {sorted(s or 0 for s in statuses)}, "
            f"decided {times} times",
        )
    return sum(200 in {r["STATUS"] for r in sent} for sent in attempts.values())


def check_stored(faults, requests, stored, stored_predictions):
    """What was acknowledged is in the store once, as it was answered."""
    rows = defaultdict(list)
    scored = defaultdict(list)
    for row in stored:
        rows[row["TRANSACTION_ID"]].append(row)
    for row in stored_predictions:
        scored[row["TRANSACTION_ID"]].append(row)
    attempts = by_id(requests)
    for number in rows.keys() | scored.keys():
        faults.expect(number in attempts, f"payment {number}: stored, never sent")
    for request in requests:
        if request["STATUS"] != 200:
            continue
        number = request["PAYMENT"]["TRANSACTION_ID"]
        counts = [len(rows[number]), len(scored[number])]
        faults.expect(
            counts == [1, 1],
            f"payment {number}: {counts[0]} rows and {counts[1]} predictions "
            "are stored",
        )
        body = request["BODY"]
        for row in [*rows[number], *scored[number]]:
            faults.expect(
                core_of(row) == core_of(request["PAYMENT"]),
                f"payment {number}: another payment is stored",
            )
            answered = (body["SCORE"], body["ALERT"], body["DECISION"])
            kept = (row["SCORE"], row["ALERT"], decision_of(row))
            faults.expect(
                answered == kept,
                f"payment {number}: answered {answered}, stored {kept}",
            )
        for row in rows[number]:
            for name, value in (body.get("FEATURES") or {}).items():
                faults.expect(
                    row[name] == value,
                    f"payment {number}: {name} answered {value}, stored {row[name]}",
                )


def taken(payments, letters):
    """The payments of the log that count, in its order: each id once, nothing that was rejected."""
    rejected = {
        (letter["VALUE"]["partition"], letter["VALUE"]["offset"])
        for letter in letters
        if letter["VALUE"]["topic"] == "transaction_topic"
    }
    seen = set()
    for record in payments:
        value = record["VALUE"]
        number = value["TRANSACTION_ID"]
        if (record["PARTITION"], record["OFFSET"]) in rejected:
            continue
        if "KNOWN_AT" in value or number in seen:
            continue
        seen.add(number)
        yield record


def check_features(faults, payments, letters, stored):
    """The features of a card are those of the payments before in the log, and the payment itself."""
    cards = defaultdict(list)
    for record in taken(payments, letters):
        cards[record["VALUE"]["CUSTOMER_ID"]].append(record["VALUE"])
    rows = {row["TRANSACTION_ID"]: row for row in stored}
    checked = 0
    for before in cards.values():
        for at, payment in enumerate(before):
            number = payment["TRANSACTION_ID"]
            row = rows.get(number)
            faults.expect(
                row is not None, f"payment {number}: in the log, not stored"
            )
            if row is None:
                continue
            end = payment["TX_TIME_SECONDS"]
            for days in WINDOWS:
                amounts = [
                    Fraction(str(other["TX_AMOUNT"]))
                    for other in before[: at + 1]
                    if end - days * DAY < other["TX_TIME_SECONDS"] <= end
                ]
                name = f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"
                faults.expect(
                    row[name] == len(amounts),
                    f"payment {number}: {name} {row[name]}, not {len(amounts)}",
                )
                name = f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"
                mean = float(sum(amounts) / len(amounts))
                faults.expect(
                    abs(row[name] - mean) <= 1e-9 * max(1, mean),
                    f"payment {number}: {name} {row[name]}, not {mean}",
                )
                checked += 2
    return checked


def check_order(faults, requests, payments, letters):
    """A payment answered before another of its card was sent precedes it in the log."""
    places = {
        record["VALUE"]["TRANSACTION_ID"]: record["OFFSET"]
        for record in taken(payments, letters)
    }
    cards = defaultdict(dict)
    for request in requests:
        payment = request["PAYMENT"]
        number = payment["TRANSACTION_ID"]
        sent, ended = cards[payment["CUSTOMER_ID"]].get(number, (None, None))
        if sent is None:
            sent = request["SENT"]
        if request["STATUS"] == 200 and ended is None:
            ended = request["ENDED"]
        cards[payment["CUSTOMER_ID"]][number] = (sent, ended)
    for intervals in cards.values():
        answered = [
            (number, times)
            for number, times in intervals.items()
            if times[1] is not None and number in places
        ]
        for first, (_, ended) in answered:
            for second, (sent, _) in answered:
                faults.expect(
                    ended >= sent or places[first] < places[second],
                    f"payment {second}: sent after the answer to {first}, "
                    "and before it in the log",
                )


def main(folder):
    names = [
        "history",
        "payments",
        "predictions",
        "letters",
        "stored",
        "scored",
    ]
    requests, payments, predictions, letters, stored, scored = (
        rows_of(Path(folder) / f"{name}.jsonl") for name in names
    )
    faults = Faults()
    faults.expect(requests, "no requests")
    check_answers(faults, requests, predictions)
    acknowledged = check_decided(faults, requests, predictions)
    check_stored(faults, requests, stored, scored)
    checked = check_features(faults, payments, letters, stored)
    check_order(faults, requests, payments, letters)
    for line in faults.lines[:FAULTS_SHOWN]:
        print(line)
    unanswered = sum(request["STATUS"] is None for request in requests)
    print(
        f"{len(requests)} requests, {unanswered} unanswered, "
        f"{acknowledged} payments decided, {checked} features recomputed, "
        f"{len(faults.lines)} faults"
    )
    return 1 if faults.lines else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
