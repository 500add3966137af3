"""Sends a payment to the API and repeats it until it is answered.

    python score_client.py 4711 12.50

needs `requests`. Repeating is safe: the TRANSACTION_ID identifies the payment,
so it is decided once, and every repetition gets the same answer.
"""

import sys
import time
from datetime import datetime, timezone

import requests

SESSION = requests.Session()
URL = "http://127.0.0.1:8090/v1/score"
AGAIN = {429, 500, 502, 503, 504}  # unknown or busy: ask again, with the same id


def score(payment, tries=20):
    """Decides about a payment; raises requests.HTTPError if it is refused."""
    for attempt in range(tries):
        pause = min(2.0, 0.05 * 2**attempt)
        try:
            answer = SESSION.post(URL, json=payment, timeout=3)
            if answer.status_code not in AGAIN:
                answer.raise_for_status()
                return answer.json()
            pause = max(pause, float(answer.headers.get("Retry-After", 0)))
        except (requests.ConnectionError, requests.Timeout):
            pass  # it may have been decided; the next answer says so
        time.sleep(pause)
    raise TimeoutError(f"no decision about {payment['TRANSACTION_ID']}")


if __name__ == "__main__":
    URL = sys.argv[3] if len(sys.argv) > 3 else URL
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    payment = {
        "TRANSACTION_ID": int(sys.argv[1]),
        "TX_DATETIME": now,
        "CUSTOMER_ID": 5,
        "TERMINAL_ID": 3,
        "TX_AMOUNT": float(sys.argv[2]),
    }
    print(score(payment))
