"""Another program's payments, by librdkafka, and what must become of them.

Knows nothing of the program that it tests: `produce` publishes payments with
fields, keys and partitions of its own; `check` reads transaction_topic and an
export, and computes every feature again by counting.
"""

import csv
import json
import sys
import time
from bisect import bisect_right, insort
from datetime import datetime, timedelta, timezone
from random import Random

PAYMENTS = 4000
PARTITIONS = 7
DAYS = 45
START = datetime(2024, 3, 4, tzinfo=timezone.utc)
DAY = 86_400
WINDOWS = [1, 7, 30]
DELAY = 7 * DAY


def payments():
    """In order of time, no two of a card in one second; the last of each partition at one time."""
    random = Random(14)
    count = PAYMENTS - PARTITIONS
    seconds = sorted(random.sample(range(3600, DAYS * DAY - 1), count))
    for i, second in enumerate(seconds + [DAYS * DAY - 1] * PARTITIONS):
        last = i - count
        yield {
            "number": 7_000_000_000 + 3 * i,
            "time": second,
            "card": 100_000 + (random.randrange(120) if last < 0 else 120 + last),
            "shop": 500 + random.randrange(40),
            "cents": random.randrange(1, 50_000),
            "bad": random.random() < 0.05,
            "partition": last,
        }


def published(payment):
    """A payment as its own program writes it: local time, a decimal comma, words."""
    local = START + timedelta(seconds=payment["time"])
    local = local.astimezone(timezone(timedelta(hours=2)))
    euros, cents = divmod(payment["cents"], 100)
    return {
        "memo": "Grüße",
        "order": {"number": payment["number"]},
        "nr": payment["number"],
        "when": local.isoformat(),
        "pan": payment["card"],
        "shop": str(payment["shop"]),
        "eur": f"{euros},{cents:02d}",
        "suspicious": "yes" if payment["bad"] else "no",
        "kind": "0",
    }


def produce(address, topic, start, end):
    """Publishes payments start to end, and after every hundredth a record that is none."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": address, "enable.idempotence": True})
    for i, payment in enumerate(payments()):
        if not int(start) <= i < int(end):
            continue
        value = json.dumps(published(payment), ensure_ascii=False)
        # -1 leaves the choice to the producer's own partitioner.
        partition = max(payment["partition"], -1)
        producer.produce(topic, key=f"order {i}", value=value, partition=partition)
        if i % 100 == 99:
            producer.produce(topic, key=f"order {i}", value='{"nr": 1}')
        producer.poll(0)
    producer.flush()


def read(address, topic):
    """The committed records of a topic, partition by partition."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "oracle",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    for partition in sorted(consumer.list_topics(topic).topics[topic].partitions):
        consumer.assign([TopicPartition(topic, partition, 0)])
        deadline = time.monotonic() + 30
        while True:
            record = consumer.poll(0.5)
            if record is None:
                if time.monotonic() > deadline:
                    sys.exit(f"the end of {topic} {partition} was not reached")
                continue
            if record.error():
                break  # the end
            yield partition, record.key(), json.loads(record.value())
    consumer.close()


def handed_on(address, topic):
    """What transaction_topic holds must be what was published, once each."""
    expected = {payment["number"]: payment for payment in payments()}
    partition_of = {}
    seen = set()
    for partition, key, row in read(address, topic):
        payment = expected[row["TRANSACTION_ID"]]
        assert payment["number"] not in seen, f"twice: {row}"
        seen.add(payment["number"])
        when = START + timedelta(seconds=payment["time"])
        wanted = {
            "TRANSACTION_ID": payment["number"],
            "TX_DATETIME": when.strftime("%Y-%m-%d %H:%M:%S"),
            "CUSTOMER_ID": payment["card"],
            "TERMINAL_ID": payment["shop"],
            "TX_AMOUNT": payment["cents"] / 100,
            "TX_TIME_SECONDS": payment["time"],
            "TX_TIME_DAYS": payment["time"] // DAY,
            "TX_FRAUD": int(payment["bad"]),
        }
        assert {name: row[name] for name in wanted} == wanted, row
        assert row["memo"] == "Grüße" and row["order"] == {"number": row["TRANSACTION_ID"]}
        assert key == str(payment["card"]).encode(), key
        assert partition_of.setdefault(payment["card"], partition) == partition
        yield payment
    assert seen == set(expected), f"{len(expected) - len(seen)} are missing"


def features(rows):
    """The features of each payment; `rows` are in the order in which cards' windows see them."""
    shops = {}
    for row in sorted(rows, key=lambda row: row["time"]):
        shop = shops.setdefault(row["shop"], ([], [0]))
        shop[0].append(row["time"])
        shop[1].append(shop[1][-1] + row["bad"])
    cards = {}
    for row in rows:
        when, card = row["time"], cards.setdefault(row["card"], [])
        insort(card, (when, row["cents"]))
        moment = START + timedelta(seconds=when)
        values = {
            "TX_DURING_WEEKEND": int(moment.weekday() >= 5),
            "TX_DURING_NIGHT": int(moment.hour <= 6),
        }
        times, frauds = shops[row["shop"]]
        for days in WINDOWS:
            window = [cents for at, cents in card if when - days * DAY < at <= when]
            values[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"] = len(window)
            values[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"] = sum(window) / 100 / len(window)
            end = bisect_right(times, when - DELAY)
            start = bisect_right(times, when - DELAY - days * DAY)
            count = end - start
            values[f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW"] = count
            risk = (frauds[end] - frauds[start]) / count if count else 0
            values[f"TERMINAL_ID_RISK_{days}DAY_WINDOW"] = risk
        yield row["number"], values


def check(address, topic, exported):
    rows = list(handed_on(address, topic))
    with open(exported, newline="") as file:
        stored = {int(row["TRANSACTION_ID"]): row for row in csv.DictReader(file)}
    assert len(stored) == len(rows), f"{len(stored)} are stored, not {len(rows)}"
    risks = 0
    for number, values in features(rows):
        for name, value in values.items():
            found = float(stored[number][name])
            close = abs(found - value) < 5.1e-7  # six decimals are exported
            assert close, f"{number} {name}: {found}, not {value}"
        risks += values["TERMINAL_ID_RISK_30DAY_WINDOW"] > 0
    assert risks > PAYMENTS / 4, "the test says little about risks"
    print(f"checked {len(rows)}")


{"produce": produce, "check": check}[sys.argv[1]](*sys.argv[2:])
