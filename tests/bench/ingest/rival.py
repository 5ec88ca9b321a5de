"""The rival: requests, json, DataFrame, to_sql. ``python rival.py URL DATABASE_URL TABLE`` prints its seconds as JSON."""

import json
import sys
import time

import pandas as pd
import requests
from sqlalchemy import create_engine


def main(url: str, database_url: str, table: str) -> None:
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg2://"))
    began = time.perf_counter()
    rows = requests.get(url, timeout=180).json()["data"]
    pd.DataFrame(rows).to_sql(table, engine, index=False)
    print(json.dumps({"rows": len(rows), "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main(*sys.argv[1:])
