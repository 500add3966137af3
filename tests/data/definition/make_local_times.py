"""Writes local_times.json: local times of some zones and the second that each is.

From 2000 to 2021: earlier and later rules differ between releases of tzdata.

Python's zoneinfo is the oracle. With fold=0 it takes the earlier of two times
that a change of the clock repeats, and the offset before the change for a time
that it skips, which is Temporal's rule `compatible`.

    python3 tests/data/definition/make_local_times.py
"""
import json
import pathlib
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

ZONES = [
    "America/New_York", "America/Sao_Paulo", "America/St_Johns", "Asia/Kolkata",
    "Asia/Tehran", "Australia/Lord_Howe", "Europe/Berlin", "Europe/Dublin",
    "Europe/Lisbon", "Pacific/Apia", "Pacific/Chatham", "Africa/Casablanca",
]
EPOCH = datetime(1970, 1, 1)
DAY = 86_400
# Seconds around a change: its edges, and inside what is skipped or repeated.
AROUND = [-DAY, -7201, -3600, -1800, -1, 0, 1, 900, 1799, 1800, 3599, 3600, 7200, DAY]


def offset(zone, seconds):
    moment = datetime.fromtimestamp(seconds, timezone.utc).astimezone(zone)
    return int(moment.utcoffset().total_seconds())


def changes(zone, first, last):
    """The seconds at which the offset changes, to the second."""
    for start in range(first, last, DAY):
        before = offset(zone, start)
        if before == offset(zone, start + DAY):
            continue
        low, high = start, start + DAY
        while high - low > 1:
            middle = (low + high) // 2
            if offset(zone, middle) == before:
                low = middle
            else:
                high = middle
        yield high


def main():
    first = int(datetime(2000, 1, 2, tzinfo=timezone.utc).timestamp())
    last = int(datetime(2021, 12, 31, tzinfo=timezone.utc).timestamp())
    table = {}
    for name in ZONES:
        zone = ZoneInfo(name)
        found = list(changes(zone, first, last))
        rows = []
        # The first, some between, and the last.
        for change in found[:: max(1, len(found) // 10)] + found[-1:]:
            for around in AROUND:
                local = change + offset(zone, change - 1) + around
                written = EPOCH + timedelta(seconds=local)
                utc = written.replace(tzinfo=zone, fold=0).timestamp()
                rows.append([str(written), int(utc)])
        table[name] = rows
    path = pathlib.Path(__file__).with_name("local_times.json")
    text = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in table.items())
    path.write_text("{\n" + text + "\n}\n")


main()
