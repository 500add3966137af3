"""The Python driver's way to write payments: execute_concurrent_with_args of a
prepared statement into one table. Prints seconds and seconds of processor time.

usage: cassandra_insert.py host port keyspace file rows
"""

import itertools
import sys
import time

from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.concurrent import execute_concurrent_with_args

host, port, keyspace, path, count = sys.argv[1:]
profile = ExecutionProfile(consistency_level=ConsistencyLevel.LOCAL_QUORUM)
cluster = Cluster(
    [host], port=int(port), execution_profiles={EXEC_PROFILE_DEFAULT: profile}
)
session = cluster.connect()
with open(path, encoding="ascii") as lines:
    names = next(lines).rstrip("\n").split("\t")
    kinds = [
        str if name == "tx_datetime"
        else float if "amount" in name or "_risk_" in name
        else int
        for name in names
    ]
    rows = [
        tuple(kind(text) for kind, text in zip(kinds, line.split("\t")))
        for line in itertools.islice(lines, int(count))
    ]
insert = session.prepare(
    f"INSERT INTO {keyspace}.transactions ({', '.join(names)}) "
    f"VALUES ({', '.join('?' * len(names))})"
)
began, processor = time.perf_counter(), time.process_time()
execute_concurrent_with_args(
    session, insert, rows, concurrency=256, raise_on_first_error=True
)
print(time.perf_counter() - began, time.process_time() - processor)
cluster.shutdown()
