"""Sends a click to Clicktally, and retries with the same id, so that it counts once. Python 3.8 or later, nothing to install.

CLICKTALLY_URL=https://counts.example CLICKTALLY_KEY=ct_s_… python3 clicks.py order-placed
"""

import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
import uuid


def uuid7() -> str:
    """The time in milliseconds, and 74 random bits. Python 3.14 has uuid.uuid7()."""
    ms = time.time_ns() // 1_000_000
    number = ms << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=number))


def send(target: str, tries: int = 8, **fields: object) -> str:
    """Returns the id when the click is accepted. Raises urllib.error.HTTPError if it is refused."""
    click = {"id": uuid7(), "target": target, **fields}
    request = urllib.request.Request(
        os.environ["CLICKTALLY_URL"].rstrip("/") + "/v1/events",
        data=json.dumps(click).encode(),
        headers={"authorization": "Bearer " + os.environ["CLICKTALLY_KEY"], "content-type": "application/json"},
    )
    for attempt in range(1, tries + 1):
        wait = min(2**attempt, 30)
        try:
            urllib.request.urlopen(request, timeout=10).close()
            return click["id"]
        except urllib.error.HTTPError as error:
            if error.code not in (408, 429, 500, 502, 503, 504) or attempt == tries:
                raise
            wait = int(error.headers.get("retry-after", wait))
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            # It may have been accepted: only the same id makes a retry safe.
            if attempt == tries:
                raise
        time.sleep(wait)
    raise AssertionError("unreachable")


if __name__ == "__main__":
    print(send(sys.argv[1], props={"language": "Python"}))
