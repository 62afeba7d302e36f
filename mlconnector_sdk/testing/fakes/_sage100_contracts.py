"""What eBusiness Web Services exchange: data contracts with their members, and operations with their parameters.

Members are those of the contract of about 2018, which later servers keep. They stand in ordinal order, capitals before
small letters, as WCF writes them. Types follow the columns; flags are texts. The two operations for credit cards are
left out: what they take is not established, and they need a payment service that no site has by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from ._sage100_tables import CREATED, LAYOUTS, UPDATED

__all__ = ["CONTRACTS", "NAMESPACE", "OPERATIONS", "TABLE_OF", "Member", "Operation"]

NAMESPACE = "http://mas90.sage.com/ws"

TABLE_OF: Mapping[str, str] = {
    "Customer": "AR_Customer",
    "CustomerContact": "AR_CustomerContact",
    "SalesOrder": "SO_SalesOrderHeader",
    "SalesOrderLine": "SO_SalesOrderDetail",
}
"""The table whose columns a contract's members are."""

_NOT_SHOWN: Mapping[str, str] = {
    "Customer": """UseSageCloudForInvPrinting TelephoneType EInvoicePayments EInvoiceContactId PIIEncryptedDate
        EncryptedVals""",
    "CustomerContact": "TelephoneType1 PrimaryTelephone1 TelephoneType2 PrimaryTelephone2 EncryptedVals",
    "SalesOrder": "PromotedDate PayBalance",
    "SalesOrderLine": """CommodityCode AlternateTaxIdentifier TaxTypeApplied NetGrossIndicator DebitCreditIndicator
        TaxAmt TaxRate""",
}
"""Columns that came later, or never travel."""

_MORE: Mapping[str, Mapping[str, str]] = {
    "SalesOrder": {"Lines": "SalesOrderLine[]", "Payments": "SalesOrderPayment[]"},
    "SalesOrderLine": {"ExtDescriptionText": "string"},
}
_STAMPS = {"DateTimeCreated": CREATED, "DateTimeUpdated": UPDATED}

_PAYMENT = """
AVSAddressLine1 AVSAddressLine2 AVSCity AVSCountryCode AVSState AVSZipCode AuthorizationDateTime:dateTime
BankAccountType BankName CardType CardholderName CorporateCustIDPurchOrder CorporateSalesTax:decimal CorporateTaxOverrd
CreditCardAuthorizationNo CreditCardComment CreditCardEmailAddress CreditCardGUID CreditCardID CreditCardTrackingID
CreditCardTransactionID DateTimeCreated:dateTime DateTimeUpdated:dateTime ExpirationDateMonth ExpirationDateYear
Last4BankAccountNos Last4BankRoutingNos Last4UnencryptedCreditCardNos OtherFields:Field[] PaymentSeqNo PaymentType
PaymentTypeCategory SalesOrderNo SaveCreditCard TransactionAmt:decimal UserCreatedKey UserUpdatedKey
"""


@attrs.frozen
class Member:
    """A member of a contract: `kind` is `string`, `decimal`, `dateTime`, `int`, or a contract, with `[]` for many.

    `column` is the column it shows, `""` for what is put together; `stamp` the date and time columns of a stamp.
    """

    name: str
    kind: str
    column: str = ""
    stamp: tuple[str, ...] = ()

    @property
    def item(self) -> str:
        """The contract of which this member has many; blank if it has not."""
        return self.kind.removesuffix("[]") if self.kind.endswith("[]") else ""


@attrs.frozen
class Operation:
    """An operation: its parameters by name with their kinds, and the kind of its result if it has one."""

    name: str
    parameters: Mapping[str, str]
    result: str = ""


def _of_table(contract: str) -> tuple[Member, ...]:
    """Members as the columns of a table are shown: stamps merged, further salespersons with a capital P."""
    layout = LAYOUTS[TABLE_OF[contract]]
    left_out = {*_NOT_SHOWN[contract].split(), *CREATED[:2], *UPDATED[:2]}
    kinds = {"text": "string", "number": "decimal", "date": "dateTime"}
    members = [
        Member(_shown_name(contract, column.name), kinds[column.kind], column.name)
        for column in layout.columns.values()
        if column.name not in left_out
    ]
    members += [Member(name, kind) for name, kind in _MORE.get(contract, {}).items()]
    if layout.stamped:
        members += [Member(name, "dateTime", stamp=columns[:2]) for name, columns in _STAMPS.items()]
    members.append(Member("OtherFields", "Field[]"))
    return tuple(sorted(members, key=lambda member: member.name))


def _shown_name(contract: str, column: str) -> str:
    """Only the customer's further salespersons are spelt differently from their columns."""
    return re.sub(r"^Salesperson(.*[2-5])$", r"SalesPerson\1", column) if contract == "Customer" else column


def _plain(definition: str) -> tuple[Member, ...]:
    parts = [part.partition(":") for part in definition.split()]
    return tuple(Member(name, kind or "string") for name, _, kind in parts)


CONTRACTS: Mapping[str, tuple[Member, ...]] = {
    "Logon": _plain("Password Username"),
    "Field": _plain("MasFieldName Value"),
    **{contract: _of_table(contract) for contract in TABLE_OF},
    "SalesOrderPayment": _plain(_PAYMENT),
    "ContractInformation": _plain("AssemblyVersion ContractVersion:int NullDateTime:dateTime"),
    "DiagnosticInformation": (),
    "MasFault": _plain("ErrorCode ErrorMessage"),
}

_CUSTOMER = "arDivisionNo customerNo"
_CONTACT = "arDivisionNo customerNo contactCode"
_ORDER = "salesOrderNo"
_DEFINITIONS: Mapping[str, tuple[str, str]] = {
    "GetCustomer": (_CUSTOMER, "Customer"),
    "GetNextCustomerNo": ("", "string"),
    "CreateCustomer": ("customer:Customer", ""),
    "UpdateCustomer": ("customer:Customer", ""),
    "DeleteCustomer": (_CUSTOMER, ""),
    "GetCustomerContact": (_CONTACT, "CustomerContact"),
    "CreateCustomerContact": ("customerContact:CustomerContact", ""),
    "UpdateCustomerContact": ("customerContact:CustomerContact", ""),
    "DeleteCustomerContact": (_CONTACT, ""),
    "GetSalesOrder": (_ORDER, "SalesOrder"),
    "GetNextSalesOrderNo": ("", "string"),
    "GetSalesOrderTemplate": (_CUSTOMER, "SalesOrder"),
    "PreviewSalesOrder": ("salesOrder:SalesOrder", "SalesOrder"),
    "CreateSalesOrder": ("salesOrder:SalesOrder", ""),
    "UpdateSalesOrder": ("salesOrder:SalesOrder", ""),
    "DeleteSalesOrder": (_ORDER, ""),
}


def _operation(name: str, parameters: str, result: str) -> Operation:
    parts = [part.partition(":") for part in f"logon:Logon companyCode {parameters}".split()]
    return Operation(name, {title: kind or "string" for title, _, kind in parts}, result)


OPERATIONS: Mapping[str, Operation] = {
    "GetContractInformation": Operation("GetContractInformation", {}, "ContractInformation"),
    "GetDiagnosticInformation": Operation("GetDiagnosticInformation", {}, "DiagnosticInformation"),
    **{name: _operation(name, *definition) for name, definition in _DEFINITIONS.items()},
}
