"""What a client of Acumatica relies on, and what it has to survive, as the fake behaves."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from hypothesis import given, strategies as st

from mlconnector_sdk.testing._people import companies
from mlconnector_sdk.testing.fakes._acumatica import FakeAcumatica
from mlconnector_sdk.testing.fakes._acumatica_errors import Refusal
from mlconnector_sdk.testing.fakes._acumatica_filter import Operand, Resolver, compile_filter

LOGIN = {"name": "sync", "password": "correct horse", "tenant": "Acme"}
CLIENT = {"client_id": "88358B02-A48D-A50E-F710-39C1636C30F6@Acme", "client_secret": "s3cret"}
PASSWORD_GRANT = {**CLIENT, "grant_type": "password", "username": "sync", "password": "correct horse"}


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = datetime(2024, 6, 1, 12, 0, 0, 500_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock():
    """A clock that stands still until moved."""
    return Clock()


@pytest.fixture
def erp(clock):
    """A fake with no records, on that clock."""
    with FakeAcumatica(clock=clock) as fake:
        yield fake


@pytest.fixture
def http(erp):
    """A client that has not signed in."""
    with httpx.Client(base_url=erp.base_url) as client:
        yield client


@pytest.fixture
def signed_in(http):
    """A client with a cookie session."""
    assert 204 == http.post("/entity/auth/login", json=LOGIN).status_code
    return http


def ask(client, entity, version="24.200.001", **query):
    """A list or a record, with query options without their `$`."""
    params = {f"${name}": str(value) for name, value in query.items()}
    return client.get(f"/entity/Default/{version}/{entity}", params=params)


def ids(answer, name="CustomerID"):
    """The keys in an answer, in its order."""
    assert 200 == answer.status_code, answer.text
    return [row[name]["value"] for row in answer.json()]


def token(client, **form):
    """A token request by password, with changes."""
    return client.post("/identity/connect/token", data={**PASSWORD_GRANT, "scope": "api offline_access", **form})


def bearer(answer):
    """The header for the token in an answer."""
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


# -- addresses -------------------------------------------------------------------------------------------


def test_the_listing_needs_no_sign_in(http):
    """The endpoint listing answers anybody and names the versions of Default."""
    rows = http.get("/entity").json()["endpoints"]
    found = [row["version"] for row in rows if row["name"] == "Default"]
    assert ["20.200.001", "22.200.001", "23.200.001", "24.200.001"] == found


def test_a_wrong_site_folder_is_an_html_404(erp):
    """A missing site folder gives a page, not JSON."""
    answer = httpx.get(f"{erp.url}/Other/entity")
    assert (404, True) == (answer.status_code, answer.text.startswith("<!DOCTYPE html>"))


def test_a_site_may_live_in_the_root():
    """With an empty site the instance root is the host, and `href` has no folder."""
    with FakeAcumatica(site="") as fake:
        assert fake.url == fake.base_url
        assert "/entity/Default/20.200.001/" == httpx.get(f"{fake.base_url}/entity").json()["endpoints"][0]["href"]


@pytest.mark.parametrize("path", ["Default/25.200.001/Customer", "Nope/24.200.001/Customer", "Default/24.200.001/Nope"])
def test_wrong_endpoint_version_or_entity_is_404(signed_in, path):
    """An endpoint, version or entity that is not there is a 404."""
    assert 404 == signed_in.get(f"/entity/{path}").status_code


# -- cookie log-in ---------------------------------------------------------------------------------------


def test_log_in_sets_the_vendors_cookies(http):
    """Log-in answers 204 with all cookies, one line twice, none marked Secure."""
    answer = http.post("/entity/auth/login", json=LOGIN)
    lines = answer.headers.get_list("set-cookie")
    names = Counter(line.partition("=")[0] for line in lines)
    expected = {".ASPXAUTH", "ASP.NET_SessionId", "CompanyID", "Locale", "UserBranch", "requestid", "requeststat"}
    assert (204, b"", expected) == (answer.status_code, answer.content, set(names))
    assert 2 == names["ASP.NET_SessionId"]
    assert not [line for line in lines if "Secure" in line]


def test_log_in_takes_form_fields_and_the_older_tenant_name(http):
    """A form-encoded log-in and `company` for `tenant` work as well."""
    form = {"name": "sync", "password": "correct horse", "company": "Acme"}
    assert 204 == http.post("/entity/auth/login", data=form).status_code


def test_a_wrong_password_is_a_500(http):
    """Bad credentials are a 500 whose message says so."""
    answer = http.post("/entity/auth/login", json={**LOGIN, "password": "x"})
    assert (500, "Error: Invalid credentials. Please try again.") == (
        answer.status_code,
        answer.json()["exceptionMessage"],
    )


def test_the_fifth_wrong_password_locks_the_account(http):
    """After five wrong tries the right password fails too."""
    for _ in range(5):
        http.post("/entity/auth/login", json={**LOGIN, "password": "x"})
    assert "locked out" in http.post("/entity/auth/login", json=LOGIN).json()["exceptionMessage"]


def test_four_wrong_passwords_do_not_lock(http):
    """The right password after four wrong tries still works."""
    for _ in range(4):
        http.post("/entity/auth/login", json={**LOGIN, "password": "x"})
    assert 204 == http.post("/entity/auth/login", json=LOGIN).status_code


@pytest.mark.parametrize("body", [{**LOGIN, "tenant": "Other"}, {"name": "sync", "password": "correct horse"}])
def test_an_unknown_or_missing_tenant_is_undefined(http, body):
    """On a site with several tenants a wrong tenant or none is PXUndefinedCompanyException."""
    assert "PX.Data.PXUndefinedCompanyException" == http.post("/entity/auth/login", json=body).json()["exceptionType"]


def test_a_single_tenant_site_takes_any_tenant():
    """With one tenant only, the tenant in the log-in does not matter."""
    with FakeAcumatica(single_tenant=True) as fake:
        assert 204 == httpx.post(f"{fake.base_url}/entity/auth/login", json={**LOGIN, "tenant": "x"}).status_code


def test_data_without_a_session_is_401(http):
    """A data call without sign-in is a 401 with a message."""
    answer = ask(http, "Customer")
    assert (401, {"message"}) == (answer.status_code, answer.json().keys())


def test_every_cookie_must_come_back(erp, signed_in):
    """The session cookie alone is not enough."""
    only = {"ASP.NET_SessionId": signed_in.cookies["ASP.NET_SessionId"]}
    assert 401 == httpx.get(f"{erp.endpoint_url}/Customer", cookies=only).status_code


def test_log_out_frees_the_seat(erp, signed_in):
    """Log-out answers 204, closes the session and frees its seat."""
    assert 1 == erp.open_sessions
    assert 204 == signed_in.post("/entity/auth/logout").status_code
    assert (0, 401) == (erp.open_sessions, ask(signed_in, "Customer").status_code)


def test_a_session_ends_after_ten_idle_minutes(clock, signed_in):
    """A cookie session lives as long as no ten minutes pass without a call."""
    for _ in range(3):
        clock.forward(minutes=9)
        assert 200 == ask(signed_in, "Customer").status_code
    clock.forward(minutes=10)
    assert 401 == ask(signed_in, "Customer").status_code


def test_a_post_without_length_is_411(erp):
    """IIS refuses a POST without Content-Length."""
    with httpx.Client() as client:
        request = client.build_request("POST", f"{erp.base_url}/entity/auth/logout")
        del request.headers["Content-Length"]
        assert 411 == client.send(request).status_code


# -- seats -----------------------------------------------------------------------------------------------


def test_seats_are_limited(erp):
    """One session more than licensed is refused with API Login Limit."""
    answers = [httpx.post(f"{erp.base_url}/entity/auth/login", json=LOGIN) for _ in range(3)]
    assert [204, 204, 500] == [answer.status_code for answer in answers]
    assert "API Login Limit" in answers[2].json()["exceptionMessage"]
    assert (2, 2) == (erp.open_sessions, erp.logins)


def test_a_forced_seat_limit_can_be_switched_off(erp, http):
    """The preset stays until it is switched off."""
    erp.seat_limit("html")
    assert "API Login Limit" in http.post("/entity/auth/login", json=LOGIN).text
    erp.seat_limit(None)
    assert 204 == http.post("/entity/auth/login", json=LOGIN).status_code


def test_a_new_token_meets_the_seat_limit_on_its_first_call(erp, http):
    """With OAuth the seat is taken by the first data call, not by the token request."""
    answer = token(http)
    erp.seat_limit("iis")
    assert (200, 429) == (
        answer.status_code,
        http.get("/entity/Default/24.200.001/Customer", headers=bearer(answer)).status_code,
    )


# -- OAuth 2 ---------------------------------------------------------------------------------------------


def test_a_token_lives_an_hour(clock, http):
    """An access token is good for 3600 seconds."""
    headers = bearer(token(http))
    clock.forward(seconds=3599)
    assert 200 == http.get("/entity/Default/24.200.001/Customer", headers=headers).status_code
    clock.forward(seconds=1)
    assert 401 == http.get("/entity/Default/24.200.001/Customer", headers=headers).status_code


def test_only_offline_access_brings_a_refresh_token(http):
    """Without `offline_access` there is no refresh token."""
    assert "refresh_token" not in token(http, scope="api").json()
    assert "refresh_token" in token(http).json()


def test_rotating_refresh_tokens_are_single_use(http):
    """A used refresh token is refused with invalid_grant; the new one works."""
    old = token(http).json()["refresh_token"]
    new = token(http, grant_type="refresh_token", refresh_token=old).json()["refresh_token"]
    again = token(http, grant_type="refresh_token", refresh_token=old)
    assert (400, {"error": "invalid_grant"}) == (again.status_code, again.json())
    assert 200 == token(http, grant_type="refresh_token", refresh_token=new).status_code


def test_refresh_tokens_may_be_lasting(erp, http):
    """Without rotation a refresh brings no new refresh token and the old one stays good."""
    erp.rotate_refresh_tokens = False
    old = token(http).json()["refresh_token"]
    answers = [token(http, grant_type="refresh_token", refresh_token=old) for _ in range(2)]
    assert [(200, False)] * 2 == [(answer.status_code, "refresh_token" in answer.json()) for answer in answers]


def test_the_refresh_chain_ends_thirty_days_after_the_first_sign_in(clock, http):
    """Refreshing does not prolong the 30 days of the first sign-in."""
    refresh = token(http).json()["refresh_token"]
    clock.forward(days=29)
    refresh = token(http, grant_type="refresh_token", refresh_token=refresh).json()["refresh_token"]
    clock.forward(days=1)
    assert 400 == token(http, grant_type="refresh_token", refresh_token=refresh).status_code


def test_refreshing_keeps_the_session(erp, http):
    """With `offline_access` the refreshed token uses the session of the same grant."""
    first = token(http)
    http.get("/entity/Default/24.200.001/Customer", headers=bearer(first))
    second = token(http, grant_type="refresh_token", refresh_token=first.json()["refresh_token"])
    http.get("/entity/Default/24.200.001/Customer", headers=bearer(second))
    assert (1, 1) == (erp.open_sessions, erp.logins)


def test_plain_api_tokens_have_a_session_each(erp, http):
    """Without `offline_access` each token opens a session of its own."""
    for _ in range(2):
        http.get("/entity/Default/24.200.001/Customer", headers=bearer(token(http, scope="api")))
    assert 2 == erp.open_sessions


def test_concurrent_access_without_cookies_takes_a_seat_per_call(erp, http):
    """With `api:concurrent_access` a call that sends no cookies back opens another session."""
    headers = bearer(token(http, scope="api api:concurrent_access"))
    statuses = [httpx.get(f"{erp.endpoint_url}/Customer", headers=headers).status_code for _ in range(3)]
    assert [200, 200, 500] == statuses


def test_concurrent_access_with_cookies_keeps_its_seat(erp, http):
    """With the cookies sent back the session is the same."""
    headers = bearer(token(http, scope="api api:concurrent_access"))
    statuses = [http.get("/entity/Default/24.200.001/Customer", headers=headers).status_code for _ in range(3)]
    assert ([200, 200, 200], 1) == (statuses, erp.open_sessions)


def test_bearer_log_out_frees_the_seat_and_leaves_the_token(erp, http):
    """After a bearer log-out the seat is free, and using the token again opens a new session."""
    headers = bearer(token(http))
    http.get("/entity/Default/24.200.001/Customer", headers=headers)
    http.post("/entity/auth/logout", headers=headers)
    assert 0 == erp.open_sessions
    assert 200 == http.get("/entity/Default/24.200.001/Customer", headers=headers).status_code
    assert (1, 2) == (erp.open_sessions, erp.logins)


def test_revoking_does_not_free_the_seat(erp, http):
    """A revoked token is dead while its seat stays taken."""
    answer = token(http)
    http.get("/entity/Default/24.200.001/Customer", headers=bearer(answer))
    http.post("/identity/connect/revocation", data={**CLIENT, "token": answer.json()["access_token"]})
    assert 401 == http.get("/entity/Default/24.200.001/Customer", headers=bearer(answer)).status_code
    assert 1 == erp.open_sessions


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"client_secret": "x"}, "invalid_client"),
        ({"client_id": "88358B02-A48D-A50E-F710-39C1636C30F6@Other"}, "invalid_client"),
        ({"password": "x"}, "invalid_grant"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
    ],
)
def test_refused_token_requests_name_the_error(http, change, error):
    """The token endpoint refuses with 400 and the OAuth error code."""
    answer = token(http, **change)
    assert (400, {"error": error}) == (answer.status_code, answer.json())


def test_basic_client_authentication_is_refused(http):
    """The client secret counts in the form body only."""
    form = {**PASSWORD_GRANT, "scope": "api"}
    answer = http.post("/identity/connect/token", data=form, auth=(CLIENT["client_id"], CLIENT["client_secret"]))
    assert {"error": "invalid_client"} == answer.json()


def test_wrong_passwords_for_tokens_lock_the_account_too(http):
    """Password grants count as tries: five wrong ones lock the user."""
    for _ in range(5):
        token(http, password="x")
    assert 400 == token(http).status_code


def test_an_authorization_code_works_once_with_its_verifier(http):
    """A code from the sign-in page is exchanged once, with the PKCE verifier that fits its challenge."""
    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    redirect = "http://localhost/back"
    query = {"client_id": CLIENT["client_id"], "response_type": "code", "scope": "api", "redirect_uri": redirect}
    page = http.get("/identity/connect/authorize", params={**query, "state": "s1", "code_challenge": challenge})
    sent = parse_qs(urlsplit(page.headers["location"]).query)
    form = {**CLIENT, "grant_type": "authorization_code", "redirect_uri": redirect, "code": sent["code"][0]}
    assert ["s1"] == sent["state"]
    answers = [http.post("/identity/connect/token", data={**form, "code_verifier": verifier}) for _ in range(2)]
    assert [200, 400] == [answer.status_code for answer in answers]


@pytest.mark.parametrize("change", [{"code_verifier": "wrong"}, {"redirect_uri": "http://localhost/other"}])
def test_a_code_needs_its_verifier_and_its_address(erp, http, change):
    """A wrong verifier or redirect address spoils the code."""
    code = erp.issue_code("http://localhost/back", code_challenge="challenge")
    form = {**CLIENT, "grant_type": "authorization_code", "redirect_uri": "http://localhost/back", "code": code}
    assert {"error": "invalid_grant"} == http.post("/identity/connect/token", data={**form, **change}).json()


def test_discovery_names_the_token_address(erp, http):
    """The discovery document lies under the site folder and names the addresses there."""
    document = http.get("/identity/.well-known/openid-configuration").json()
    assert f"{erp.base_url}/identity/connect/token" == document["token_endpoint"]


def test_expired_tokens_and_sessions_can_be_forced(erp, http, signed_in):
    """The dials end every session and every token at once."""
    erp.expire_sessions()
    assert 401 == ask(signed_in, "Customer").status_code
    answer = token(http)
    erp.expire_tokens()
    assert 401 == http.get("/entity/Default/24.200.001/Customer", headers=bearer(answer)).status_code


# -- rows ------------------------------------------------------------------------------------------------


def test_values_are_wrapped_and_empty_ones_are_bare_objects(erp, signed_in):
    """A value is `{"value": …}`, nothing is `{}`, and system keys are bare."""
    erp.add_customer("C1", name="Quill", BAccountID=7)
    row = ask(signed_in, "Customer").json()[0]
    assert ({"value": "C1"}, {"value": 7}, {}) == (row["CustomerID"], row["BAccountID"], row["TaxZone"])
    assert (1, {"value": ""}, {}) == (row["rowNumber"], row["note"], row["custom"])


def test_what_is_not_expanded_is_absent(erp, signed_in):
    """Linked and detail entities have no key at all unless expanded."""
    erp.add_customer("C1")
    assert not ask(signed_in, "Customer").json()[0].keys() & {"MainContact", "PrimaryContact", "Contacts"}
    main = ask(signed_in, "Customer", expand="MainContact").json()[0]["MainContact"]
    assert "Address" not in main
    assert main["note"] is None


def test_select_cuts_fields_and_needs_the_expand_for_nested_ones(erp, signed_in):
    """Only selected fields come, nested ones only with their parents expanded."""
    erp.add_customer("C1", email="a@harbor.com")
    query = {"select": "CustomerID,MainContact/Email"}
    assert {"id", "rowNumber", "note", "CustomerID", "custom"} == ask(signed_in, "Customer", **query).json()[0].keys()
    row = ask(signed_in, "Customer", expand="MainContact", **query).json()[0]
    assert {"value": "a@harbor.com"} == row["MainContact"]["Email"]
    assert "Phone1" not in row["MainContact"]


def test_an_expanded_collection_that_is_not_selected_is_an_empty_list(erp, signed_in):
    """With `$select`, an expanded collection nobody selected comes as `[]`."""
    erp.add_invoice("C1", [("A", "a", 1, 1)])
    answer = ask(signed_in, "SalesInvoice", select="ReferenceNbr", expand="Details")
    assert [] == answer.json()[0]["Details"]


def test_stamps_drop_trailing_zeros(erp, signed_in):
    """Fractions have no trailing zeros, whole seconds no fraction, and the offset is +00:00."""
    for key, micro in (("C1", 837_000), ("C2", 120_000), ("C3", 0)):
        erp.add_customer(key, LastModifiedDateTime=datetime(2024, 5, 19, 22, 50, 36, micro, tzinfo=UTC))
    rows = ask(signed_in, "Customer", select="LastModifiedDateTime").json()
    texts = [row["LastModifiedDateTime"]["value"] for row in rows]
    start = "2024-05-19T22:50:36"
    assert [f"{start}.837+00:00", f"{start}.12+00:00", f"{start}+00:00"] == texts


def test_business_dates_are_midnight(erp, signed_in):
    """A document date is the calendar day at midnight UTC."""
    erp.add_invoice("C1", date=date(2024, 5, 20))
    assert "2024-05-20T00:00:00+00:00" == ask(signed_in, "SalesInvoice").json()[0]["Date"]["value"]


@pytest.mark.parametrize(
    ("version", "present"),
    [("20.200.001", set()), ("22.200.001", {"NoteID"}), ("23.200.001", {"NoteID", "Email"})],
)
def test_fields_follow_the_version(erp, signed_in, version, present):
    """Each version shows the fields it had."""
    erp.add_customer("C1")
    assert present == ask(signed_in, "Customer", version).json()[0].keys() & {"NoteID", "Email"}


def test_older_sales_invoices_have_no_stamp_but_the_screen_does(erp, signed_in):
    """On 20.200.001 the invoice's stamp is reachable only as a screen field."""
    erp.add_invoice("C1", LastModifiedDateTime=datetime(2024, 5, 1, tzinfo=UTC))
    old = "20.200.001"
    assert 500 == ask(signed_in, "SalesInvoice", old, select="LastModifiedDateTime").status_code
    screen = "Document.LastModifiedDateTime"
    test = f"cf.DateTime(f='{screen}') gt datetimeoffset'2024-04-30T00:00:00Z'"
    row = ask(signed_in, "SalesInvoice", old, filter=test, custom=screen).json()[0]
    expected = {"type": "CustomDateTimeField", "value": "2024-05-01T00:00:00+00:00"}
    assert expected == row["custom"]["Document"]["LastModifiedDateTime"]


def test_a_sites_own_field_is_found_by_custom_filter_and_schema(erp, signed_in):
    """A custom field put on a record can be selected, filtered and is listed by $adHocSchema."""
    erp.add_customer("C1", custom={"CurrentCustomer": {"UsrNoMail": True}})
    erp.add_customer("C2")
    path = "CurrentCustomer.UsrNoMail"
    rows = ask(signed_in, "Customer", custom=path, filter=f"cf.Boolean(f='{path}') eq true").json()
    assert [{"CurrentCustomer": {"UsrNoMail": {"type": "CustomBooleanField", "value": True}}}] == [
        row["custom"] for row in rows
    ]
    schema = ask(signed_in, "Customer/$adHocSchema").json()
    assert {"CurrentCustomer": {"UsrNoMail": {"type": "CustomBooleanField"}}} == schema["custom"]


def test_rows_come_in_key_order_whatever_is_asked(erp, signed_in):
    """`$orderby` and unknown parameters are ignored; keys ascend without regard to case."""
    for key in ("b2", "A1", "C3"):
        erp.add_customer(key)
    assert ["A1", "b2", "C3"] == ids(ask(signed_in, "Customer", orderby="CustomerID desc", count="true"))


def test_skip_comes_before_top_and_there_is_no_default_page(erp, signed_in):
    """Paging skips first; without `$top` every row comes."""
    for number in range(1200):
        erp.add_customer(f"C{number:04d}")
    assert 1200 == len(ids(ask(signed_in, "Customer", select="CustomerID")))
    assert ["C1198", "C1199"] == ids(ask(signed_in, "Customer", select="CustomerID", skip=1198, top=5))


def test_a_row_edited_between_pages_moves_the_others(erp, signed_in):
    """There is no snapshot: a row that leaves the window shifts the next page."""
    old = datetime(2024, 1, 1, tzinfo=UTC)
    for key in ("C1", "C2", "C3"):
        erp.add_customer(key, LastModifiedDateTime=old)
    test = "LastModifiedDateTime le datetimeoffset'2024-02-01T00:00:00Z'"
    first = ids(ask(signed_in, "Customer", filter=test, top=1))
    erp.edit("Customer", "C1", Status="On Hold")
    assert (["C1"], ["C3"]) == (first, ids(ask(signed_in, "Customer", filter=test, top=1, skip=1)))


def test_changes_in_place_are_seen(erp, signed_in):
    """A record changed by hand, nested values included, is answered and filtered as it is now."""
    key = erp.add_customer("C1", email="old@harbor.com")
    test = "MainContact/Email eq 'new@harbor.com'"
    assert [] == ids(ask(signed_in, "Customer", filter=test))
    erp.customers[key]["MainContact"]["Email"] = "new@harbor.com"
    assert ["C1"] == ids(ask(signed_in, "Customer", filter=test))


# -- single records --------------------------------------------------------------------------------------


def test_records_are_found_by_key_guid_and_bar(erp, signed_in):
    """A record answers at its key, at its GUID, and with `|` between keys."""
    kind, number = erp.add_invoice("C1", type="Credit Memo", number="AR9")
    identity = erp.sales_invoices[kind, number]["id"]
    paths = ["SalesInvoice/Credit%20Memo/AR9", "SalesInvoice/Credit%20Memo%7CAR9", f"SalesInvoice/{identity}"]
    assert [identity] * 3 == [ask(signed_in, path).json()["id"] for path in paths]


def test_a_key_with_a_slash_needs_the_guid(erp, signed_in):
    """An encoded slash still splits the key; the GUID finds the record."""
    erp.put("StockItem", {"InventoryID": "PUMP/3-4"})
    assert 500 == ask(signed_in, f"StockItem/{quote('PUMP/3-4', safe='')}").status_code
    assert 200 == ask(signed_in, f"StockItem/{erp.stock_items['PUMP/3-4']['id']}").status_code


def test_a_missing_record_is_a_500(erp, signed_in):
    """There is no 404 for a record: NoEntitySatisfiesTheCondition."""
    erp.add_customer("C1")
    erp.delete("Customer", "C1")
    assert "NoEntitySatisfies" in ask(signed_in, "Customer/C1").json()["exceptionType"]


def test_links_are_from_the_host_root(erp, signed_in):
    """`_links` of a single record already hold the site folder."""
    erp.add_customer("C1")
    assert ask(signed_in, "Customer/C1").json()["_links"]["self"].startswith("/Acme/entity/Default/")


# -- filters ---------------------------------------------------------------------------------------------


@pytest.fixture
def three(erp, signed_in):
    """A client of a site with three different customers."""
    stamp = datetime(2024, 5, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    erp.add_customer(
        "C1", name="O'Hara Supply", email="a@harbor.com", LastModifiedDateTime=stamp, CreditLimit=Decimal(5)
    )
    later = stamp + timedelta(days=1)
    erp.add_customer("C2", name="Müller", status="On Hold", IsGuestCustomer=True, LastModifiedDateTime=later)
    erp.add_customer(
        "C3", name="王", email="c@harbor.com", BAccountID=9, LastModifiedDateTime=stamp + timedelta(days=2)
    )
    return signed_in


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CustomerName eq 'O''Hara Supply'", ["C1"]),
        ("CustomerName eq '王'", ["C3"]),
        ("Status eq 'On Hold' or CustomerID eq 'C3'", ["C2", "C3"]),
        ("Status eq 'Active' and CustomerID gt 'C1'", ["C3"]),
        ("CustomerID eq 'C1' or CustomerID eq 'C2' and Status eq 'Active'", ["C1"]),
        ("not (Status eq 'Active')", ["C2"]),
        ("LastModifiedDateTime gt datetimeoffset'2024-05-01T12:00:00.5Z'", ["C2", "C3"]),
        ("LastModifiedDateTime ge datetimeoffset'2024-05-01T15:00:00.500+03:00'", ["C1", "C2", "C3"]),
        ("LastModifiedDateTime lt datetimeoffset'2024-05-02'", ["C1"]),
        ("MainContact/Email eq 'c@harbor.com'", ["C3"]),
        ("Email ne 'c@harbor.com'", ["C1"]),
        ("IsGuestCustomer eq true", ["C2"]),
        ("BAccountID eq 9", ["C3"]),
        ("CreditLimit ge 5M", ["C1"]),
        ("CreditLimit eq 0.0m", ["C2", "C3"]),
        ("substringof('hara',CustomerName)", ["C1"]),
        ("startswith(CustomerName,'Mü')", ["C2"]),
        ("endswith(CustomerName, 'Supply')", ["C1"]),
    ],
)
def test_filters_select(three, text, expected):
    """Documented operators, functions and literals select the right rows."""
    assert expected == ids(ask(three, "Customer", filter=text))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Nothing eq 'x'", "not present in the dictionary"),
        ("MainContact/Nothing eq 'x'", "not present in the dictionary"),
        ("IsGuestCustomer eq 'true'", "incompatible types"),
        ("LastModifiedDateTime gt '2024-05-01'", "incompatible types"),
        ("LastModifiedDateTime gt datetime'2024-05-01T00:00:00'", "incompatible types"),
        ("LastModifiedDateTime gt datetimeoffset'yesterday'", "Unrecognized"),
        ("LastModifiedDateTime gt datetimeoffset'2024-05-01T00:00:00 03:00'", "Unrecognized"),
        ("LastModifiedDateTime gt date'2024-05-01'", "Unrecognized"),
        ("CreditLimit gt 0", "Type conversions are not supported"),
        ("CreditLimit gt 0.5", "Type conversions are not supported"),
        ("BAccountID eq 9M", "Type conversions are not supported"),
        ("BAccountID eq '9'", "incompatible types"),
        ("contains(CustomerName,'x')", "unknown function"),
        ("substringof(CustomerName,'x')", "No function signature"),
        ("CustomerName eq null", "not supported"),
        ("CustomerName eq 'O'Hara'", "Syntax error"),
        ("CustomerName = 'x'", "Syntax error"),
        ("(CustomerName eq 'x'", "Syntax error"),
        ("CustomerName eq 'x' and", "Syntax error"),
        ("1 eq 1", "needs a field"),
        ("Contacts/ContactID eq 5", "Optimization cannot be performed"),
    ],
)
def test_refused_filters_are_500(three, text, problem):
    """Unknown names, wrong literals, detail rows and foreign syntax are a 500 that says why."""
    answer = ask(three, "Customer", filter=text)
    assert 500 == answer.status_code
    assert problem in answer.json()["exceptionMessage"]


class _OneField(Resolver):
    def field(self, path):
        return Operand("S", lambda row: row["name"])


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_doubled_apostrophes_carry_any_text(wanted, other):
    """A quoted text with doubled apostrophes finds a record with that text and nothing else."""
    wanted = wanted.rstrip(" ") or "x"
    test = compile_filter(f"name eq '{wanted.replace(chr(39), chr(39) * 2)}'", _OneField())
    assert test({"name": wanted}) is True
    same = other.rstrip(" ").casefold() == wanted.casefold()
    assert (test({"name": other}) is True) == same


@given(st.text("ab' ()eqnotrd,1", max_size=12))
def test_no_filter_text_breaks_the_parser(text):
    """Any text is either taken or refused with an answer."""
    try:
        compile_filter(text, _OneField())
    except Refusal as refusal:
        status = refusal.reply.status
    else:
        status = 200
    assert status in {200, 500}


@pytest.mark.parametrize("name", ["select", "expand", "custom"])
def test_unknown_names_are_500(erp, signed_in, name):
    """Unknown names are a KeyNotFoundException anywhere, on an empty table too."""
    value = "Nowhere.Nothing" if name == "custom" else "Nothing"
    assert "KeyNotFoundException" in ask(signed_in, "Customer", **{name: value}).json()["exceptionType"]


@pytest.mark.parametrize("query", [{"select": "CustomerID,PrimaryContact/Email", "expand": "PrimaryContact"},
                                   {"expand": "PrimaryContact"},
                                   {"filter": "PrimaryContact/Email eq 'x'"}])  # fmt: skip
def test_lists_that_touch_a_blocked_part_fail_and_single_records_do_not(erp, signed_in, query):
    """CannotOptimize hits the list query only, whether it selects, expands or filters the part."""
    erp.add_customer("C1")
    erp.cannot_optimize = {"Customer": ["PrimaryContact"]}
    answer = ask(signed_in, "Customer", **query)
    assert "CannotOptimizeException" in answer.json()["exceptionType"]
    assert "\r\nPrimaryContact: View " in answer.json()["exceptionMessage"]
    assert 200 == ask(signed_in, "Customer", select="CustomerID").status_code
    assert 200 == ask(signed_in, "Customer/C1", expand="PrimaryContact").status_code


# -- stamps ----------------------------------------------------------------------------------------------


def test_an_edited_company_address_leaves_the_customers_stamp(erp, clock):
    """Editing the main contact does not move Customer.LastModifiedDateTime; editing the account does."""
    key = erp.add_customer(email="a@harbor.com")
    before = erp.customers[key]["LastModifiedDateTime"]
    clock.forward(days=1)
    erp.edit("Customer", key, **{"MainContact.Email": "b@harbor.com", "MainContact.Address.City": "Kirkland"})
    assert before == erp.customers[key]["LastModifiedDateTime"]
    assert "b@harbor.com" == erp.customers[key]["MainContact"]["Email"]
    erp.edit("Customer", key, Status="Inactive")
    assert before + timedelta(days=1) == erp.customers[key]["LastModifiedDateTime"]


def test_the_primary_contact_is_the_contact(erp, clock, signed_in):
    """Editing a customer's primary contact changes and stamps the contact, not the customer."""
    key = erp.add_customer()
    person = erp.add_contact(first="Mary", account=key, primary=True)
    clock.forward(minutes=9)
    erp.edit("Customer", key, **{"PrimaryContact.NoMassMail": True})
    test = "PrimaryContact/LastModifiedDateTime gt datetimeoffset'2024-06-01T12:05:00Z'"
    assert erp.contacts[person]["NoMassMail"]
    assert [key] == ids(ask(signed_in, "Customer", filter=test))
    assert [] == ids(ask(signed_in, "Customer", filter=test.removeprefix("PrimaryContact/")))


def test_an_edit_can_leave_the_stamp(erp, clock):
    """With `stamp=False` nothing but the value changes."""
    key = erp.add_customer()
    before = erp.customers[key]["LastModifiedDateTime"]
    clock.forward(days=1)
    erp.edit("Customer", key, stamp=False, Status="On Hold")
    assert (before, "On Hold") == (erp.customers[key]["LastModifiedDateTime"], erp.customers[key]["Status"])


def test_the_date_header_is_the_servers_clock(clock, http):
    """The `Date` header shows the fake's own clock, in whole seconds."""
    assert clock.now.replace(microsecond=0) == parsedate_to_datetime(http.get("/entity").headers["date"])


# -- invoices --------------------------------------------------------------------------------------------


def test_totals_follow_from_the_lines(erp):
    """The amount is lines less discount plus freight and tax, the balance zero once closed."""
    lines = [("A", "a", 2, "10.00"), (None, "Gift wrapping", "0.5", 4), ("A", "returned", -1, 10)]
    key = erp.add_invoice("C1", lines, discount="1.20", freight=5, tax="0.80", status="Closed")
    row = erp.sales_invoices[key]
    amounts = [row[name] for name in ("DetailTotal", "Amount", "Balance")]
    assert [Decimal("12.00"), Decimal("16.60"), 0] == amounts


def test_invoice_shows_posted_documents_under_its_own_names(erp, signed_in):
    """`Invoice` has the posted sales invoices with `Customer` and `TransactionDescription`, and no others."""
    key = erp.add_invoice("C1", [("A", "Pump", 2, 10)], email="ap@harbor.com")
    erp.add_invoice("C1", status="Balanced")
    erp.add_invoice("C1", type="Cash Sale")
    rows = ask(signed_in, "Invoice", expand="Details,BillToContact").json()
    line = rows[0]["Details"][0]
    assert [key[1]] == [row["ReferenceNbr"]["value"] for row in rows]
    assert ({"value": "C1"}, {"value": "Pump"}) == (rows[0]["Customer"], line["TransactionDescription"])
    assert {"value": "ap@harbor.com"} == rows[0]["BillToContact"]["Email"]
    assert "C1" == erp.invoices[key]["Customer"]


def test_a_line_carries_the_account_text_as_description(erp, signed_in):
    """`Details.Description` is the ledger account's text; the line's own text is `TransactionDescr`."""
    erp.add_invoice("C1", [("A", "Pump", 1, 1)])
    line = ask(signed_in, "SalesInvoice", expand="Details").json()[0]["Details"][0]
    assert ("Sales Revenue", "Pump") == (line["Description"]["value"], line["TransactionDescr"]["value"])


def test_the_top_level_bill_to_contact_is_always_empty(erp, signed_in):
    """On 24.200.001 the invoice's own BillToContact has no mapping; the address is under BillingSettings."""
    erp.add_invoice("C1", email="ap@harbor.com")
    expand = "BillToContact,BillingSettings,BillingSettings/BillToContact"
    row = ask(signed_in, "SalesInvoice", expand=expand).json()[0]
    assert "Email" not in row["BillToContact"]
    assert {"value": "ap@harbor.com"} == row["BillingSettings"]["BillToContact"]["Email"]


# -- rights and writes -----------------------------------------------------------------------------------


def test_a_missing_right_is_403_for_that_form_only(erp, signed_in):
    """A forbidden entity is a 403; others go on; the right can be given back."""
    erp.forbid("Customer")
    assert [403, 200] == [ask(signed_in, name).status_code for name in ("Customer", "Contact")]
    erp.forbid("Customer", allow=True)
    assert 200 == ask(signed_in, "Customer").status_code


def test_without_customer_management_there_are_no_contacts():
    """With the feature off `Contact` is a 403 while a customer's primary contact still shows."""
    with FakeAcumatica(crm=False) as fake, httpx.Client(base_url=fake.base_url) as client:
        fake.add_contact(account=fake.add_customer(), last="Ortiz", primary=True)
        client.post("/entity/auth/login", json=LOGIN)
        assert 403 == ask(client, "Contact").status_code
        shown = ask(client, "Customer", expand="PrimaryContact").json()[0]["PrimaryContact"]
    assert {"value": "Ortiz"} == shown["LastName"]


def put(client, entity, body, headers=None, **query):
    """A write, with query options without their `$`."""
    params = {f"${name}": value for name, value in query.items()}
    return client.put(f"/entity/Default/24.200.001/{entity}", json=body, headers=headers, params=params)


def test_an_opt_out_is_written_by_key_identity_or_filter(erp, clock, signed_in):
    """A `PUT` finds its record by key, by `id` or by `$filter`, saves, stamps and echoes."""
    number = erp.add_contact(first="Mary", email="mary@harbor.com")
    flags = itertools.cycle((True, False))
    finders = [({"ContactID": {"value": number}}, {}), ({"id": erp.contacts[number]["id"]}, {})]
    finders.append(({}, {"filter": "Email eq 'mary@harbor.com'"}))
    for (finder, query), flag in zip(finders, flags, strict=False):
        clock.forward(minutes=1)
        answer = put(signed_in, "Contact", {**finder, "NoMassMail": {"value": flag}}, **query)
        assert (200, {"value": flag}) == (answer.status_code, answer.json()["NoMassMail"])
        assert clock.now == erp.contacts[number]["LastModifiedDateTime"]
    assert 1 == len(erp.contacts)


def test_an_unchanged_write_keeps_the_stamp(erp, clock, signed_in):
    """Only values that differ are saved."""
    number = erp.add_contact(NoMassMail=True)
    before = erp.contacts[number]["LastModifiedDateTime"]
    clock.forward(minutes=1)
    put(signed_in, "Contact", {"ContactID": {"value": number}, "NoMassMail": {"value": True}})
    assert before == erp.contacts[number]["LastModifiedDateTime"]


def test_a_read_only_role_gets_200_and_the_old_values(erp, signed_in):
    """Without write access the answer is 200 with what was there before."""
    number = erp.add_contact(NoMassMail=False)
    erp.read_only_role = True
    answer = put(signed_in, "Contact", {"ContactID": {"value": number}, "NoMassMail": {"value": True}})
    assert (200, {"value": False}) == (answer.status_code, answer.json()["NoMassMail"])


def test_a_refused_value_is_named_where_it_stands(erp, signed_in):
    """A 422 shows the error beside the value, nested ones included, and saves nothing."""
    key = erp.add_customer(email="a@harbor.com")
    erp.rejects["Customer", "MainContact.Email"] = "Not an address."
    body = {"CustomerID": {"value": key}, "MainContact": {"Email": {"value": "x"}}}
    answer = put(signed_in, "Customer", body)
    assert 422 == answer.status_code
    assert {"value": "x", "error": "Not an address."} == answer.json()["MainContact"]["Email"]
    assert "a@harbor.com" == erp.customers[key]["MainContact"]["Email"]


def test_preconditions_say_insert_only_or_update_only(erp, signed_in):
    """`If-Match: *` on a missing record and `If-None-Match: *` on an existing one are 412."""
    key = erp.add_customer()
    there, absent = ({"CustomerID": {"value": name}, "CustomerName": {"value": "Quill"}} for name in (key, "C777777"))
    assert 412 == put(signed_in, "Customer", absent, {"If-Match": "*"}).status_code
    assert 412 == put(signed_in, "Customer", there, {"If-None-Match": "*"}).status_code
    assert 200 == put(signed_in, "Customer", absent, {"If-None-Match": "*"}).status_code
    assert "Quill" == erp.customers["C777777"]["CustomerName"]


@pytest.mark.parametrize(
    "body", [{"NoMassMail": True}, {"Nothing": {"value": 1}}, {"NoMassMail": {"value": "yes"}}, []]
)
def test_bodies_of_the_wrong_form_are_refused(signed_in, body):
    """Unwrapped values, unknown names and wrong kinds are a parsing error."""
    answer = put(signed_in, "Contact", body)
    assert (500, True) == (answer.status_code, "input parsing" in answer.json()["exceptionMessage"])


def test_maintenance_is_a_page_until_it_is_over(erp, http):
    """The maintenance preset answers HTML until its rule is removed; as 302 it leads to the log-in form."""
    rule = erp.html_maintenance()
    assert (503, "text/html; charset=utf-8") == (
        http.get("/entity").status_code,
        http.get("/entity").headers["content-type"],
    )
    erp.faults.remove(rule)
    assert 200 == http.get("/entity").status_code
    erp.html_maintenance(302, times=1)
    assert "/Acme/Frames/Login.aspx" == http.get("/entity").headers["location"]


# -- made-up data ----------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_site():
    """Two fakes with the same seed and `now` hold equal records; another seed gives others."""
    now = datetime(2024, 6, 1, tzinfo=UTC)
    sizes = {"customers": 40, "contacts": 50, "vendors": 5, "invoices": 30, "now": now}
    first, second, other = (FakeAcumatica(seed=seed, **sizes) for seed in (3, 3, 4))
    for name in ("customers", "contacts", "vendors", "sales_invoices", "stock_items"):
        assert getattr(first, name) == getattr(second, name)
    assert first.customers != other.customers


def test_made_up_sites_have_the_asked_sizes_and_past_stamps():
    """As many records as asked for, all stamped before `now`, creation never after the last change."""
    now = datetime(2024, 6, 1, tzinfo=UTC)
    fake = FakeAcumatica(customers=80, contacts=100, vendors=7, invoices=50, now=now)
    assert [80, 100, 7, 50] == [len(s) for s in (fake.customers, fake.contacts, fake.vendors, fake.sales_invoices)]
    rows = [*fake.customers.values(), *fake.contacts.values(), *fake.sales_invoices.values()]
    assert all(row["LastModifiedDateTime"] < now for row in rows)
    assert all(row["CreatedDateTime"] <= row["LastModifiedDateTime"] for row in fake.customers.values())


def test_made_up_sites_are_messy():
    """Some hundred records hold the troubles that real ones have."""
    fake = FakeAcumatica(customers=400, contacts=500, invoices=300)
    emails = [row["MainContact"].get("Email") for row in fake.customers.values()]
    lines = [line for row in fake.sales_invoices.values() for line in row["Details"]]
    statuses = {row["Status"] for row in fake.customers.values()}
    texts = [email for email in emails if email]
    names = "".join(row["CustomerName"] for row in fake.customers.values())
    shared = {row.get("Email") for row in fake.contacts.values()} & set(texts)
    assert {"Active", "On Hold", "Inactive", "One-Time"} <= statuses
    assert None in emails
    assert all(any(sign in email for email in texts) for sign in (";", ",", " "))
    assert any(email.isupper() for email in texts)
    assert any("@" not in email for email in texts)
    assert Counter(texts).most_common(1)[0][1] > 1
    assert shared
    assert all(letter in names for letter in ("'", "ü", "王", "会", "ة"))
    assert any(line["Qty"] < 0 for line in lines)
    assert any(line["Qty"] % 1 for line in lines)
    assert any(line["InventoryID"] is None for line in lines)
    assert any("/" in (line["InventoryID"] or "") for line in lines)
    assert {"Credit Memo", "Invoice"} <= {kind for kind, _ in fake.sales_invoices}
    assert {"Balanced", "Open", "Closed"} <= {row["Status"] for row in fake.sales_invoices.values()}
    assert any(row.get("NoMassMail") for row in fake.contacts.values())
    assert any("PostalCode" not in row["MainContact"]["Address"] for row in fake.customers.values())


@given(st.integers(0, 10_000))
def test_companies_are_numbered_and_repeatable(seed):
    """The sample makers give the same numbered companies for the same seed."""
    assert list(companies(5, seed=seed)) == list(companies(5, seed=seed))
    assert [1, 2, 3, 4, 5] == [company.number for company in companies(5, seed=seed)]
