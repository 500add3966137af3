"""Reads our topics and our table as programs do that know nothing of us.

Prints one JSON object a record or row, keys and values as the clients give
them. Topics are read from their beginning to the ends that they have by then.
"""

import json
import sys
import time

DEADLINE_SECONDS = 120


def kafka_python(address, isolation, topic):
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(
        bootstrap_servers=address,
        isolation_level=isolation,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        key_deserializer=bytes.decode,
        value_deserializer=json.loads,
    )
    places = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    ends = consumer.end_offsets(places)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while any(consumer.position(place) < ends[place] for place in places):
        if time.monotonic() > deadline:
            sys.exit("the ends were not reached")
        for records in consumer.poll(timeout_ms=500).values():
            for record in records:
                yield record.key, record.value, record.timestamp
    consumer.close()


def confluent(address, isolation, topic):
    from confluent_kafka import Consumer, KafkaError

    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": f"python-{isolation}",
            "isolation.level": isolation,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    left = set(consumer.list_topics(topic).topics[topic].partitions)
    consumer.subscribe([topic])
    deadline = time.monotonic() + DEADLINE_SECONDS
    while left:
        if time.monotonic() > deadline:
            sys.exit("the ends were not reached")
        record = consumer.poll(0.5)
        if record is None:
            continue
        if record.error():
            if record.error().code() != KafkaError._PARTITION_EOF:
                sys.exit(str(record.error()))
            left.discard(record.partition())
            continue
        key = record.key().decode()
        yield key, json.loads(record.value()), record.timestamp()[1]
    consumer.close()


def give_up(address, topic, value):
    """A producer's transaction that is given up."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": address, "transactional.id": "python"})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic, key="1", value=value)
    producer.flush()
    producer.abort_transaction()


def compress(address, topic, codec, count="500"):
    """Appends records that are compressed."""
    from confluent_kafka import Producer

    settings = {"compression.type": codec, "linger.ms": 1000}
    producer = Producer({"bootstrap.servers": address, **settings})
    for i in range(int(count)):
        producer.produce(topic, value=f"record {i} by {codec}, " * 3)
    producer.flush()


def cassandra(address, keyspace):
    from cassandra.cluster import Cluster

    host, port = address.split(":")
    cluster = Cluster([host], port=int(port))
    session = cluster.connect(keyspace)
    columns = (
        "transaction_id, tx_datetime, customer_id, terminal_id, tx_amount, "
        "tx_time_seconds, tx_time_days, tx_fraud, tx_fraud_scenario"
    )
    for row in session.execute(f"SELECT {columns} FROM transactions"):
        yield row._asdict()
    cluster.shutdown()


def main(command, *args):
    if command == "give-up":
        give_up(*args)
    elif command == "compress":
        compress(*args)
    elif command == "cassandra":
        for row in cassandra(*args):
            print(json.dumps(row))
    else:
        read = {"kafka-python": kafka_python, "confluent-kafka": confluent}[command]
        for key, value, timestamp in read(*args):
            print(json.dumps({"key": key, "value": value, "timestamp": timestamp}))


main(*sys.argv[1:])
