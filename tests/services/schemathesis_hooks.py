"""Teaches Schemathesis the media type that it does not know: JSON Lines."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def json_lines(_context, value):
    rows = value if isinstance(value, list) else [value]
    return "".join(
        (row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows
    ).encode("utf-8", errors="surrogatepass")
