"""What a client meets before it reads anything: addresses, sign-in, rights, modules and troubles."""

from __future__ import annotations

import base64

import httpx
import pytest

from mlconnector_sdk.testing.fakes._sage300 import FakeSage300

HEADERS = {"Content-Type": "application/json"}
CUSTOMERS = "/AR/ARCustomers"


@pytest.fixture(name="erp")
def _erp():
    """A fake with one customer."""
    with FakeSage300() as fake:
        fake.add_customer("1200", name="Harbor Pumps")
        yield fake


def ask(erp, place=CUSTOMERS, *, user="ADMIN", password="ADMIN", headers=HEADERS, root=None, method="GET"):
    """One request, signed in with each."""
    return httpx.request(method, f"{root or erp.company_url}{place}", auth=(user, password), headers=headers)


def code(answer):
    """Status and code of a vendor error."""
    return answer.status_code, answer.json()["error"]["code"]


# -- addresses ----------------------------------------------------------------------------------------------------


def test_the_root_is_the_iis_application(erp):
    """The root carries the application's name, answers with a page, and the company lies below version and tenant."""
    assert erp.base_url.endswith("/Sage300WebApi")
    assert f"{erp.base_url}/v1.0/-/SAMLTD" == erp.company_url
    assert httpx.get(erp.base_url).text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    "place",
    [
        "/Other/v1.0/-/SAMLTD/AR/ARCustomers",
        "/Sage300WebApi/v2.0/-/SAMLTD/AR/ARCustomers",
        "/Sage300WebApi/-/SAMLTD/AR/Customers",
        "/Sage300WebApi/v1.0/-/SAMLTD/AR/ARCustomers/x",
    ],
)
def test_an_address_nobody_serves_is_a_page_of_iis(erp, place):
    """A wrong application, version or depth gives 404 with HTML."""
    answer = ask(erp, place, root=erp.url)
    assert (404, True) == (answer.status_code, answer.text.startswith("<!DOCTYPE HTML"))


def test_releases_before_the_versioned_address_have_none():
    """Sage 300 2017.0 answers 404 under `v1.0`, and 2017.1 serves it."""
    for version, status in (("2017.0", 404), ("2017.1", 200)):
        with FakeSage300(version=version) as erp:
            assert status == ask(erp).status_code


def test_tenant_and_company_stand_in_the_path():
    """A named tenant replaces the dash; the company is case-sensitive, and another one is a session error."""
    with FakeSage300(tenant="acme", company="SAMINC") as erp:
        assert erp.company_url.endswith("/v1.0/acme/SAMINC")
        assert 200 == ask(erp).status_code
        assert (500, "SessionError") == code(ask(erp, root=f"{erp.base_url}/v1.0/acme/saminc"))
        assert (404, "ResourceNotFound") == code(ask(erp, root=f"{erp.base_url}/v1.0/-/SAMINC"))
        erp.unknown_company = "Unauthorized"
        assert (401, "Unauthorized") == code(ask(erp, root=f"{erp.base_url}/v1.0/acme/NOBODY"))


@pytest.mark.parametrize("company", ["samltd", "TOOLONGID", ""])
def test_a_company_is_an_org_id(company):
    """The fake takes no company that the real system could not have."""
    with pytest.raises(ValueError, match="company"):
        FakeSage300(company=company)


def test_a_long_query_is_a_page_of_iis(erp):
    """A query string of more than 2048 characters gives 404 with HTML, before anybody asks who it is."""
    answer = httpx.get(f"{erp.company_url}{CUSTOMERS}?$filter={'x' * 2050}")
    assert (404, "text/html; charset=us-ascii") == (answer.status_code, answer.headers["content-type"])


@pytest.mark.parametrize(
    ("key", "status"), [("A1-103%2F0", 404), ("A%26B", 400), ("A%25", 400), ("A%3AB", 400), ("A%3FB", 400)]
)
def test_some_signs_never_get_through_a_path(erp, key, status):
    """Keys with signs that IIS refuses give a page even when they exist."""
    erp.add_customer("A&B")
    answer = ask(erp, f"{CUSTOMERS}('{key}')")
    assert (status, True) == (answer.status_code, answer.text.startswith("<!DOCTYPE HTML"))


# -- sign-in ------------------------------------------------------------------------------------------------------


def test_without_credentials_the_server_asks_for_them(erp):
    """A request without credentials gets 401 with a challenge, however often, and locks nobody."""
    for _ in range(5):
        answer = httpx.get(f"{erp.company_url}{CUSTOMERS}", headers=HEADERS)
        assert (401, "Unauthorized") == code(answer)
        assert "Basic" == answer.headers["www-authenticate"]
    assert not erp.locked


@pytest.mark.parametrize("text", ["Basic %%%", "Basic " + base64.b64encode(b"ADMIN").decode(), "Bearer x"])
def test_what_is_no_basic_sign_on_is_challenged(erp, text):
    """Another scheme, or a header that cannot be read, counts as none."""
    answer = httpx.get(f"{erp.company_url}{CUSTOMERS}", headers={**HEADERS, "Authorization": text})
    assert (401, "Unauthorized") == code(answer)
    assert not erp.locked


def test_wrong_passwords_lock_the_account(erp):
    """After three wrong passwords the right one fails as well, until an administrator clears the account."""
    for _ in range(erp.tries_before_lock):
        assert not erp.locked
        assert 401 == ask(erp, password="wrong").status_code
    assert erp.locked
    assert 401 == ask(erp).status_code
    erp.unlock_account()
    assert 200 == ask(erp).status_code


def test_a_good_sign_on_forgets_wrong_ones(erp):
    """Only wrong passwords in a row lock the account."""
    erp.tries_before_lock = 2
    for password in ("wrong", "ADMIN", "wrong", "ADMIN"):
        ask(erp, password=password)
    assert not erp.locked


def test_an_unknown_user_locks_nobody(erp):
    """Attempts with another name leave the account alone."""
    for _ in range(5):
        assert 401 == ask(erp, user="NOBODY").status_code
    assert not erp.locked


@pytest.mark.parametrize(
    ("version", "sent", "good"),
    [
        ("2021.0", "Secret1", False),
        ("2021.0", "SECRET1", True),
        ("2022.2", "sEcret1", True),
        ("2023.0", "Secret1", True),
        ("2023.0", "SECRET1", False),
    ],
)
def test_the_release_decides_about_the_case_of_passwords(version, sent, good):
    """Old releases want upper case, 2022.2 takes any, and since 2023 passwords keep their case."""
    with FakeSage300(version=version, username="webapi", password="Secret1") as erp:
        assert good == (200 == ask(erp, user="WEBAPI", password=sent).status_code)
        assert 401 == ask(erp, user="webapi", password=sent).status_code


def test_increased_complexity_keeps_the_case():
    """With complex passwords 2022.2 minds the case too."""
    with FakeSage300(version="2022.2", password="Secret1") as erp:
        assert not erp.complex_passwords
        erp.complex_passwords = True
        assert [401, 200] == [ask(erp, password=sent).status_code for sent in ("SECRET1", "Secret1")]


@pytest.mark.parametrize("state", ["password expired", "must change password", "disabled", "restricted hours"])
def test_an_account_may_be_unable_to_sign_on(erp, state):
    """Right credentials give 401 in every bad state of the account."""
    erp.expire_password(state)
    assert (401, "Unauthorized") == code(ask(erp))


def test_an_unknown_state_is_refused_at_once(erp):
    """A state nobody knows is a mistake in the test, and is told."""
    with pytest.raises(ValueError, match="state"):
        erp.expire_password("tired")


def test_a_changed_password_ends_the_old_one(erp):
    """After a change only the new password is good."""
    erp.change_password("NEW")
    assert [401, 200] == [ask(erp, password=sent).status_code for sent in ("ADMIN", "NEW")]


def test_a_locked_account_can_be_asked_for(erp):
    """A test may lock the account without wrong passwords."""
    erp.lock_account()
    assert (True, 401) == (erp.locked, ask(erp).status_code)


@pytest.mark.parametrize("username", ["", "1USER", "LONGERNAME"])
def test_user_names_are_as_the_vendor_has_them(username):
    """A user has one to eight characters and begins with a letter."""
    with pytest.raises(ValueError, match="username"):
        FakeSage300(username=username)


def test_the_administrator_may_be_barred(erp):
    """With the vendor's default in the Web.config, ADMIN gets 403 and another user does not."""
    erp.allow_admin = False
    assert (403, "Forbidden") == code(ask(erp))
    with FakeSage300(username="WEBAPI") as other:
        other.allow_admin = False
        assert ("WEBAPI", 200) == (other.username, ask(other, user="WEBAPI").status_code)


def test_iis_may_answer_in_place_of_sage(erp):
    """With Basic authentication switched on in IIS, right credentials get a page with a challenge."""
    erp.iis_basic = True
    answer = ask(erp)
    assert (401, "Basic", True) == (
        answer.status_code,
        answer.headers["www-authenticate"],
        answer.text.startswith("<!DOCTYPE HTML"),
    )


def test_a_missing_content_type_is_an_internal_error(erp):
    """Reading without `Content-Type: application/json` fails as documented, unless the site is lenient."""
    for headers in ({}, {"Content-Type": "text/plain"}):
        assert (500, "InternalServerError") == code(ask(erp, headers=headers))
    assert 200 == ask(erp, headers={"Content-Type": "application/json; charset=utf-8"}).status_code
    erp.needs_content_type = False
    assert 200 == ask(erp, headers={}).status_code


def test_the_server_gives_a_session_cookie_once(erp):
    """The first answer sets a cookie, a client that sends it back gets no other, and Basic is needed all the same."""
    with httpx.Client(base_url=erp.company_url, auth=("ADMIN", "ADMIN"), headers=HEADERS) as http:
        answers = [http.get(CUSTOMERS) for _ in range(3)]
        assert [True, False, False] == ["set-cookie" in answer.headers for answer in answers]
        assert 1 == erp.cookies_given
        assert 401 == http.get(CUSTOMERS, auth=lambda request: request).status_code


# -- rights and modules -------------------------------------------------------------------------------------------


def test_rights_are_given_by_module_and_resource(erp):
    """A forbidden module answers 403 throughout, a forbidden resource alone; others stay open."""
    erp.forbid("OE")
    erp.forbid("ARCustomers")
    assert (403, "Forbidden") == code(ask(erp, "/OE/OEOrders"))
    assert (403, "Forbidden") == code(ask(erp, "/OE/$metadata"))
    assert (403, "Forbidden") == code(ask(erp))
    assert 200 == ask(erp, "/AR/ARShipToLocations").status_code
    erp.forbid("ARCustomers", allow=True)
    assert 200 == ask(erp).status_code


def test_a_module_that_is_not_activated_is_not_there():
    """Without Multiple Contacts there is neither the module nor the selection of contacts on customers."""
    with FakeSage300(mt_module=False) as erp:
        erp.add_customer("1200")
        assert (404, "ResourceNotFound") == code(ask(erp, "/MT/MTContacts"))
        assert (404, "ResourceNotFound") == code(ask(erp, "/MT/$metadata"))
        assert "CustomerContactSelection" not in ask(erp).json()["value"][0]


def test_contacts_begin_with_their_release():
    """Before 2020.1 the module has no resource, whatever is activated."""
    with FakeSage300(version="2019.0") as erp:
        assert "MTContacts" not in erp.resources
        assert (404, "ResourceNotFound") == code(ask(erp, "/MT/MTContacts"))
        assert "SageBillingAndPaymentCustomer" in ask(erp, "/AR/$metadata").text
    with FakeSage300(version="2018.0", mt_module=False) as older:
        assert 'Name="SageBillingAndPaymentCustome"' in ask(older, "/AR/$metadata").text


def test_a_resource_may_be_missing(erp):
    """A dropped resource is gone from answers and `$metadata`; a dropped module may answer as a broken link."""
    erp.drop("OEInvoices")
    erp.drop("AP", "DBLinkError")
    assert (404, "ResourceNotFound") == code(ask(erp, "/OE/OEInvoices"))
    assert "OEInvoices" not in ask(erp, "/OE/$metadata").text
    assert "OEOrders" in ask(erp, "/OE/$metadata").text
    assert (500, "DBLinkError") == code(ask(erp, "/AP/APVendors"))


@pytest.mark.parametrize("place", ["/XX/XXThings", "/AR/ARThings", "/AR/OEOrders", "/AR/ARCustomers()x", "/AR/$count"])
def test_what_is_not_there_is_not_found(erp, place):
    """Modules and resources nobody has give the vendor's 404."""
    assert (404, "ResourceNotFound") == code(ask(erp, place))


@pytest.mark.parametrize(
    ("method", "place", "expected"),
    [
        ("POST", "/OE/OEInvoices", (405, "MethodNotAllowed")),
        ("DELETE", "/OE/OEOrders(1)", (405, "MethodNotAllowed")),
        ("PATCH", "/OE/OEOrders(1)", (405, "MethodNotAllowed")),
        ("POST", "/OE/OEOrders", (403, "Forbidden")),
        ("PATCH", "/AR/ARCustomers('1200')", (403, "Forbidden")),
        ("POST", "/AR/$metadata", (405, "MethodNotAllowed")),
    ],
)
def test_nothing_is_written(erp, method, place, expected):
    """Documents and invoices lack the verb, and what could be written is not open to this user."""
    assert expected == code(ask(erp, place, method=method))


# -- troubles -----------------------------------------------------------------------------------------------------


def test_too_many_requests_at_once_are_refused(erp):
    """More requests at the same time than the server bears get 429."""
    erp.concurrent = 0
    assert (429, "TooManyRequests") == code(ask(erp))


def test_day_end_looks_like_a_duplicate(erp):
    """During Day End the module answers 409 `RecordDuplicate` and says so in the text only; others work."""
    rule = erp.day_end()
    answer = ask(erp, "/OE/OEOrders")
    assert (409, "RecordDuplicate") == code(answer)
    assert "Day End Processing" in answer.json()["error"]["message"]["value"]
    assert 200 == ask(erp).status_code
    erp.faults.remove(rule)
    assert 200 == ask(erp, "/OE/OEOrders").status_code


def test_errors_may_say_that_they_are_text(erp):
    """Every JSON error can come as `text/plain`, those of rules too."""
    erp.error_content_type = "text/plain; charset=utf-8"
    erp.refuse("General", "Somebody holds the record.")
    for answer in (ask(erp), ask(erp, password="wrong"), ask(erp, f"{CUSTOMERS}?$top=x")):
        assert "text/plain; charset=utf-8" == answer.headers["content-type"]
        assert "error" in answer.json()
    assert "application/json" in ask(erp).headers["content-type"]


def test_an_error_can_be_asked_for_by_its_code(erp):
    """Codes of the vendor come with their status, as often as asked; others are told at once."""
    erp.refuse("SessionError", times=2)
    assert [500, 500, 200] == [ask(erp).status_code for _ in range(3)]
    with pytest.raises(ValueError, match="codes"):
        erp.refuse("Nonsense")
    with pytest.raises(ValueError, match="codes"):
        erp.drop("AR", "Nonsense")


@pytest.mark.parametrize("status", [404, 500, 502, 503, 507])
def test_iis_answers_with_pages(erp, status):
    """A page comes until its rule is used up."""
    erp.html_error(status, times=1)
    answer = ask(erp)
    assert (status, "text/html; charset=us-ascii") == (answer.status_code, answer.headers["content-type"])
    assert 200 == ask(erp).status_code
