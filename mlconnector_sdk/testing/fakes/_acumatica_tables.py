"""Which fields the Default endpoint has in which version, in a compact notation.

A table is words; a word that ends in `:` sets the kind and the first version of the names after it, so
`S23: Email` is a string field since 23.200.001. Kinds: S string, B boolean, D decimal, T date-time, I integer,
H short, G guid. `Name=Some_Text` gives a default, `Name?` is a boolean or number that is empty by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

__all__ = ["ENTITIES", "POSTED", "SHAPES", "Entity", "Field", "Part", "Shape", "release"]

POSTED = frozenset({"Open", "Closed", "Reserved", "Canceled"})

_DEFAULTS: dict[str, Any] = {"B": False, "D": Decimal("0.0")}


def release(version: str) -> int:
    """The year that orders endpoint versions: 24 for `24.200.001`."""
    return int(version.partition(".")[0])


@attrs.frozen
class Field:
    name: str
    kind: str
    since: int = 20
    default: Any = None


@attrs.frozen
class Part:
    """A linked entity, or with `many` a collection of detail rows; absent from answers unless expanded."""

    name: str
    shape: str
    many: bool = False
    since: int = 20


@attrs.frozen
class Shape:
    """A contract type as one place uses it. `unmapped`: names the type has and this place never fills."""

    name: str
    fields: Mapping[str, Field]
    parts: Mapping[str, Part] = attrs.field(factory=dict)
    unmapped: frozenset[str] = frozenset()


@attrs.frozen
class Entity:
    """A top-level entity. `views`: screen fields reachable by `cf.` and `$custom`, each with kind and row path."""

    name: str
    screen: str
    keys: tuple[str, ...]
    shape: Shape
    stamp: str
    created: str | None = None
    views: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)


def _fields(table: str) -> dict[str, Field]:
    found: dict[str, Field] = {}
    kind, since = "S", 20
    for word in table.split():
        if word.endswith(":"):
            kind, since = word[0], int(word[1:-1] or 20)
            continue
        name, _, text = word.rstrip("?").partition("=")
        default: Any = text.replace("_", " ") or (None if word.endswith("?") else _DEFAULTS.get(kind))
        found[name] = Field(name, kind, since, int(default) if kind in "IH" and default is not None else default)
    return found


def _parts(table: str) -> dict[str, Part]:
    """`Name=Shape`, `Name=Shape[]` for collections; `24:` sets the first version."""
    found: dict[str, Part] = {}
    since = 20
    for word in table.split():
        if word.endswith(":"):
            since = int(word[:-1])
            continue
        name, _, shape = word.partition("=")
        found[name] = Part(name, shape.removesuffix("[]"), shape.endswith("[]"), since)
    return found


def _shape(
    name: str,
    table: str,
    parts: str = "",
    *,
    without: frozenset[str] = frozenset(),
    unmapped: frozenset[str] = frozenset(),
) -> Shape:
    fields = {name: field for name, field in _fields(table).items() if name not in without}
    return Shape(name, fields, _parts(parts), unmapped - fields.keys())


_CUSTOMER = """
S: AccountRef CurrencyID CurrencyRateType CustomerClass CustomerID CustomerName FOBPoint LocationName=Primary_Location
   ParentRecord PriceClassID ShipVia ShippingBranch ShippingRule=Cancel_Remainder ShippingTerms ShippingZoneID
   StatementCycleID=DEFAULT StatementType=Open_Item Status=Active TaxRegistrationID TaxZone Terms WarehouseID
S22: EntityUsageType RestrictVisibilityTo TaxExemptionNumber
S23: CustomerCategory Email
B: ApplyOverdueCharges AutoApplyPayments BillingAddressOverride BillingContactOverride EnableCurrencyOverride
   EnableRateOverride EnableWriteOffs MultiCurrencyStatements PrintDunningLetters PrintInvoices PrintStatements
   ResidentialDelivery SaturdayDelivery SendDunningLettersbyEmail SendInvoicesbyEmail SendStatementsbyEmail
   ShippingAddressOverride? ShippingContactOverride?
B22: IsGuestCustomer
T: CreatedDateTime LastModifiedDateTime
I22: BAccountID I23: PrimaryContactID H: LeadTimedays OrderPriority=0
D: WriteOffLimit D22: CreditLimit G22: NoteID
"""
_CONTACT = """
S: Attention BusinessAccount CompanyName ContactClass ContactMethod=Any ConvertedBy DisplayName Duplicate Email Fax
   FaxType FirstName Gender Image JobTitle LanguageOrLocale LastName MaritalStatus MiddleName Owner OwnerEmployeeName
   ParentAccount Phone1 Phone1Type Phone2 Phone2Type Phone3 Phone3Type Reason Source SourceCampaign
   SpouseOrPartnerName Status Title Type=Contact WebSite Workgroup WorkgroupDescription
S22: FullName S24: ExtRefNbr
B: Active AddressValidated DoNotCall DoNotEmail DoNotFax DoNotMail DuplicateFound NoMarketing NoMassMail
   OverrideAccountAddress Synchronize
T: DateOfBirth LastIncomingActivity LastModifiedDateTime LastOutgoingActivity QualificationDate
I: ContactID G: NoteID
"""
_COMPANY_CONTACT = """
S: Attention DisplayName Email Fax FirstName JobTitle LastName MiddleName Phone1 Phone1Type Phone2 Phone2Type
   Title WebSite B: AddressValidated I: ContactID
"""
_NOT_ON_PRIMARY_CONTACT = frozenset(
    "AddressValidated Attention ConvertedBy ExtRefNbr FullName LastIncomingActivity LastOutgoingActivity "
    "QualificationDate".split()
)
_ADDRESS = "S: AddressLine1 AddressLine2 City Country PostalCode State"
_VENDOR = """
S: AccountRef CurrencyID CurrencyRateType LocationName=Primary_Location ParentAccount PaymentMethod Status=Active
   TaxRegistrationID TaxZone Terms VendorClass VendorID VendorName S24: LegalName
B: F1099Vendor ForeignEntity PaySeparately PrintOrders SendOrdersbyEmail VendorIsTaxAgency
T: CreatedDateTime LastModifiedDateTime
"""
_SALES_INVOICE = """
S: Currency CustomerID CustomerOrder Description Project=X ReferenceNbr Status=Open Type=Invoice
S24: ExternalRef TaxCalcMode=Tax_Settings
D: Amount Balance CashDiscount DetailTotal DiscountTotal FreightPrice PaymentTotal TaxTotal VATExemptTotal
   VATTaxableTotal
B: CreditHold Hold B22: IsTaxValid
B24: BillToAddressOverride? BillToContactOverride? ShipToAddressOverride ShipToContactOverride
T: Date DueDate T23: LastModifiedDateTime T24: LastModifiedDate CreatedDate
"""
_SALES_LINE = """
S: BranchID=MAIN CostCode Description=Sales_Revenue InventoryDocType InventoryID InventoryRefNbr Location LotSerialNbr
   OrderNbr OrderType OrigInvNbr OrigInvType ProjectTask ShipmentNbr Subitem TaxCategory=TAXABLE TransactionDescr
   UOM=EA WarehouseID
S24: Account=40000 ExternalRef SubAccount=000000
B: CalculateDiscountsOnImport? ManualDiscount B24: ManualPrice
D: Amount DiscountAmount DiscountPercent Qty UnitPrice
I: LineNbr OrderLineNbr OrigInvLineNbr T: ExpirationDate G24: NoteID
"""
_INVOICE = """
S: Customer CustomerOrder Description LinkARAccount=11000 LinkBranch=MAIN LocationID=MAIN PostPeriod Project=X
   ReferenceNbr Status=Open Terms Type=Invoice
D: Amount Balance TaxTotal B: BillToContactOverride BillingPrinted Hold IsTaxValid ShipToContactOverride
T: CreatedDateTime Date DueDate LastModifiedDateTime
"""
_INVOICE_LINE = """
S: Account=40000 Branch=MAIN CostCode InventoryID ProjectTask Subaccount=000000 Subitem TransactionDescription UOM=EA
S22: TaxCategory=TAXABLE
D: Amount DiscountAmount ExtendedPrice Qty UnitPrice B: CalculateDiscountsOnImport? I: LineNbr T: LastModifiedDateTime
"""
_ORDER = """
S: BaseCurrencyID CurrencyID CustomerID CustomerOrder Description ExternalRef LocationID=MAIN OrderNbr OrderType=SO
   PaymentMethod Project=X ShipVia Status=Open S22: ExternalOrderOrigin ExternalOrderSource
D: ControlTotal CurrencyRate OrderTotal OrderedQty TaxTotal VATExemptTotal VATTaxableTotal
B: Approved CreditHold Hold IsTaxValid B22: WillCall
T: Date EffectiveDate LastModified RequestedOn T22: CreatedDate G22: NoteID
"""
_ORDER_LINE = """
S: Account=40000 Branch=MAIN InventoryID LastModifiedDate LineDescription LineType=Goods_for_Inventory Operation=Issue
   TaxCategory=TAXABLE UOM=EA WarehouseID
D: Amount DiscountAmount DiscountPercent DiscountedUnitPrice ExtendedPrice OpenQty OrderQty UnitPrice
B: Completed FreeItem ManualDiscount I: LineNbr G22: NoteID
"""
_STOCK_ITEM = """
S: BaseUOM=EA Content Description ImageUrl InventoryID ItemClass=STOCKITEM ItemStatus=Active ItemType=Finished_Good
   PriceClass SalesUOM=EA TaxCategory=TAXABLE
S22: Availability CustomURL MetaDescription PageTitle SearchKeywords TemplateItemID Visibility
D: DefaultPrice MSRP D22: CurySpecificMSRP CurySpecificPrice B: IsAKit B22: ExportToExternal
T: LastModified T24: LastModifiedDateTime G22: NoteID
"""
_NON_STOCK_ITEM = """
S: BaseUnit=EA Description InventoryID ItemClass=NONSTOCK ItemStatus=Active ItemType=Non-Stock_Item SalesUnit=EA
   TaxCategory=TAXABLE S22: Availability Content CustomURL PageTitle Visibility
D: DefaultPrice D22: CurySpecificPrice MSRP B: IsKit T: LastModifiedDateTime G22: NoteID
"""
_CONTACT_NAMES = frozenset(_fields(_CONTACT))
_DOC_CONTACT = "S: Attention BusinessName Email Phone1"

SHAPES: dict[str, Shape] = {
    shape.name: shape
    for shape in [
        _shape("Address", _ADDRESS, unmapped=frozenset({"Validated"})),
        _shape("DocAddress", _ADDRESS),
        _shape("MainContact", _COMPANY_CONTACT + "S: CompanyName", "Address=Address", unmapped=_CONTACT_NAMES),
        _shape("SiteContact", _COMPANY_CONTACT, "Address=Address", unmapped=_CONTACT_NAMES),
        _shape("ListedPerson", _COMPANY_CONTACT + "B23: Active S24: ExtRefNbr", "Address=Address",
               unmapped=_CONTACT_NAMES),
        _shape("PrimaryContact", _CONTACT, without=_NOT_ON_PRIMARY_CONTACT, unmapped=_CONTACT_NAMES),
        _shape("CustomerContact", "I: ContactID T23: LastModifiedDateTime", "Contact=ListedPerson"),
        _shape("AttributeValue", "S: AttributeDescription AttributeID Value ValueDescription B: Required "
               "B24: IsActive G: RefNoteID"),
        _shape("MarketingListDetail", "S: Format ListName B: DynamicList Subscribed I: ContactID MarketingListID"),
        _shape("DocContact", _DOC_CONTACT),
        _shape("UnmappedDocContact", "", unmapped=frozenset(_fields(_DOC_CONTACT))),
        _shape("BillToSettings", "B: BillToAddressOverride BillToContactOverride S: CustomerLocation=MAIN",
               "BillToAddress=Address BillToContact=DocContact"),
        _shape("FinancialDetails", "S: BatchNbr Branch=MAIN CustomerTaxZone"),
        _shape("SalesLine", _SALES_LINE),
        _shape("TaxDetail", "S: TaxID D: TaxableAmount TaxAmount"),
        _shape("RatedTaxDetail", "S: TaxID D: TaxableAmount TaxAmount TaxRate"),
        _shape("FreightDetail", "S: Description=Freight_income ShipmentNbr ShipmentType=Shipment D: FreightAmount "
               "FreightCost LineTotal PremiumFreightAmount TotalFreightAmount Volume Weight"),
        _shape("DiscountDetail", "S: Description DiscountCode ExternalDiscountCode FreeItem OrderNbr OrderType "
               "SequenceID Type D: DiscountAmount DiscountPercent DiscountableAmount DiscountableQty FreeItemQty "
               "B: ManualDiscount SkipDiscount"),
        _shape("InvoiceLine", _INVOICE_LINE),
        _shape("OrderLine", _ORDER_LINE),
        _shape("Totals", "D: DiscountTotal LineTotalAmount MiscTotalAmount TaxTotal UnbilledAmount UnbilledQty "
               "UnpaidBalance D22: Freight FreightCost"),
    ]
}  # fmt: skip

_PEOPLE_PARTS = "MainContact=MainContact PrimaryContact=PrimaryContact Contacts=CustomerContact[] "
_DOCUMENT_VIEWS = {
    "Document.LastModifiedDateTime": ("T", "LastModifiedDateTime"),
    "Document.CreatedDateTime": ("T", "CreatedDate"),
    "Document.CuryID": ("S", "Currency"),
    "Document.DocDate": ("T", "Date"),
    "Document.Status": ("S", "Status"),
    "Document.Released": ("B", "Released"),
    "Document.CuryDocBal": ("D", "Balance"),
}

ENTITIES: dict[str, Entity] = {
    entity.name: entity
    for entity in [
        Entity("Customer", "AR303000", ("CustomerID",), _shape("Customer", _CUSTOMER, _PEOPLE_PARTS
               + "BillingContact=SiteContact ShippingContact=SiteContact Attributes=AttributeValue[]"),
               "LastModifiedDateTime", "CreatedDateTime", {
                   "CurrentCustomer.LastModifiedDateTime": ("T", "LastModifiedDateTime"),
                   "BAccount.AcctCD": ("S", "CustomerID"), "BAccount.NoteID": ("G", "NoteID"),
                   "DefContact.EMail": ("S", "MainContact/Email")}),
        Entity("Contact", "CR302000", ("ContactID",), _shape("Contact", _CONTACT, "Address=Address "
               "Attributes=AttributeValue[] MarketingLists=MarketingListDetail[]"), "LastModifiedDateTime", None, {
                   "Contact.LastModifiedDateTime": ("T", "LastModifiedDateTime"),
                   "ContactCurrent.EMail": ("S", "Email")}),
        Entity("Vendor", "AP303000", ("VendorID",), _shape("Vendor", _VENDOR, _PEOPLE_PARTS
               + "Attributes=AttributeValue[]"), "LastModifiedDateTime", "CreatedDateTime"),
        Entity("SalesInvoice", "SO303000", ("Type", "ReferenceNbr"), _shape("SalesInvoice", _SALES_INVOICE,
               "BillingSettings=BillToSettings FinancialDetails=FinancialDetails Details=SalesLine[] "
               "TaxDetails=TaxDetail[] FreightDetails=FreightDetail[] DiscountDetails=DiscountDetail[] "
               "24: BillToAddress=DocAddress BillToContact=UnmappedDocContact ShipToAddress=DocAddress "
               "ShipToContact=DocContact"), "LastModifiedDateTime", "CreatedDate", _DOCUMENT_VIEWS),
        Entity("Invoice", "AR301000", ("Type", "ReferenceNbr"), _shape("Invoice", _INVOICE,
               "BillToContact=DocContact ShipToContact=DocContact Details=InvoiceLine[] "
               "TaxDetails=RatedTaxDetail[]"), "LastModifiedDateTime", "CreatedDateTime", _DOCUMENT_VIEWS),
        Entity("SalesOrder", "SO301000", ("OrderType", "OrderNbr"), _shape("SalesOrder", _ORDER,
               "Details=OrderLine[] Totals=Totals BillToContact=DocContact ShipToContact=DocContact "
               "BillToAddress=Address ShipToAddress=Address"), "LastModified", "CreatedDate"),
        Entity("StockItem", "IN202500", ("InventoryID",), _shape("StockItem", _STOCK_ITEM,
               "Attributes=AttributeValue[]"), "LastModified"),
        Entity("NonStockItem", "IN202000", ("InventoryID",), _shape("NonStockItem", _NON_STOCK_ITEM,
               "Attributes=AttributeValue[]"), "LastModifiedDateTime"),
    ]
}  # fmt: skip
