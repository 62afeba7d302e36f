"""The resources of a fake Sage 300 and their properties.

Names, kinds and widths are those of the vendor's `$metadata` of A/R and of the vendor's object model; where nobody
outside has seen a name, it is made from the field's caption by the vendor's rule, as integrators have to do.
"""

from __future__ import annotations

from ._sage300_schema import Resource, Table, table

__all__ = ["RESOURCES", "TABLES"]

_END = " UpdateOperation:Unspecified|Insert|Update|Delete Warnings:[EntityError]"
_ADDRESS = "AddressLine1..4:60 City:30 StateProvince:30 ZipPostalCode:20 Country:30"
_OPTIONAL = """
    OptionalField:12 Value:60 {type}:Text|Amount|Number|Integer|YesNo|Date|Time Length:int Decimals:int
    AllowBlank:flag Validate:flag ValueSet:No|Yes TypedValueFieldIndex:int TextValue:60 AmountValue:amount
    NumberValue:amount IntegerValue:int YesNoValue:flag DateValue:date TimeValue:date OptionalFieldDescription:60
    ValueDescription:60
"""

_CUSTOMER = f"""
    CustomerNumber:12 ShortName:10 GroupCode:6 NationalAccount:12 Status:Active|Inactive InactiveDate:date
    DateLastMaintained:date OnHold:No|Yes StartDate:date CustomerName:60 {_ADDRESS} ContactName:60 PhoneNumber:30
    FaxNumber:30 TerritoryCode:6 AccountSet:6 BillingCycle:6 InterestProfile:6 CurrencyCode:3 PrintStatements:Yes|No
    AccountType:OpenItem|BalanceForward Terms:6 TaxGroup:12 TaxRegistrationNumber1:20 TaxClassCode1:int
    CreditLimitCustomerCurrency:amount BalanceDueInCustomerCurrency:amount NumberOfOpenDocuments:amount
    DateOfLastActivity:date DateOfLastInvoice:date DateOfLastReceipt:date LastInvoiceAmountCustomerCurrency:amount
    Salesperson1..5:8 CustomerPriceList:6 CustomerDiscountType:Base|A|B|C|D|E AmountPastDue:amount ContactsEmail:255
    Email:255 WebSite:100 BillingMethod:int ShipViaCode:6 DeliveryMethod:Mail|Email PrimaryShipToLocation:6
    ContactsPhone:30 ContactsFax:30 AllowPartialShipments:Yes|No AllowWebStoreShopping:No|Yes
    NumberOfOptionalFields:int InventoryLocation:6 CheckCreditLimit:No|Yes DaysOverdue:int SuppressIntegration:flag
    SageBillingAndPaymentCustome:No|Yes<2019.0 SageBillingAndPaymentCustomer:No|Yes@2019.0
    CustomerOptionalFieldValues:[CustomerOptionalFieldValue] CustomerContactSelection:[CustomerContactSelection]@2020.1
"""
_SHIP_TO = f"""
    CustomerNumber:12 ShipToLocationKey:6 Status:Active|Inactive InactiveDate:date DateLastMaintained:date
    Description:60 {_ADDRESS} ContactName:60 PhoneNumber:30 FaxNumber:30 TerritoryCode:6 TaxGroup:12
    SpecialInstructions:60 Salesperson1..5:8 CustomerPriceList:6 FreeOnBoard:60 ShipViaCode:6 ShipViaDescription:60
    PrimaryShipToIndicator:No|Yes Email:255 ContactsPhone:30 ContactsFax:30 ContactsEmail:255
    NumberOfOptionalFields:int InventoryLocation:6 SuppressIntegration:flag
    ShipToLocationsOptionalField:[ShipToLocationsOptionalField]
"""
_CONTACT = f"""
    ContactCode:24 InactiveDate:date Status:Active|Inactive DateLastMaintained:date Salutation:10 FirstName:60
    MiddleName:60 LastName:60 Title:60 {_ADDRESS} ConsentsToReceiveEmail:No|Yes PhoneNumber1..3:30 FaxNumber:30
    Email:255 Comment1..2:250 WebSite:100
"""
_VENDOR = f"""
    VendorNumber:12 ShortName:10 GroupCode:6 Status:Active|Inactive InactiveDate:date DateLastMaintained:date
    OnHold:No|Yes StartDate:date VendorName:60 {_ADDRESS} ContactName:60 PhoneNumber:30 FaxNumber:30 AccountSet:6
    CurrencyCode:3 TermsCode:6 TaxGroup:12 DateOfLastActivity:date ContactsEmail:255 Email:255 WebSite:100
    ContactsPhone:30 ContactsFax:30 NumberOfOptionalFields:int VendorOptionalFieldValues:[VendorOptionalFieldValue]
"""
_ORDER = """
    OrderUniquifier:amount OrderNumber:22 CustomerNumber:12 CustomerGroupCode:6 BillToName:60 BillToAddressLine1..4:60
    BillToCity:30 BillToStateProvince:30 BillToZipPostalCode:20 BillToCountry:30 BillToPhoneNumber:30 BillToEmail:50
    BillToContact:60 BillToContactEmail:50 ShipToLocationCode:6 ShipToName:60 ShipToAddressLine1..4:60 ShipToCity:30
    ShipToStateProvince:30 ShipToZipPostalCode:20 ShipToCountry:30 ShipToEmail:50 ShipToContactEmail:50
    PurchaseOrderNumber:22 TermsCode:6 OrderReference:60 OrderDescription:60 OrderComment:250
    OrderType:Active|Future|Standing|Quote OrderDate:date ExpectedShipDate:date QuoteExpirationDate:date
    LastPostingDate:date OrderFiscalYear:4
    OrderFiscalPeriod:Num1|Num2|Num3|Num4|Num5|Num6|Num7|Num8|Num9|Num10|Num11|Num12 OnHold:flag LastInvoiceNumber:22
    NumberOfInvoices:int LastShipmentNumber:22 OrderHomeCurrency:3 OrderSourceCurrency:3 OrderRate:amount
    OrderCompleted:IncompleteNotIncluded|IncompleteIncluded|CompleteNotIncluded|CompleteIncluded|CompleteDayEnd
    OrderCompletionDate:date NumberOfLinesOnOrder:int Salesperson1..5:8 OrderSubtotalAmount:amount
    OrderDiscountAmount:amount OrderInclTaxTotal:amount OrderExclTaxTotal:amount OrderTotal:amount SageCRMCompanyID:int
    EnteredBy:8 OrderDetails:[OrderDetail] OrderOptionalFields:[OrderOptionalField]
"""
_ORDER_DETAIL = """
    OrderUniquifier:amount LineNumber:int LineType:Item|Miscellaneous Item:24 MiscellaneousChargesCode:6 Description:60
    PriceList:6 Category:6 Location:6 StockItem:flag QuantityOrdered:amount QuantityShipped:amount
    QuantityBackordered:amount OriginalQuantityOrdered:amount OrderUnitOfMeasure:10 OrderUnitConversion:amount
    OrderUnitPrice:amount PriceOverride:flag PricingUnitOfMeasure:10 PricingUnitPrice:amount
    PricingUnitConversion:amount ExtendedOrderAmount:amount ExtendedAmount:amount OrderDiscountAmount:amount
    DiscountPercent:amount DetailNumber:int KitBOMNumber:6 OrderDetailOptionalFields:[OrderDetailOptionalField]
"""
_INVOICE = """
    InvoiceUniquifier:amount InvoiceNumber:22 OrderNumber:22 CustomerNumber:12 BillTo:60 BillToAddress1..4:60
    BillToCity:30 BillToState:30 BillToZipCode:20 BillToCountry:30 BillToPhone:30 BillToEmail:50
    BillToContactEmail:50 Reference:60 Description:60 OrderDate:date ShipmentDate:date InvoiceDate:date
    InvoiceStatus:Documentshippednotcosted|Documentcosted PaymentType:Cash|Check|CreditCard|SPSCreditCard
    InvoiceSubtotalAmount:amount InvoiceDiscountAmount:amount InvoiceTotalWithTax:amount InvoiceHomeCurrency:3
    InvoiceSourceCurrency:3 InvoiceRate:amount InvoiceRateDate:date InvoiceRateType:2 TaxGroup:12 Salesperson1:8
    SalespersonName1:60 EnteredBy:8 InvoiceDetails:[InvoiceDetail]
"""
_INVOICE_DETAIL = """
    LineType:Item|Miscellaneous Item:24 Description:60 QuantityShipped:amount InvoiceUnitOfMeasure:10 PricingUnit:10
    PricingUnitPrice:amount PricingUnitConversion:amount DiscountPercent:amount DiscountedExtendedAmount:amount
    TaxAmount1..5:amount TaxRate1..5:amount StockItem:flag
"""
_ITEM = """
    UnformattedItemNumber:24 ItemNumber:24 Description:60 DateLastMaintained:date Status:flag DateInactive:date
    StructureCode:6 Category:6 AccountSetCode:6 StockItem:flag StockingUnitOfMeasure:10 DefaultPriceListCode:6
    UnitWeight:amount WeightUnitOfMeasure:10 KittingItem:flag ItemUnitsOfMeasure:[ItemUnitOfMeasure]
    ItemOptionalFields:[ItemOptionalField]
"""
_SELECTION = """
    CustomerNumber:12 ContactCode:24 ContactName:255 Email:255 SelectApplication:4 FormCount:int ARInvoices:flag
    ARReceipts:flag ARStatements:flag OEOrderConfirmations:flag OEInvoices:flag OECreditDebitNotes:flag OEQuotes:flag
"""


def _all_tables() -> dict[str, Table]:
    def optional(name: str, owner: str, type_name: str = "OptionalFieldValueType") -> Table:
        return table(name, f"{owner} {_OPTIONAL.format(type=type_name)}{_END}")

    tables = [
        table("Customer", _CUSTOMER + _END),
        table("CustomerContactSelection", _SELECTION + _END),
        optional("CustomerOptionalFieldValue", "CustomerNumber:12", "CustomerOptionalFieldValueType"),
        table("ShipToLocation", _SHIP_TO + _END),
        optional("ShipToLocationsOptionalField", "CustomerNumber:12 ShipToLocationKey:6"),
        table("Contact", _CONTACT + _END),
        table("Vendor", _VENDOR + _END),
        optional("VendorOptionalFieldValue", "VendorNumber:12"),
        table("Order", _ORDER + _END),
        table("OrderDetail", _ORDER_DETAIL + _END),
        optional("OrderOptionalField", "OrderUniquifier:amount"),
        optional("OrderDetailOptionalField", "OrderUniquifier:amount LineNumber:int"),
        table("Invoice", _INVOICE + _END),
        table("InvoiceDetail", _INVOICE_DETAIL + _END),
        table("Item", _ITEM + _END),
        table("ItemUnitOfMeasure", f"UnitOfMeasure:10 ConversionFactor:amount FACTOR:amount{_END}"),
        optional("ItemOptionalField", "UnformattedItemNumber:24"),
        table("EntityError", "Message:255 Priority:int PriorityString:20 Tag:60"),
    ]
    return {one.name: one for one in tables}


TABLES = _all_tables()
"""Tables by the name of their type in `$metadata`."""

_ALL = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_MAINTAINED = "DateLastMaintained"

RESOURCES = {
    one.name: one
    for one in (
        Resource(
            name="ARCustomers", module="AR", table="Customer", keys=("CustomerNumber",), stamp=_MAINTAINED, writes=_ALL
        ),
        Resource(
            name="ARShipToLocations",
            module="AR",
            table="ShipToLocation",
            keys=("CustomerNumber", "ShipToLocationKey"),
            stamp=_MAINTAINED,
            writes=_ALL,
        ),
        Resource(
            name="MTContacts",
            module="MT",
            table="Contact",
            keys=("ContactCode",),
            stamp=_MAINTAINED,
            writes=_ALL,
            since=(2020, 1),
        ),
        Resource(name="APVendors", module="AP", table="Vendor", keys=("VendorNumber",), stamp=_MAINTAINED, writes=_ALL),
        Resource(
            name="OEOrders",
            module="OE",
            table="Order",
            keys=("OrderUniquifier",),
            stamp="LastPostingDate",
            writes=frozenset({"POST"}),
        ),
        # Posted invoices hardly change, and no field of theirs is known to tell when one did.
        Resource(name="OEInvoices", module="OE", table="Invoice", keys=("InvoiceUniquifier",)),
        Resource(
            name="ICItems", module="IC", table="Item", keys=("UnformattedItemNumber",), stamp=_MAINTAINED, writes=_ALL
        ),
    )
}
"""Resources by their name in the URL."""
