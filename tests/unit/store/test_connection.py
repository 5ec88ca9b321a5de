"""Which database a task is told to use."""

import pytest
from ct_contract import ContractError
from ct_store.connection import database_url, with_database
from psycopg.conninfo import conninfo_to_dict

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@h:5432/real",
        "postgresql://u:p%2Fq%40@h:5432/real?sslmode=require&application_name=a",
        "postgresql://u@h/real?dbname=other&connect_timeout=3",
        "postgresql://u:p#q@h/real",
        "postgresql://u@h1:1,h2:2/real",
        "postgresql://u@[::1]:5432/real",
        "postgres:///real?host=%2Frun%2Fpostgresql",
        "postgresql://u:p@h:5432",
        "host=h user=u password='p q' dbname=real",
    ],
)
@pytest.mark.parametrize("name", ["scratch_1", "scratch_a-b", "a/b?c#d"])
def test_only_the_database_is_another(url, name):
    changed = with_database(url, name)
    assert conninfo_to_dict(changed) == {**conninfo_to_dict(url), "dbname": name}
    assert ("://" in changed) == ("://" in url)


def test_the_name_replaces_that_of_the_url(monkeypatch):
    monkeypatch.setenv("CT_DATABASE_URL", "postgresql://u:p@h:5432/real")
    for value in (None, ""):
        monkeypatch.setenv("CT_DATABASE_NAME", value) if value is not None else monkeypatch.delenv("CT_DATABASE_NAME", False)
        assert database_url() == "postgresql://u:p@h:5432/real"
    monkeypatch.setenv("CT_DATABASE_NAME", "scratch_1")
    assert database_url() == "postgresql://u:p@h:5432/scratch_1"


def test_a_name_alone_is_no_database(monkeypatch):
    monkeypatch.delenv("CT_DATABASE_URL", raising=False)
    monkeypatch.setenv("CT_DATABASE_NAME", "scratch_1")
    with pytest.raises(ContractError, match="set CT_DATABASE_URL"):
        database_url()
