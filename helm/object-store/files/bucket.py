"""Make the bucket if it is missing: ``python bucket.py NAME``. Asking again changes nothing.

The endpoint and the credentials are boto3's own variables: AWS_ENDPOINT_URL_S3, AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY. Versioning and the rule for unfinished uploads are set where the store knows them, and named where not.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

NOT_KNOWN = {"NotImplemented", "MethodNotAllowed", "XNotImplemented", "UnsupportedOperation"}
"""What stores answer to a request that they do not have."""


def code(error: ClientError) -> str:
    """The store's word for what went wrong; the HTTP status where it has none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def reach(client: Any, bucket: str, patience: float) -> bool:
    """Whether the bucket is there, once the store answers. Raises what it last met when ``patience`` seconds are over."""
    deadline = time.monotonic() + patience
    while True:
        try:
            client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if code(error) in {"404", "NoSuchBucket", "NotFound"}:
                return False
            if code(error) in {"403", "401", "AccessDenied"} or time.monotonic() > deadline:
                raise
        except BotoCoreError:
            if time.monotonic() > deadline:
                raise
        else:
            return True
        time.sleep(2)


def make(client: Any, bucket: str, region: str) -> bool:
    """Make the bucket; False if somebody else just made it."""
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        client.create_bucket(Bucket=bucket, **place)
    except ClientError as error:
        if code(error) == "BucketAlreadyOwnedByYou":
            return False
        raise
    return True


def rule(days: int) -> dict[str, Any]:
    """Unfinished uploads are dropped after so many days."""
    return {
        "ID": "abort-unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days},
    }


def settle(client: Any, bucket: str, *, versioning: bool, abort_days: int) -> list[str]:
    """Set versioning and the rule where they differ; what the store does not know, by name."""
    unknown = []
    try:
        if versioning and client.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
            client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    except ClientError as error:
        if code(error) not in NOT_KNOWN:
            raise
        unknown.append("versioning")
    try:
        if abort_days:
            client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule(abort_days)]})
    except ClientError as error:
        # MinIO drops such uploads by itself and takes this rule for an error.
        if code(error) not in NOT_KNOWN | {"InvalidArgument", "MalformedXML"}:
            raise
        unknown.append("the rule for unfinished uploads")
    return unknown


def main() -> None:
    """Make the bucket and say what was done."""
    parser = argparse.ArgumentParser(description="Make a bucket if it is missing.")
    parser.add_argument("bucket")
    parser.add_argument("--versioning", action="store_true", help="keep old versions of files")
    parser.add_argument("--abort-uploads-after-days", type=int, default=0, metavar="DAYS", help="0 for never (default)")
    parser.add_argument("--patience", type=float, default=180, metavar="SECONDS", help="how long the store may take to answer")
    given = parser.parse_args()
    client = boto3.client("s3", config=Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 1}))
    there = reach(client, given.bucket, given.patience)
    made = not there and make(client, given.bucket, os.environ.get("AWS_DEFAULT_REGION") or "us-east-1")
    unknown = settle(client, given.bucket, versioning=given.versioning, abort_days=given.abort_uploads_after_days)
    print(f"bucket {given.bucket}: {'made' if made else 'there already'}")
    for name in unknown:
        print(f"bucket {given.bucket}: this store does not have {name}")


if __name__ == "__main__":
    main()
