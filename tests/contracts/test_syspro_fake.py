"""The fake SYSPRO against recorded traffic, the saved WSDLs and the columns of real databases."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from mlconnector_sdk.testing.fakes._syspro import FakeSyspro
from mlconnector_sdk.testing.fakes._syspro_tables import TABLES, Column
from mlconnector_sdk.testing.fakes._syspro_text import padded
from tests.contracts import _syspro_oracle as oracle

SERVICES = ("Utilities", "Query", "Setup", "Transaction")
RECORDINGS = (
    "test_get_syspro_version",
    "test_logoff_error",
    "test_logon",
    "test_logon_error",
    "test_query_fetch",
    "test_query_query",
    "test_successful_logoff",
)
LOGON = {"Operator": "SYNC", "OperatorPassword": "secret", "CompanyId": "EDU1", "CompanyPassword": ""}

pytestmark = pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)


@pytest.fixture(scope="module")
def erp():
    """A fake with some made-up records."""
    with FakeSyspro(customers=60, contacts=40, suppliers=10, invoices=60, orders=40) as fake:
        fake.keep_bodies = True
        yield fake


@pytest.fixture(name="http", scope="module")
def _http():
    with httpx.Client(timeout=30) as client:
        yield client


@pytest.fixture(name="seven")
def _seven():
    """A SYSPRO 7 site with the one stock code of the recordings."""
    with FakeSyspro(company="L", operator="<syspro_username>", password="<syspro_password>") as fake:
        fake.enet.version = "7.0.0.6"
        fake.table("InvMaster")["02"] = {"StockCode": "02", "Description": "STR"}
        yield fake


def ask(http, erp, path, **sent):
    """The bytes of a call of e.net REST."""
    return http.get(f"{erp.enet_url}/{path}", params=sent).content


def session(http, erp, **login):
    """A session's id."""
    return ask(http, erp, "Logon", **{**LOGON, **login}).decode().strip()


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_oracle_takes_what_was_recorded(name):
    """Every recorded exchange is one that the oracle lets pass."""
    for exchange in oracle.recorded(name):
        split = urlsplit(exchange["request"]["uri"])
        body = exchange["response"]["body"]["string"].encode()

        oracle.check_rest(split.path.partition("/Rest/")[2], split.query, 200, body)


def test_recorded_questions_get_recorded_answers(http, seven):
    """The recorded logon and query, sent again, are answered byte for byte as the real server did."""
    user_id = session(http, seven, Operator="<syspro_username>", OperatorPassword="<syspro_password>", CompanyId="L")
    recorded = oracle.recorded("test_query_query")[1]
    sent = dict(parse_qsl(urlsplit(recorded["request"]["uri"]).query, keep_blank_values=True))

    answer = ask(http, seven, "Query/Query", **{**sent, "UserId": f"{user_id}  "})

    assert recorded["response"]["body"]["string"].encode() == answer


@pytest.mark.parametrize(
    ("name", "path", "changes"),
    [
        ("test_get_syspro_version", "getversion", {}),
        ("test_logon_error", "logon", {}),
        ("test_logoff_error", "logoff", {}),
    ],
)
def test_short_answers_are_the_recorded_ones(http, seven, name, path, changes):
    """Version, wrong password and damaged session id are answered in the recorded words."""
    recorded = oracle.recorded(name)[0]
    sent = dict(parse_qsl(urlsplit(recorded["request"]["uri"]).query, keep_blank_values=True))

    answer = http.get(f"{seven.enet_url}/{path}", params={**sent, **changes})

    assert recorded["response"]["body"]["string"].encode() == answer.content
    assert recorded["response"]["headers"]["Content-Type"] == [answer.headers["content-type"]]


def test_a_session_is_as_wide_as_the_recorded_ones(http, seven):
    """A logon answers 36 characters, the last two blank, and a logoff the figure zero."""
    login = {"Operator": "<syspro_username>", "OperatorPassword": "<syspro_password>", "CompanyId": "L"}
    recorded = [one["response"]["body"]["string"] for one in oracle.recorded("test_successful_logoff")]

    user_id = ask(http, seven, "logon", **{**LOGON, **login})

    assert len(recorded[0]) == len(user_id) == 36
    assert recorded[1].encode() == ask(http, seven, "logoff", UserId=user_id.decode())


def test_numbers_are_padded_as_recorded():
    """A number's width follows from its SQL type as in the recording of a whole row."""
    row = ET.fromstring(oracle.recorded("test_query_fetch")[1]["response"]["body"]["string"].strip())
    numbers = {c.name: c for c in TABLES["InvMaster"].columns.values() if c.kind == "decimal"}
    recorded = {name: row.findtext(name) for name in numbers}

    expected = {
        name: padded(Decimal(text.strip()), numbers[name].size, numbers[name].scale)
        for name, text in recorded.items()
        if text is not None
    }

    assert {"Mass", "Volume", "Decimals"} <= expected.keys()
    assert expected == recorded


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"Contact", "ArAmendmentJnl"}))
def test_tables_are_those_of_real_databases(table):
    """Every column with its type, its length and its place in the key is as introspected; none is missing."""
    known = oracle.tables().get(table)
    if known is None:
        assert table.endswith("+") or table.startswith("ApSupplier")
        return
    ours = {name: (described(column), column.key) for name, column in TABLES[table].columns.items()}

    expected = {name: (row["sql_type"], row["primary_key"] == "Y") for name, row in known.items()}

    # Not every introspection lists the rowversion, which every table has.
    assert ours.items() >= expected.items()
    assert ours.keys() - expected.keys() <= {"TimeStamp"}


def described(column: Column) -> str:
    """A column's type as SQL Server writes it."""
    if column.kind == "decimal":
        return f"decimal({column.size},{column.scale})"
    return f"{column.kind}({column.size})" if column.kind in {"varchar", "char"} else column.kind


@pytest.mark.parametrize("service", SERVICES)
def test_descriptions_say_what_the_saved_ones_say(http, erp, service):
    """Operations, parameters, types, actions and port names of a served WSDL are those of the vendor's."""
    expected = oracle.wsdl(service)

    found = oracle.read_wsdl(http.get(f"{erp.soap_url}/{service.lower()}.asmx?wsdl").content)

    # One value of the vendor's list of instances is a slip of theirs that nobody can use.
    instances = expected["enumerations"].get("Instance", [])
    usable = {**expected["enumerations"], **({"Instance": instances[:10]} if instances else {})}
    assert {**expected, "enumerations": usable} == found


def test_the_vendors_description_drives_the_fake(erp):
    """Zeep with the saved WSDLs logs on, queries and logs off."""
    import zeep

    folder = oracle.spec_folder()
    services = {}
    for name in ("Utilities", "Query"):
        client = zeep.Client(str(folder / "wsdl" / f"{name}.asmx.wsdl"))
        space = f"http://www.syspro.com/ns/{name.lower()}/"
        binding = f"{{{space}}}{name.lower()}classSoap"
        services[name] = client.create_service(binding, f"{erp.soap_url}/{name.lower()}.asmx")

    user_id = services["Utilities"].Logon("SYNC", "secret", "EDU1", "", "AUTO", "ldNoDebug", "EncoreInstance_0", "")
    answer = services["Query"].Query(user_id, "COMFND", finder("ArCustomer", ["Customer", "Name"]))

    assert 36 == len(user_id)
    assert 60 == answer.count("<Row>")
    assert "0" == services["Utilities"].Logoff(user_id.strip())
    assert 0 == erp.open_sessions


def finder(table, columns, *, where="", order=(), rows=None):
    """A question to COMFND."""
    listed = "".join(f"<Column>{name}</Column>" for name in columns)
    ordered = "".join(f"<Column>{name}</Column>" for name in order)
    limit = f"<ReturnRows>{rows}</ReturnRows>" if rows else ""
    return (
        f"<Query><TableName>{table}</TableName>{limit}<Columns>{listed}</Columns>"
        f"{f'<Where>{where}</Where>' if where else ''}{f'<OrderBy>{ordered}</OrderBy>' if ordered else ''}</Query>"
    )


def outline(body):
    """The nesting of elements, each name once per parent, without values."""

    def of(element):
        return {child.tag: of(child) for child in element}

    root = ET.fromstring(re.sub(rb"^\s*<\?xml[^>]*\?>", b"", body).strip())
    return {root.tag: (list(root.attrib), of(root))}


def test_a_finders_answer_has_the_samples_shape(http):
    """The sample's question about the sample's customers gets the sample's values."""
    with FakeSyspro() as fake:
        fake.add_customer(
            "413",
            name="Harbour Bikes Ltd",
            email="jane@harbourbikes.example",
            Contact="Jane Fielding",
            DateCustAdded="2021-03-08",
            DateLastSale="2024-05-30",
        )
        fake.add_customer("414", name="North & Sons", CustomerOnHold="Y", CreditStatus="9", DateCustAdded="2019-11-01")
        asked = ET.fromstring(oracle.sample("comfnd_arcustomer_request.xml"))
        expected = ET.fromstring(oracle.sample("comfnd_arcustomer_response.xml"))
        columns = [one.text for one in expected.findall("HeaderDetails/Columns/Column")]
        asked.find("Columns")[:] = [one for one in asked.find("Columns") if one.text in columns]
        user_id = session(http, fake)

        xml = ET.tostring(asked, encoding="unicode")
        answer = ask(http, fake, "Query/Query", UserId=user_id, BusinessObject="COMFND", XmlIn=xml)

    found = ET.fromstring(answer.strip())
    assert expected.attrib == found.attrib
    assert [(e.tag, (e.text or "").strip()) for e in expected.iter()] == [
        (e.tag, (e.text or "").strip()) for e in found.iter()
    ]


def test_the_empty_answer_has_the_samples_shape(http, erp):
    """No row is no `Row` element and a count of zero."""
    never = "<Expression><Column>Customer</Column><Condition>EQ</Condition><Value>NOBODY</Value></Expression>"
    xml = finder("ArCustomer", ["Customer"], where=never, order=["Customer"])

    answer = ask(http, erp, "Query/Query", UserId=session(http, erp), BusinessObject="COMFND", XmlIn=xml)

    assert outline(oracle.sample("comfnd_empty_response.xml")) == outline(answer)


@pytest.mark.parametrize(
    ("path", "business_object", "request_name", "response_name"),
    [
        ("Query/Browse", None, "combrw_request.xml", "combrw_response.xml"),
        ("Query/Query", "SORQRY", "sorqry_request.xml", "sorqry_response.xml"),
        ("Query/Fetch", None, "comfch_request.xml", "comfch_response.xml"),
    ],
)
def test_documents_have_the_samples_shape(http, path, business_object, request_name, response_name):
    """Every element of a sample answer stands at the same place in the fake's."""
    with FakeSyspro() as fake:
        fake.add_customer("413", name="Harbour Bikes Ltd")
        fake.add_order("413", [("B100", "Bike", 2, 250)], number="15574", freight="7.50")
        sent = {"UserId": session(http, fake), "XmlIn": oracle.sample(request_name).decode()}
        sent |= {"BusinessObject": business_object} if business_object else {}

        answer = ask(http, fake, path, **sent)

    expected, found = (ET.fromstring(body.strip()) for body in (oracle.sample(response_name), answer))
    assert paths(expected) <= paths(found)


def paths(element, above=""):
    """The place of each element, as the tags that lead to it."""
    here = f"{above}/{element.tag}"
    return {here, *(place for child in element for place in paths(child, here))}


def test_a_whole_conversation_keeps_to_the_contract(http, erp):
    """Whatever a reader asks of the three services, the oracle finds question and answer right."""
    user_id = session(http, erp)
    after = "<Expression><Column>{}</Column><Condition>GT</Condition><Value>{}</Value></Expression>"
    questions = [
        ("COMFND", finder("ArCustomer", [c for c in TABLES["ArCustomer"].columns if c != "TimeStamp"], order=["Name"])),
        ("COMFND", finder("ArTrnDetail", ["Invoice", "NetSalesValue", "InvoiceDate"], order=["Invoice"], rows=20)),
        ("COMFND", finder("SorMaster", ["SalesOrder"], where=after.format("OrderDate", "2024-01-01"))),
        ("COMFND", finder("SorDetail", ["MPrice", "MStockCode"], where=after.format("MPrice", "10.5"))),
        ("COMFND", finder("ArCustomer+", ["Customer"])),
        ("CMSQRC", "<Query><Key><KeyType>C</KeyType><KeyValue>000000000000001</KeyValue></Key></Query>"),
        ("COMQCO", "<Query/>"),
        ("NOSUCH", "<Query/>"),
    ]
    with erp.recording() as calls:
        for business_object, xml in questions:
            ask(http, erp, "Query/Query", UserId=user_id, BusinessObject=business_object, XmlIn=xml)
        ask(http, erp, "GetLogonProfile", UserId=user_id)
        ask(http, erp, "Logoff", UserId=user_id)
        for table in ("ArCustomer", "ArInvoice", "ArTrnDetail", "SorMaster", "SorDetail", "InvMaster"):
            http.get(f"{erp.odata_root}/{table}", auth=("SYNC", "odata secret"))
        options = {
            "$filter": "Customer gt '000000000000003' and CreditLimit ge 500",
            "$orderby": "Customer",
            "$top": "7",
        }
        http.get(f"{erp.odata_root}/ArCustomer", params=options, auth=("SYNC", "odata secret"))
        http.get(f"{erp.odata_root}/ArCustomer", params={"$filter": "Nothing eq 1"}, auth=("SYNC", "odata secret"))
        http.get(f"{erp.odata_root}/$metadata", auth=("SYNC", "odata secret"))

    assert 19 == len(calls)
    for call in calls:
        request = call.request
        oracle.check_exchange(call.method, request.raw_path, request.body, call.status, call.response_body)


@pytest.mark.parametrize(
    "breach",
    [
        "/SYSPROWCFService/Rest/Logon?Operator=A&OperatorPassword=B",
        "/SYSPROWCFService/Rest/Query/Query?UserId=00000000-0000-0000-0000-000000000000&BusinessObject=COMFND&XmlIn=",
        "/SYSPROWCFService/Rest/Utilities/Logon?Operator=A&OperatorPassword=B&CompanyId=C&CompanyPassword=",
        "/root/ArCustomer?$filter=LastModifiedDate ge 2024-01-01T00:00:00Z",
        "/root/ArCustomer?$filter=DateLastSale ge '2024-01-01'",
        "/root/ArCustomer?$filter=TimeStamp gt 'AAAAAAAB9Bk='",
        "/root/ArCustomer?$expand=Orders",
        "/root/ArCustomer?$orderby=TimeStamp",
    ],
)
def test_the_oracle_notices_breaches(breach):
    """What the real system is not known to take does not pass."""
    with pytest.raises(AssertionError):
        oracle.check_exchange("GET", breach, b"", 200, b'{"@odata.context":"","value":[]}')
