"""The oracle of Sage X3's api1 lets pass what is documented, and nothing else."""

from __future__ import annotations

import pytest

from mlconnector_sdk.testing import Request
from tests.contracts import _sagex3_oracle as oracle

pytestmark = pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)

GOOD = {"accept": "application/json", "authorization": "Basic TUFJTENISU1QOnNlY3JldA=="}
OWN = "/api1/x3/erp/SEED/BPCUSTOMER?representation=YMCBPC.$query&count=100"
PAGE = b'{"$url":"","$descriptor":"BPCUSTOMER","$links":{},"$itemsPerPage":%d,"$resources":[%s]}'
LIST = "/api1/x3/erp/SEED/BPCUSTOMER?representation=BPCUSTOMER.$query"


def judged(path, method="GET", headers=None, status=500, body=b'{"$diagnoses":[{"$severity":"error","$message":"x"}]}'):
    """Lets the oracle judge an exchange."""
    request = Request(method=method, raw_path=path, headers=GOOD if headers is None else headers)
    oracle.check_api1_exchange(request, status, body)


@pytest.mark.parametrize(
    "path",
    [
        f"{LIST}&count=100",
        f"{OWN}&where=UPDDATTIM%20ge%20%402026-01-18T08%3A10%3A00Z%40&orderBy=UPDDATTIM%2CBPCNUM",
        "/api1/x3/erp/SEED/BPCUSTOMER('0001')?representation=BPCUSTOMER.$details",
        "/api1/x3/erp/SEED/$prototypes('BPCUSTOMER.$query')",
        f"{LIST.replace('$', '%24')}&where=BPCNUM%20eq%20'Maxim''s'%20or%20left(BPCNAM%2C4)%20eq%20'Test'",
    ],
)
def test_the_oracle_takes_the_documented_requests(path):
    """What the vendor's pages show passes."""
    judged(path)


@pytest.mark.parametrize(
    "where",
    [
        "left(BPCNAM,4) eq 'Test'",
        "BPCNUM between 'A' and 'B' and not (BPCSTA eq 1)",
        "BPCNUM in ('A','B') or BPCNAM like '%x%'",
        "UPDDAT ge currentDate() and year(UPDDAT) ge 2026",
    ],
)
def test_the_oracle_reads_the_documented_grammar(where):
    """Predicates of the documented grammar pass."""
    oracle.check_where(where, oracle.tables()["BPCUSTOMER"])


@pytest.mark.parametrize(
    "path",
    [
        "/sdata/x3/erp/SEED/BPCUSTOMER?representation=BPCUSTOMER.$query",
        "/api/x3/erp/SEED/BPCUSTOMER?representation=BPCUSTOMER.$query",
        "/api1/x3/erp/SEED/BPCUSTOMER",
        "/api1/x3/erp/SEED/BPCUSTOMER('0001')?representation=BPCUSTOMER.$detail",
        "/api1/x3/erp/SEED/BPADDRESS('0001')?representation=BPADDRESS.$details",
        "/api1/x3/erp/SEED/BPCUSTOMER('O'HARA')?representation=BPCUSTOMER.$details",
        f"{LIST}&count=0",
        f"{LIST}&startIndex=21",
        f"{LIST}&count=10&count=20",
        f"{LIST}&where=BPCNUM+eq+'A1'",
        f"{LIST}&where=BPCNUM eq 'A1'",
        f"{LIST}&where=BPCNUM%20=%20'A1'",
        f"{LIST}&where=BPCNUM%20eq%201",
        f"{LIST}&where=NOSUCH%20eq%20'A1'",
        f"{LIST}&where=UPDDATTIM%20ge%20%402026-01-18T08%3A10%3A00%40",
        f"{LIST}&where=UPDDATTIM%20ge%20%402026-01-18%40",
        f"{LIST}&where=UPDDATTIM%20ge%20'2026-01-18T08%3A10%3A00Z'",
        f"{LIST}&where=UPDDAT%20ge%20%402026-01-18T08%3A10%3A00Z%40",
        f"{LIST}&orderBy=BPCNUM%3BBPCNAM",
        f"{LIST}&orderBy=NOSUCH",
        f"{LIST}&key=0001",
        f"{LIST}&where=BPCNUM%20in%20('{'A' * 2100}')",
        f"{LIST}&where=100%",
    ],
)
def test_the_oracle_notices_breaches(path):
    """What api1 is not known to take does not pass."""
    with pytest.raises(AssertionError):
        judged(path)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": GOOD["authorization"]},
        {"accept": "application/json"},
        {**GOOD, "cookie": "syracuse.sid=1"},
        {**GOOD, "authorization": "Basic"},
    ],
)
def test_the_oracle_notices_missing_headers(headers):
    """Each call asks for JSON and brings credentials, and nothing else."""
    with pytest.raises(AssertionError):
        judged(LIST, headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        b"no page",
        b'{"$resources":[]}',
        b'{"$diagnoses":[]}',
        PAGE % (20, b'{"$key":"1","$url":"/api1/x3/erp/SEED/BPCUSTOMER","BPCNUM":1}'),
        PAGE % (20, b'{"$key":"1","$url":"/api1/x3/erp/SEED/BPCUSTOMER","BPCSTA":true}'),
        PAGE % (20, b'{"$key":"1","$url":"http://x3/api1/x3/erp/SEED/BPCUSTOMER"}'),
        PAGE % (50, b""),
    ],
)
def test_the_oracle_notices_wrong_answers(body):
    """An answer in another shape than api1's does not pass."""
    with pytest.raises(AssertionError):
        judged(LIST, status=200, body=body)
