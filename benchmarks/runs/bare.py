"""The named alternative: a bare httpx client that reads eight id ranges side by side, maps nothing and stores nothing.

python -m runs.bare VENDOR URL
"""

from __future__ import annotations

import argparse
import base64
import json
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from runs.memory import peak_mb
from vendors.columns import COLUMNS

RANGES = 8
HUBSPOT = "dealname,amount,closedate,dealstage,pipeline,hubspot_owner_id,lead_source,closed_lost_reason"
SALESFORCE = "Name,Amount,CloseDate,StageName,OwnerId,AccountId,LeadSource,SystemModstamp"


def cut(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Cut a span of ids in ranges of one size: (from, to), the end not included."""
    step = (last - first) // RANGES + 1
    return ((start, min(start + step, last + 1)) for start in range(first, last + 1, step))


def hubspot(client: httpx.Client) -> int:
    """Read lists of 100; where a list begins is an id."""
    properties = ",".join([HUBSPOT, *(column.name for column in COLUMNS)])
    search = {"sorts": [{"propertyName": "hs_object_id", "direction": "DESCENDING"}], "limit": 1}
    newest = client.post("/crm/v3/objects/deals/search", json=search).json()["results"][0]["id"]
    oldest = client.get("/crm/v3/objects/deals", params={"limit": 1}).json()["results"][0]["id"]

    def read(span: tuple[int, int]) -> int:
        found, after = 0, str(span[0])
        while int(after) < span[1]:
            params = {"limit": "100", "after": after, "properties": properties}
            page = client.get("/crm/v3/objects/deals", params=params).json()
            found += sum(int(each["id"]) < span[1] for each in page["results"])
            after = page.get("paging", {}).get("next", {}).get("after", str(span[1]))
        return found

    return side_by_side(read, cut(int(oldest), int(newest)))


def pipedrive(client: httpx.Client) -> int:
    """Read lists of 500; a page's marker is made up from an id, which no honest client may do."""
    newest = client.get("/api/v2/deals", params={"limit": 1, "sort_direction": "desc"}).json()["data"][0]["id"]
    oldest = client.get("/api/v2/deals", params={"limit": 1}).json()["data"][0]["id"]

    def read(span: tuple[int, int]) -> int:
        found = 0
        cursor: str | None = marker(span[0])
        while cursor:
            page = client.get("/api/v2/deals", params={"limit": "500", "cursor": cursor}).json()
            within = [each["id"] for each in page["data"] if each["id"] < span[1]]
            found += len(within)
            cursor = page["additional_data"]["next_cursor"] if len(within) == len(page["data"]) else None
        return found

    return side_by_side(read, cut(oldest, newest))


def marker(first: int) -> str:
    """Make the marker of the page that begins at an id, as the stand-in makes its own."""
    return base64.urlsafe_b64encode(json.dumps({"field": "id", "id": first}).encode()).decode()


def salesforce(client: httpx.Client) -> int:
    """Read query pages of 2,000, in ranges of the id's number."""
    base = "/services/data/v67.0/query"
    columns = ",".join(["Id", SALESFORCE, *(f"{column.name}__c" for column in COLUMNS)])
    total = client.get(base, params={"q": "SELECT count() FROM Opportunity"}).json()["totalSize"]
    end = "SELECT Id FROM Opportunity ORDER BY Id {} LIMIT 1"
    ends = [client.get(base, params={"q": end.format(way)}).json() for way in ("ASC", "DESC")]
    first, last = (each["records"][0]["Id"] for each in ends)
    digits = [int(each[5:15]) for each in (first, last)]

    def read(span: tuple[int, int]) -> int:
        low, high = (f"{first[:5]}{number:010}" for number in span)
        statement = f"SELECT {columns} FROM Opportunity WHERE Id >= '{low}' AND Id < '{high}'"  # noqa: S608  our own ids
        page = client.get(base, params={"q": statement})
        found = len(page.json()["records"])
        while not page.json()["done"]:
            page = client.get(page.json()["nextRecordsUrl"])
            found += len(page.json()["records"])
        return found

    found = side_by_side(read, cut(digits[0], digits[1]))
    if found != total:
        raise SystemExit(f"{found} of {total} deals")
    return found


def side_by_side(read: Callable[[tuple[int, int]], int], spans: Iterator[tuple[int, int]]) -> int:
    """Read all ranges at once and give how many deals they held."""
    with ThreadPoolExecutor(RANGES) as threads:
        return sum(threads.map(read, spans))


READERS: dict[str, Callable[[httpx.Client], int]] = {
    "hubspot": hubspot,
    "pipedrive": pipedrive,
    "salesforce": salesforce,
}


def main() -> None:
    """Read everything and say what it cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("vendor", choices=READERS)
    parser.add_argument("url")
    asked = parser.parse_args()
    start = time.perf_counter()
    with httpx.Client(base_url=asked.url, timeout=120, trust_env=False) as client:
        deals = READERS[asked.vendor](client)
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures: dict[str, Any] = {"deals": deals, "seconds": time.perf_counter() - start}
    print(json.dumps({**figures, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
