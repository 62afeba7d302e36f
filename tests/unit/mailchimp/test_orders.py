from __future__ import annotations

import threading

import attrs
import pytest

from mlconnector_sdk.errors import ConfigurationError, UnavailableError
from mlconnector_sdk.mailchimp import MailchimpSink, Store
from mlconnector_sdk.models import OrderWrite, Product, member_id
from mlconnector_sdk.retry import RetryPolicy
from tests.unit.mailchimp._writes import member_write, order_write


@pytest.fixture(name="sink")
def _sink(make_sink) -> MailchimpSink:
    sink = make_sink()
    sink.prepare([])
    return sink


def write(sink: MailchimpSink, order: OrderWrite) -> tuple[str, str]:
    """Kind and reason of the result."""
    result = sink.write_orders([order])[0]
    return result.kind, result.reason


def calls(entries) -> list[str]:
    """Method and last part of the path."""
    return [f"{entry.method} {entry.path.rsplit('/', 1)[1]}" for entry in entries]


def test_a_new_order_brings_customer_and_products(fake, sink):
    """One call per new product and one for the order make all of it."""
    with fake.recording() as made:
        assert ("created", "") == write(sink, order_write(items={"1": "BOLT", "2": "NUT"}))
    assert ["POST products", "POST products", "POST orders"] == calls(made)
    order, customer = fake.orders["INV-1"], fake.customers[member_id("pat@acme.org")]
    assert (["1", "2"], 5.0) == ([line["id"] for line in order["lines"]], order["order_total"])
    assert ("pat@acme.org", "Acme", False) == (
        customer["email_address"],
        customer["company"],
        customer["opt_in_status"],
    )


def test_known_products_and_customers_cost_no_calls(fake, sink):
    """A second order of the same customer and products is one call with the customer's id alone."""
    write(sink, order_write())
    with fake.recording() as made:
        assert ("created", "") == write(sink, order_write("INV-2", customer_known=True))
    assert ["POST orders"] == calls(made)
    assert ["id"] == list(made[0].request.json()["customer"])


def test_an_order_never_subscribes(fake, sink):
    """A customer who is no member becomes a transactional one, and a member's status stays."""
    sink.write_members([member_write("left@acme.org", status_if_new="unsubscribed")])
    write(sink, order_write())
    write(sink, order_write("INV-2", "left@acme.org"))
    assert ("transactional", "unsubscribed") == (
        fake.members["pat@acme.org"].status,
        fake.members["left@acme.org"].status,
    )


def test_a_post_that_meets_the_order_becomes_a_patch(fake, sink):
    """An order that exists although the links do not know is updated, lines that are gone included."""
    write(sink, order_write(items={"1": "BOLT", "2": "NUT"}))
    again = attrs.evolve(
        order_write(items={"2": "NUT", "3": "BOLT"}), body={"order_total": 7.5, "currency_code": "USD"}
    )
    assert ("updated", "") == write(sink, again)
    order = fake.orders["INV-1"]
    assert (7.5, ["2", "3"]) == (order["order_total"], [line["id"] for line in order["lines"]])


def test_a_known_order_is_patched_at_once(fake, sink):
    """With known lines an update is one call, and one for each line that is gone."""
    write(sink, order_write(items={"1": "BOLT", "2": "NUT"}))
    with fake.recording() as made:
        order = order_write(items={"1": "BOLT"}, exists=True, known_line_ids=("1", "2"), customer_known=True)
        assert ("updated", "") == write(sink, order)
    assert ["PATCH INV-1", "DELETE 2"] == calls(made)
    assert ["1"] == [line["id"] for line in fake.orders["INV-1"]["lines"]]


def test_unknown_lines_are_read_first(fake, sink):
    """Where it is not known which lines the store holds, they are asked for."""
    write(sink, order_write(items={"1": "BOLT", "2": "NUT"}))
    with fake.recording() as made:
        write(sink, order_write(exists=True, customer_known=True))
    assert ["GET lines", "PATCH INV-1", "DELETE 2"] == calls(made)


def test_a_line_deleted_before_is_no_error(fake, sink):
    """A repeat after a crash meets lines that are gone already."""
    write(sink, order_write())
    order = order_write(exists=True, known_line_ids=("1", "9"), customer_known=True)
    assert ("updated", "") == write(sink, order)


def test_a_known_order_that_is_gone_is_created(fake, sink):
    """When somebody deleted the order in the store, it comes back whole."""
    assert ("created", "") == write(sink, order_write(exists=True, known_line_ids=("1",)))


def test_a_mere_change_creates_no_order(fake, sink):
    """A change without lines, such as a refund, is set aside when the order is not there."""
    change = order_write(items={}, body={"financial_status": "refunded"}, exists=True, known_line_ids=())
    assert ("dead", "not_found") == write(sink, change)
    assert {} == fake.orders


def test_a_mere_change_leaves_the_lines(fake, sink):
    """A change without lines touches nothing but what it names."""
    write(sink, order_write())
    change = order_write(
        items={}, body={"financial_status": "refunded"}, exists=True, known_line_ids=(), customer_known=True
    )
    assert ("updated", "") == write(sink, change)
    order = fake.orders["INV-1"]
    assert ("refunded", ["1"], 5.0) == (
        order["financial_status"],
        [line["id"] for line in order["lines"]],
        order["order_total"],
    )


def test_news_about_a_customer_travel_with_an_update(fake, sink):
    """An update of an order whose customer changed writes the customer too."""
    write(sink, order_write())
    customer = {**order_write().customer, "company": "Acme Ltd"}
    write(sink, order_write(customer=customer, exists=True, known_line_ids=("1",)))
    assert "Acme Ltd" == fake.customers[customer["id"]]["company"]


def test_a_product_that_vanished_is_supplied_once(fake, sink):
    """An order refused for a missing product is repeated after its products were written."""
    write(sink, order_write())
    fake.products.clear()
    fake.orders.clear()
    result = sink.write_orders([order_write()])[0]
    assert ("created", "product_unknown") == (result.kind, result.note)


def test_a_product_that_stays_unknown_sets_the_order_aside(fake, sink):
    """The repair is tried once: an order that names a product it does not bring ends dead."""
    assert ("dead", "product_unknown") == write(sink, order_write(products=()))


def test_a_product_that_exists_gets_the_title(fake, sink):
    """A product known to the store is updated with its variant."""
    write(sink, order_write())
    product = attrs.evolve(order_write().products[0], title="Bolt M8")
    with MailchimpSink(fake.api_key, list_id=fake.list_id, base_url=fake.base_url, store=sink.store) as other:
        write(other, order_write("INV-2", products=(product,)))
    held = fake.products["BOLT"]
    assert ("Bolt M8", ["Bolt M8"]) == (held["title"], [variant["title"] for variant in held["variants"]])


def test_a_refused_product_sets_the_order_aside(fake, sink):
    """An order cannot go without its products; their refusal is its reason."""
    fake.fail(status=400, path="/products", body={"title": "Invalid Resource", "detail": "No such luck."})
    assert ("dead", "refused") == write(sink, order_write())


def test_a_product_needs_no_item_number(fake, sink):
    """A placeholder product without item number is created like any other."""
    product = Product(id="BOLT", title="Other charges")
    assert ("created", "") == write(sink, order_write(products=(product,)))
    assert "sku" not in fake.products["BOLT"]["variants"][0]


def test_no_product_is_created_twice(fake, make_sink, sink):
    """Orders written by several threads create each of their products once."""
    fake.latency = 0.005
    orders = [order_write(f"INV-{n}", items={str(i): f"P{i}" for i in range(5)}) for n in range(12)]
    threads = [threading.Thread(target=sink.write_orders, args=([order],)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (5, 12) == (len(fake.requests("POST", "/products")), len(fake.orders))


def test_a_customer_whose_address_changed_is_written_anew(fake, sink):
    """Mailchimp never changes a customer's address, so the customer is deleted and written again."""
    write(sink, order_write(customer={**order_write().customer, "id": "C1", "email_address": "pat@old.org"}))
    order = order_write("INV-2", customer={**order_write().customer, "id": "C1"})
    result = sink.write_orders([order])[0]
    assert ("created", "address_fixed") == (result.kind, result.note)
    assert "pat@acme.org" == fake.customers["C1"]["email_address"]


def test_a_customer_that_is_not_there_after_all_is_sent_whole(fake, sink):
    """Where the links know the customer and the store does not, the order brings the customer along."""
    result = sink.write_orders([order_write(customer_known=True)])[0]
    assert ("created", "address_missing") == (result.kind, result.note)


def test_an_order_without_an_address_is_set_aside(fake, sink):
    """A customer needs an address; the order is dead, with that reason."""
    customer = {**order_write().customer, "email_address": ""}
    assert ("dead", "address_missing") == write(sink, order_write(customer=customer))


@pytest.mark.parametrize("key", ["SO/2026/1", "a b", "100%", "ü?#", "..."])
def test_odd_ids_stay_in_their_segment(fake, sink, key):
    """Slashes and other marks in ids of orders, lines and products reach the store as they are."""
    write(sink, order_write(key, items={"L/1": "A/B", "L/2": "A/B"}))
    order = order_write(key, items={"L/1": "A/B"}, exists=True, known_line_ids=("L/1", "L/2"), customer_known=True)
    assert ("updated", "") == write(sink, order)
    assert ["L/1"] == [line["id"] for line in fake.orders[key]["lines"]]


@pytest.mark.parametrize("key", ["", ".", ".."])
def test_an_id_that_means_another_path_is_not_sent(fake, sink, key):
    """Such an order is set aside, and a line of such an id is never asked to be deleted."""
    change = order_write(key, exists=True, known_line_ids=("1",))
    assert ("dead", "bad_id") == write(sink, change)
    write(sink, order_write())
    assert ("dead", "bad_id") == write(sink, order_write(exists=True, known_line_ids=(key,)))
    assert ["INV-1"] == list(fake.orders)


def test_an_order_whose_answer_is_lost_exists_once(fake, sink):
    """The repeat meets "already exists" and takes it for what it is."""
    fake.fail_next(drop="after", method="POST", path="/orders")
    assert ("updated", "") == write(sink, order_write())
    assert ["INV-1"] == list(fake.orders)


def test_one_bad_order_stops_no_other(fake, sink):
    """Each order has its own result, in order."""
    bad = order_write("INV-2", body={"currency_code": "dollars", "order_total": 5.0})
    results = sink.write_orders([order_write(), bad, order_write("INV-3")])
    assert [("created", ""), ("dead", "schema_refused"), ("created", "")] == [(r.kind, r.reason) for r in results]
    assert "currency_code" in results[1].message


def test_server_faults_set_the_order_aside(fake, sink):
    """A fault that persists is the record's, and worth a replay."""
    fake.fail(status=500, path="/orders", body={"title": "Internal Server Error"})
    result = sink.write_orders([order_write()])[0]
    assert ("dead", "server_fault", True) == (result.kind, result.reason, result.retry)


def test_a_store_that_is_gone_stops_the_run(fake, sink):
    """No order is blamed for a missing store."""
    write(sink, order_write())
    fake.stores.clear()
    for order in (order_write("INV-2"), order_write("INV-3", items={"1": "NEW"})):
        with pytest.raises(ConfigurationError):
            sink.write_orders([order])


def test_orders_need_a_store(make_sink):
    """A sink without a store says so instead of losing orders."""
    with pytest.raises(ConfigurationError):
        make_sink(store=None).write_orders([order_write()])


# The store itself


def test_the_store_is_created_once(fake, make_sink):
    """A missing store is created for this audience, and found by the next run."""
    for _ in range(2):
        make_sink().prepare([])
    settings = fake.stores["acme"].settings
    assert (fake.list_id, "Acme", "USD") == (settings["list_id"], settings["name"], settings["currency_code"])
    assert 1 == len(fake.requests("POST", "/stores"))


def test_a_store_created_by_another_run_meanwhile_is_taken(fake, make_sink):
    """Losing the race to create the store is no error."""
    fake.fail_next(drop="after", method="POST", path="/stores")
    make_sink().prepare([])
    assert ["acme"] == list(fake.stores)


def test_a_store_of_another_audience_is_refused(fake, make_sink):
    """A store cannot be moved to another audience, and nothing is written."""
    make_sink().prepare([])
    fake.stores["acme"].settings["list_id"] = "other"
    for step in (make_sink().inspect, make_sink().prepare):
        with pytest.raises(ConfigurationError, match="other"):
            step([])


def test_a_store_that_cannot_be_created_is_told(fake, make_sink):
    """The refusal of the store is a matter of settings."""
    make_sink(store=Store(id="one", name="One", currency_code="USD", domain="acme.org")).prepare([])
    with pytest.raises(ConfigurationError, match="two"):
        make_sink(store=Store(id="two", name="Two", currency_code="USD", domain="acme.org")).prepare([])


def test_a_store_left_syncing_is_woken(fake, make_sink):
    """A run that was killed while loading history leaves automations off; the next one turns them on."""
    make_sink().prepare([])
    fake.stores["acme"].is_syncing = True
    make_sink().prepare([])
    assert not fake.stores["acme"].is_syncing


def test_automations_are_quiet_while_history_is_loaded(fake, sink):
    """Inside, the store is syncing; outside, it never is, not even after an error."""
    seen = []

    def load() -> None:
        with sink.loading_history():
            seen.append(fake.stores["acme"].is_syncing)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        load()
    with sink.loading_history():
        seen.append(fake.stores["acme"].is_syncing)
    assert ([True, True], False) == (seen, fake.stores["acme"].is_syncing)


@pytest.mark.parametrize(("error", "raised"), [(ZeroDivisionError, ZeroDivisionError), (None, UnavailableError)])
def test_a_failing_reset_hides_no_other_error(fake, make_sink, error, raised):
    """The error of the load itself is raised; where there is none, the failed reset is."""
    sink = make_sink(retry=RetryPolicy(attempts=1))
    sink.prepare([])

    def load() -> None:
        with sink.loading_history():
            fake.fail(status=503)
            if error:
                raise error

    with pytest.raises(raised):
        load()


def test_history_without_a_store_is_nothing(fake, make_sink):
    """A sink without a store has no automations to quieten."""
    with make_sink(store=None).loading_history():
        pass
    assert [] == fake.log


def test_batches_are_settled_at_the_start(make_sink):
    """Numbers that make no sense are refused before anything is sent; 0 and None both keep orders out of batches."""
    for wrong in ({"batch_from": -1}, {"batch_size": 0}, {"batch_size": 1001}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            make_sink(**wrong)

    assert [None, None, 7, 3000] == [
        make_sink(**given).batch_from for given in ({"batch_from": 0}, {"batch_from": None}, {"batch_from": 7}, {})
    ]


def test_without_a_store_there_is_nothing_to_recover(make_sink):
    """A sink without a store says so when it is asked for results of earlier batches."""
    with pytest.raises(ConfigurationError, match="need a store"):
        make_sink(store=None).recover_orders(None)
