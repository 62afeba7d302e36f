"""Business objects of a fake SYSPRO: the finder, a single row, a browse, an order, contacts and companies."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import httpx
import pytest

from mlconnector_sdk.testing.fakes._syspro import FakeSyspro

LOGON = {"Operator": "SYNC", "OperatorPassword": "secret", "CompanyId": "EDU1", "CompanyPassword": ""}


@pytest.fixture(name="erp")
def _erp():
    with FakeSyspro() as fake:
        for key, name, limit, sold in (
            ("1", "Anvil & Sons", 100, "2024-05-01"),
            ("2", "Böttcher", 200, "2024-06-01"),
            ("3", "Carter", 300, None),
            ("CASH1", "Counter <sales>", 0, "2023-01-01"),
        ):
            fake.add_customer(key, name=name, CreditLimit=limit, DateLastSale=sold, DateCustAdded="2020-01-01")
        yield fake


@pytest.fixture(name="ask")
def _ask(erp):
    """The bytes that a business object answers."""
    with httpx.Client(base_url=erp.enet_url) as http:
        user_id = http.get("/Logon", params=LOGON).text

        def ask(xml, business_object="COMFND", path="Query/Query"):
            sent = {"UserId": user_id, "XmlIn": xml} | ({"BusinessObject": business_object} if business_object else {})
            return http.get(f"/{path}", params=sent).content

        yield ask


def question(columns=("Customer",), where="", order="Customer", *, rows=None, table="ArCustomer"):
    """A request to COMFND; conditions are written as `[Or ] [(] column word value [)]`."""
    listed = "".join(f"<Column>{name}</Column>" for name in columns)
    limit = f"<ReturnRows>{rows}</ReturnRows>" if rows is not None else ""
    ordered = f"<OrderBy><Column>{order}</Column></OrderBy>" if order else ""
    terms = f"<Where>{where}</Where>" if where else ""
    return f"<Query><TableName>{table}</TableName>{limit}<Columns>{listed}</Columns>{terms}{ordered}</Query>"


def term(column, word, value, *, glue="", opened="", closed=""):
    """One `Expression`."""
    parts = {"AndOr": glue, "OpenBracket": opened}
    before = "".join(f"<{name}>{text}</{name}>" for name, text in parts.items() if text)
    after = f"<CloseBracket>{closed}</CloseBracket>" if closed else ""
    return (
        f"<Expression>{before}<Column>{column}</Column><Condition>{word}</Condition><Value>{value}</Value>{after}"
        "</Expression>"
    )


def found(body, column="Customer"):
    """One column of the rows, without padding."""
    assert body.startswith(b"<?xml"), body[:100]
    return [(one.text or "").strip().lstrip("0") for one in ET.fromstring(body.strip()).findall(f"Row/{column}")]


@pytest.mark.parametrize(
    ("where", "keys"),
    [
        ("", ["1", "2", "3", "CASH1"]),
        (term("Customer", "GT", "000000000000002"), ["3", "CASH1"]),
        (term("Customer", "GE", "000000000000002"), ["2", "3", "CASH1"]),
        (term("Customer", "EQ", "2"), []),
        (term("Customer", "NE", "CASH1"), ["1", "2", "3"]),
        (term("CreditLimit", "LE", "100"), ["1", "CASH1"]),
        (term("CreditLimit", "LT", "100.5"), ["1", "CASH1"]),
        (term("DateLastSale", "GE", "2024-05-01"), ["1", "2"]),
        (term("DateLastSale", "NE", "2024-05-01"), ["2", "CASH1"]),
        (term("Email", "EQ", ""), ["1", "2", "3", "CASH1"]),
        (term("Name", "EQ", "Böttcher"), ["2"]),
        (term("Name", "EQ", "böttcher"), []),
        (term("Customer", "EQ", "CASH1") + term("Customer", "EQ", "000000000000001", glue="Or"), ["1", "CASH1"]),
        (term("CreditLimit", "GT", "0") + term("DateLastSale", "GE", "2024-06-01", glue="And"), ["2"]),
        (
            term("Name", "EQ", "Carter")
            + term("CreditLimit", "GT", "0", glue="Or")
            + term("DateLastSale", "GE", "2024-06-01", glue="And"),
            ["2", "3"],
        ),
        (
            term("Name", "EQ", "Carter", opened="(")
            + term("CreditLimit", "GT", "0", glue="Or", closed=")")
            + term("DateLastSale", "LT", "2024-06-01", glue="And"),
            ["1"],
        ),
    ],
)
def test_conditions_select_rows(ask, where, keys):
    """Conditions are judged as SQL Server judges them: by code page, blanks at the end aside, nulls never true."""
    assert keys == found(ask(question(where=where)))


def test_rows_come_as_asked_for(ask):
    """Columns come in the order asked for, numbers in blanks, empty texts as empty elements, markup escaped."""
    body = ask(question(["Name", "CreditLimit", "Email", "DateLastSale"], order="Name"))

    assert b"<Row>\n<Name>Anvil &amp; Sons</Name>\n<CreditLimit>         100</CreditLimit>\n<Email/>\n" in body
    assert b"<Name>B\xf6ttcher</Name>" in body
    assert b"<DateLastSale>2024-05-01</DateLastSale>" in body
    assert b"<DateLastSale/>" in body
    assert b"<Name>Counter &lt;sales&gt;</Name>" in body
    assert b"<RowsReturned>       4</RowsReturned>" in body


def test_without_order_rows_come_as_they_lie(ask):
    """Nobody sorts rows that were not asked to be sorted."""
    assert ["1", "2", "3", "CASH1"] == found(ask(question(order="")))


def test_a_page_is_as_long_as_asked_for_or_as_the_server_likes(erp, ask):
    """ReturnRows limits the rows; a server's own limit cuts silently."""
    assert ["1", "2"] == found(ask(question(rows=2)))
    erp.enet.row_cap = 3
    assert ["1", "2", "3"] == found(ask(question()))
    assert ["1", "2", "3"] == found(ask(question(rows=50)))
    assert ["1"] == found(ask(question(rows=1)))


@pytest.mark.parametrize(
    ("null_dates", "shown"),
    [("empty", b"<DateLastSale/>"), ("zeros", b">0000-00-00<"), ("missing", b"</Name>\n</Row>")],
)
def test_no_date_is_shown_in_three_ways(erp, ask, null_dates, shown):
    """A date that is not there is an empty element, zeros, or no element."""
    erp.enet.null_dates = null_dates

    assert shown in ask(question(["Name", "DateLastSale"], where=term("Name", "EQ", "Carter")))


@pytest.mark.parametrize(
    "xml",
    [
        "no xml",
        "<!DOCTYPE x><Query/>",
        "<Fetch/>",
        question(table="arcustomer"),
        question(table="Contact"),
        question(["name"]),
        question(["LastModifiedDate"]),
        question(["TimeStamp"]),
        question([]),
        question(order="TimeStamp"),
        question(rows="all"),
        question(rows=0),
        question(where=" "),
        question(where=term("Customer", "LIKE", "1*")),
        question(where=term("Customer", "gt", "1")),
        question(where=term("CreditLimit", "GT", "much")),
        question(where=term("DateLastSale", "GT", "01/05/2024")),
        question(where=term("DateLastSale", "GT", "2024-02-30")),
        question(where=term("Customer", "GT", "1") + term("Customer", "GT", "1", glue="and")),
        question(where=term("Customer", "GT", "1", opened="(")),
        question(where=term("Customer", "GT", "1", closed=")")),
        question(where=term("Customer", "GT", "1", opened="[")),
        question(where=term("Customer", "GT", "1") + "<Term/>"),
        question(where="<Expression><Value>1</Value><Column>Customer</Column></Expression>"),
        question(where="<Expression><Column>Customer</Column><Condition>EQ</Condition></Expression>"),
        question(where=term("Name", "EQ", "1", glue="Or", opened="((", closed="(")),
        "<Query><Columns><Column>Customer</Column></Columns><TableName>ArCustomer</TableName></Query>",
        "<Query><TableName>ArCustomer</TableName><Top>1</Top><Columns><Column>Customer</Column></Columns></Query>",
        "<Query><TableName>ArCustomer</TableName><TableName>ArCustomer</TableName></Query>",
        "<Query><Columns><Column>Customer</Column></Columns></Query>",
        "<Query><TableName>ArCustomer</TableName></Query>",
    ],
)
def test_questions_that_break_the_schema_are_refused(ask, xml):
    """Unknown elements, names, conditions and values, and a wrong order, get a text that begins with ERROR."""
    assert ask(xml).startswith(b"ERROR: ")


@pytest.mark.parametrize(
    "where",
    [
        term("Name", "EQ", "x", opened="("),
        term("Name", "EQ", "x", opened="(") + term("Name", "EQ", "x", glue="Or"),
        term("Name", "EQ", "x") + term("Name", "EQ", "x", glue="Or", closed=")"),
    ],
)
def test_brackets_must_match(ask, where):
    """A bracket that is opened must be closed."""
    assert b"brackets" in ask(question(where=where))


def test_objects_that_are_not_there_all_answer_the_same(erp, ask):
    """Unknown and unlicensed business objects answer exception 100000."""
    erp.unlicense("COMFND", "COMFCH", "COMBRW")
    unknown = b"ERROR: e.net exception raised: 100000"

    assert unknown == ask("<Query/>", "ARSSCU")
    assert unknown == ask(question())
    assert unknown == ask("<Fetch/>", None, "Query/Fetch")
    assert unknown == ask("<Browse/>", None, "Query/Browse")


def test_the_prolog_may_say_what_it_likes(erp, ask):
    """A request may come with its prolog; an answer's bytes and what is said of them can be set apart."""
    where = term("Name", "EQ", "Böttcher")
    request = f'<?xml version="1.0" encoding="Windows-1252"?>\n{question(["Name"], where)}'
    assert b'encoding="Windows-1252"' in ask(request)
    erp.encoding.declared = "utf-8"
    body = ask(request)
    assert body.startswith(b'<?xml version="1.0" encoding="utf-8"?>')
    assert b"B\xf6ttcher" in body
    erp.encoding.sent, erp.encoding.declared = "utf-8", "Windows-1252"
    assert "Böttcher".encode() in ask(request)


def test_hidden_columns_are_left_out_of_rows(erp, ask):
    """What the operator may not see is missing without a word."""
    erp.hide_columns("ArCustomer", "Email")

    assert b"<Row>\n<Name>Anvil &amp; Sons</Name>\n</Row>" in ask(question(["Name", "Email"]))


def test_custom_forms_are_tables(erp, ask):
    """A form's columns are found under the table's name with a plus, answered with an underscore."""
    erp.add_form_field("ArCustomer+", "OptIn", "c1")
    erp.add_form_field("ArCustomer+", "Score", "6.2")
    erp.set_form("ArCustomer+", "2", OptIn="Y", Score=1.5)
    erp.set_form("ArCustomer+", "2", Score=2)

    body = ask(question(["Customer", "OptIn", "Score"], table="ArCustomer+"))

    assert b"<ArCustomer_ " in body
    assert b"<TableName>ArCustomer+</TableName>" in body
    assert b"<OptIn>Y</OptIn>\n<Score>   2.00</Score>" in body


def test_a_malformed_value_is_shown_as_it_is(erp, ask):
    """A value that does not fit its column reaches the reader, and matches no condition."""
    erp.edit("ArCustomer", "1", CreditLimit="n/a", DateLastSale="soon")

    body = ask(question(["CreditLimit", "DateLastSale"]))

    assert b"<CreditLimit>n/a</CreditLimit>\n<DateLastSale>soon</DateLastSale>" in body
    assert ["2", "3"] == found(ask(question(where=term("CreditLimit", "GT", "0"))))


def fetch(key, table="ArCustomer", whole="Y"):
    """A request to COMFCH."""
    return f"<Fetch><TableName>{table}</TableName><Key>{key}</Key><FullKeyProvided>{whole}</FullKeyProvided></Fetch>"


def test_a_single_row_has_every_column(ask):
    """A fetched row shows all columns but the rowversion, dates that are not there as zeros."""
    body = ask(fetch("000000000000003"), None, "Query/Fetch")

    assert b"<Name>Carter</Name>" in body
    assert b"<DateLastSale>0000-00-00</DateLastSale>" in body
    assert b"TimeStamp" not in body


@pytest.mark.parametrize("xml", [fetch("3"), fetch("1", "ArInvoice"), fetch("CASH1", whole="N"), fetch("1", "Nothing")])
def test_a_row_is_fetched_by_its_whole_stored_key(ask, xml):
    """Short keys, parts of keys, and keys of several parts are refused."""
    assert ask(xml, None, "Query/Fetch").startswith(b"ERROR: ")


def browse(**parts):
    """A request to COMBRW."""
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in {"BrowseName": "ArCustomer", **parts}.items())
    return f"<Browse>{inner}</Browse>"


def test_a_browse_comes_in_pages(ask):
    """A page says from where to where it goes, and whether there is more on either side."""
    first = ET.fromstring(ask(browse(ReturnRows="3"), None, "Query/Browse").strip())
    key = first.findtext("NextPrevKey/NextKey")
    parts = {"StartAtKey": key, "StartCondition": "GR", "ReturnRows": "3"}
    second = ET.fromstring(ask(browse(**parts), None, "Query/Browse").strip())
    beyond = ET.fromstring(ask(browse(**{**parts, "StartAtKey": "X"}), None, "Query/Browse").strip())

    assert ("000000000000003", "True", "False") == (key, *(first.findtext(f"NextPrevKey/{n}") for n in ("Fwd", "Back")))
    assert ["CASH1"] == [one.text for one in second.findall("Row/Customer/Value")]
    assert ["False", "True"] == [second.findtext(f"NextPrevKey/{name}") for name in ("Fwd", "Back")]
    assert [] == beyond.findall("Row")


@pytest.mark.parametrize("parts", [{"BrowseName": "SorMaster"}, {"StartCondition": "LE"}, {"ReturnRows": "x"}])
def test_a_browse_must_be_configured(ask, parts):
    """Unknown browses and conditions are refused."""
    assert ask(browse(**parts), None, "Query/Browse").startswith(b"ERROR: ")


def test_contacts_of_an_organisation(erp, ask):
    """CMSQRC shows the contacts of a customer or supplier with their wishes and every address."""
    supplier = erp.add_supplier(name="Quill Paper")
    erp.add_contact(
        first="Jo", email="jo@anvil.com", customer="1", DoNotBulkEmail="Y", MoreEmails=["j@anvil.com"], Telephone="1"
    )
    erp.add_contact(last="Quill", supplier=supplier)
    key = "<Query><Key><KeyType>{}</KeyType><KeyValue>{}</KeyValue></Key></Query>"

    mine = ET.fromstring(ask(key.format("C", "000000000000001"), "CMSQRC").strip())
    short = ET.fromstring(ask(key.format("C", "1"), "CMSQRC").strip())
    theirs = ET.fromstring(ask(key.format("S", supplier), "CMSQRC").strip())
    nobodys = ET.fromstring(ask(key.format("C", "2"), "CMSQRC").strip())

    assert "Jo Hara" == mine.findtext("Contact/PersonalInfo/FullName")
    assert "Y" == mine.findtext("Contact/ContactMethodInfo/DoNotBulkEmail")
    assert "Anvil & Sons" == mine.findtext("Contact/ClassificationInfo/Customers/Customer/CustomerName")
    assert "1" == mine.findtext("Contact/PhoneList/SinglePhone/Telephone")
    emails = [tuple(part.text for part in one) for one in mine.findall("Contact/EmailList/SingleEmail")]
    assert [("W", "jo@anvil.com", "Y", "N"), ("W", "j@anvil.com", "N", "N")] == emails
    assert ET.tostring(mine) == ET.tostring(short)
    assert "Quill Paper" == theirs.findtext("Contact/ClassificationInfo/Suppliers/Supplier/SupplierName")
    assert [] == list(nobodys)
    assert ask(key.format("X", "1"), "CMSQRC").startswith(b"ERROR: ")
    assert ask("<Query/>", "CMSQRC").startswith(b"ERROR: ")


def test_a_contact_may_belong_to_somebody_deleted(erp, ask):
    """A contact keeps the code of a customer that is gone."""
    erp.add_contact(email="jo@anvil.com", customer="1")
    erp.delete("ArCustomer", "1")

    body = ask("<Query><Key><Email>JO@ANVIL.COM</Email></Key></Query>", "CMSQEM")

    assert b"<CustomerCode>000000000000001</CustomerCode>\n<CustomerName/>" in body


def test_contacts_by_address(erp, ask):
    """CMSQEM finds contacts by addresses, which must be in upper case."""
    erp.add_contact(last="One", email="one@anvil.com")
    erp.add_contact(last="Two", email="two@anvil.com", MoreEmails=["TWO@home.com"])
    erp.add_contact(last="Three")
    query = "<Query><Key>{}</Key></Query>"

    both = ask(query.format("<Email>ONE@ANVIL.COM</Email><Email>TWO@HOME.COM</Email>"), "CMSQEM")

    assert ["One", "Two"] == [one.text for one in ET.fromstring(both.strip()).iter("LastName")]
    assert ask(query.format("<Email>one@anvil.com</Email>"), "CMSQEM").startswith(b"ERROR: ")
    assert ask(query.format(""), "CMSQEM").startswith(b"ERROR: ")
    assert ask("<Query/>", "CMSQEM").startswith(b"ERROR: ")


def test_without_contact_management_its_objects_are_missing(erp, ask):
    """A site without the module has none of its business objects."""
    erp.enet.contact_management = False

    assert b"ERROR: e.net exception raised: 100000" == ask("<Query/>", "CMSQRC")


def test_companies_are_listed(ask):
    """COMQCO names the company."""
    assert b"<CompanyId>EDU1</CompanyId>" in ask("<Query/>", "COMQCO")


def test_an_order_comes_as_a_document(erp, ask):
    """SORQRY shows header and lines of an order by its short number, with values worked out."""
    lines = [
        ("B100", "Bike", 2, 250),
        (None, "Wrapping", 1, "4.50"),
        {"LineType": "7", "MStockCode": "ODD", "MOrderQty": 3, "MPrice": 10, "MDiscValFlag": "U", "MDiscValue": 1},
        {"LineType": "1", "MOrderQty": 2, "MPrice": 100, "MDiscPct1": 5, "MDiscValFlag": "V", "MDiscValue": 10},
        {"LineType": "6", "NComment": "Thank you"},
    ]
    erp.add_order("1", lines, number="15574", freight="7.50")
    erp.add_order("NOBODY", number="WEB-1", CustomerName="Passer-by")
    key = "<Query><Key><SalesOrder>{}</SalesOrder></Key>{}</Query>"
    options = (
        "<Option><IncludeFreightLines>N</IncludeFreightLines><IncludeCommentLines>N</IncludeCommentLines></Option>"
    )

    whole = ET.fromstring(ask(key.format("015574", ""), "SORQRY").strip())
    part = ET.fromstring(ask(key.format("015574", options), "SORQRY").strip())
    web = ET.fromstring(ask(key.format("WEB-1", ""), "SORQRY").strip())

    tags = ["Merchandise", "MiscCharge", "Merchandise", "Merchandise", "CommentLine", "Freight"]
    assert tags == [one.tag for one in whole.find("SalesOrderLine")]
    assert tags[:4] == [one.tag for one in part.find("SalesOrderLine")]
    values = [float(one.text) for one in whole.iter("OrderLineValue")]
    assert [500.0, 27.0, 180.0] == values
    assert ("015574", "Anvil & Sons") == (whole.findtext("SalesOrder"), whole.findtext("CustomerName"))
    assert ("WEB-1", "Passer-by") == (web.findtext("SalesOrder"), web.findtext("CustomerName"))
    assert ask(key.format("999", ""), "SORQRY").startswith(b"ERROR: ")
    assert ask("<Query/>", "SORQRY").startswith(b"ERROR: ")


@pytest.mark.parametrize(("delta_type", "value"), [("counter", "0"), ("day", "2020-01-01"), ("moment", None)])
def test_a_sites_change_column_can_be_asked_for(delta_type, value):
    """A column that the site added tells when a row was changed; what e.net shows of a moment is its day."""
    with FakeSyspro(customers=2, delta_column="ChangedOn", delta_type=delta_type) as fake, httpx.Client() as http:
        user_id = http.get(f"{fake.enet_url}/Logon", params=LOGON).text
        where = term("ChangedOn", "GT", value) if value else ""
        xml = question(["ChangedOn"], where, "ChangedOn" if value else "Customer")
        sent = {"UserId": user_id, "BusinessObject": "COMFND", "XmlIn": xml}
        body = http.get(f"{fake.enet_url}/Query/Query", params=sent).content
        sent["XmlIn"] = question(["ChangedOn"], term("ChangedOn", "GT", "x"))
        refused = http.get(f"{fake.enet_url}/Query/Query", params=sent).content

    assert 2 == len(found(body, "ChangedOn"))
    assert refused.startswith(b"ERROR: ")
