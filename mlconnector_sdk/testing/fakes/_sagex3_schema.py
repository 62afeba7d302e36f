"""Nodes and properties of Sage X3's GraphQL schema, by release, and the field codes behind them.

A definition is a list of properties, each with where its value comes from:

- `name:Type=COLUMN` is a value, a `String` if no type is given; `COLUMN.0` is one occurrence, `path.COLUMN` a column of
  the row that the reference `path` leads to.
- `name>node=A,B` is a reference by key; `@1` stands for the value 1. `~name` is one that is not published.
- `name*node=THEIRS:OURS` is a collection: rows whose column THEIRS equals our column OURS.
- `name#node=COLUMN` is the collection of a column's occurrences.

A `!` behind it means that the description does not end in the field code. Names that no source gives (amounts and
statuses of documents) follow the vendor's way of naming; clients have to find them by code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Literal, TypeAlias

import attrs

__all__ = ["ENUMS", "RELEASES", "Node", "Property", "Release", "ReleaseName", "release"]

ReleaseName: TypeAlias = Literal["current", "2021"]
"""Today's schema, or that of 2021 and 2022 with its other packages and properties."""

Kind: TypeAlias = Literal["value", "reference", "collection", "occurrences"]

RELEASES: tuple[ReleaseName, ...] = ("current", "2021")

_MARKS: Mapping[str, Kind] = {"": "value", ":": "value", ">": "reference", "*": "collection", "#": "occurrences"}
_PROPERTY = re.compile(r"(?P<name>~?\w+)(?:(?P<mark>[:>*#])(?P<type>\w+))?=(?P<source>[^!]+)(?P<bare>!?)")


@attrs.frozen(kw_only=True)
class Property:
    """One property of a node.

    Attributes:
        type: of a value its scalar or enumeration, else the node it leads to.
        source: where it comes from, as the module says.
        code: the classic field code, `""` where the description does not give it.
    """

    name: str
    kind: Kind
    type: str
    source: str
    code: str

    @property
    def description(self) -> str:
        """The vendor's: words, mostly with the field code in parentheses."""
        words = re.sub(r"(?<=[a-z])(?=[A-Z0-9])", " ", self.name.lstrip("_")).capitalize()
        return f"{words} ({self.code})" if self.code else words


@attrs.frozen(kw_only=True)
class Node:
    """A node: a table seen through properties.

    Attributes:
        package: without the release's prefix; `""` if the node has no operations of its own.
        table: its table; `""` for a list of codes that this site keeps no table of.
        joined: a table whose row of the same key, or of the same header and line, completes a row.
        owner: a table that has to have the partner of an address or contact.
        keys: columns that make the `_id`.
    """

    name: str
    package: str
    table: str
    keys: tuple[str, ...]
    properties: Mapping[str, Property]
    joined: str = ""
    owner: str = ""

    @property
    def type(self) -> str:
        return self.name[0].upper() + self.name[1:]


@attrs.frozen(kw_only=True)
class Release:
    """The schema of one release: its nodes by name, and how its packages begin."""

    name: ReleaseName
    prefix: str
    nodes: Mapping[str, Node]

    def packages(self) -> dict[str, list[Node]]:
        """Published nodes by the full name of their package."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes.values():
            if node.package:
                found.setdefault(f"{self.prefix}{node.package}", []).append(node)
        return found


ENUMS: Mapping[str, tuple[str, ...]] = {
    "ContactType": ("prospect", "customer", "supplier", "miscellaneous"),
    "EmailAddressType": ("contact1", "contact2", "contact3", "contact4", "contact5"),
    "EntityType": ("businessPartner", "company", "site", "user", "account"),
    "ExchangeRateType": ("dailyRate", "monthlyRate", "averageRate", "customsDocumentRate"),
    "FunctionContact": ("chiefExecutiveOfficer", "management", "sales", "purchasing", "accounting", "technical"),
    "InvoiceType": ("invoice", "creditMemo", "debitNote", "creditNote", "proforma"),
    "OrderCategory": ("normal", "loan", "directInvoice", "contract"),
    "OrderDeliveryStatus": ("notDelivered", "partlyDelivered", "delivered"),
    "OrderInvoiceStatus": ("notInvoiced", "partlyInvoiced", "invoiced"),
    "OrderStatus": ("open", "closed"),
    "PhoneNumberType": ("phone1", "phone2", "phone3", "phone4", "phone5"),
    "ProductStatus": ("active", "inDevelopment", "onShortage", "notRenewed", "obsolete", "notUsable"),
    "SalesInvoiceStatus": ("notPosted", "", "posted"),
    "Title": ("mr", "mrs", "ms"),
    "WorkInProgressControl": ("controlled", "free", "blocked"),
}
"""Enumerations: local menus in camel case, from the menu's first value on; blank where a value has no name."""

_EVERYWHERE = """
    _createUser>sysUser=CREUSR! _updateUser>sysUser=UPDUSR! _createStamp:Datetime=CREDATTIM!
    _updateStamp:Datetime=UPDDATTIM! _etag=UPDTICK!
"""
_CUSTOMER = """
    ~partner>businessPartner=BPCNUM code>businessPartner=BPCNUM customerCategory>customerCategory=BCGCOD
    billToCustomer>customer=BPCINV billToCustomerAddress>customerAddress=@1,BPCINV,BPAINV
    payByCustomer>businessPartner=BPCPYR payByCustomerAddress>businessPartnerAddress=@1,BPCPYR,BPAPYR
    groupCustomer>customer=BPCGRU riskCustomer>customer=BPCRSK defaultAddress>customerAddress=@1,BPCNUM,BPAADD
    defaultContact>customerContact=@1,BPCNUM,CNTNAM isActive:Boolean=BPCSTA currency>currency=CUR
    rateType:ExchangeRateType=CHGTYP creditControl:WorkInProgressControl=OSTCTL authorizedCreditAmount:Decimal=OSTAUZ
    minimumOrderAmount:Decimal=ORDMINAMT companyName1=~partner.BPRNAM.0 notes:Text=BPCREM
    addresses*customerAddress=BPANUM:BPCNUM!
"""
_PARTNER = """
    code=BPRNUM isActive:Boolean=ENAFLG category>customerCategory=BRGCOD companyName1=BPRNAM.0 companyName2=BPRNAM.1
    shortCompanyName=BPRSHO europeanUnionVatNumber=EECNUM businessPartnerSite>site=FCY country>country=CRY
    siteIdentificationNumber=CRN currency>currency=CUR language>language=LAN acronym=BPRLOG
    isCustomer:Boolean=BPCFLG isSupplier:Boolean=BPSFLG isCarrier:Boolean=BPTFLG isFactor:Boolean=FCTFLG
    isSalesRep:Boolean=REPFLG isMiscellaneousBusinessPartner:Boolean=BPRACC isProspect:Boolean=PPTFLG
    isServiceSupplier:Boolean=PRVFLG defaultAddress>businessPartnerAddress=@1,BPRNUM,BPAADD
    defaultContact>businessPartnerContact=@1,BPRNUM,CNTNAM isMailingProhibited:Boolean=BPRFBDMAG
    isPhysicalPerson:Boolean=LEGETT addresses*businessPartnerAddress=BPANUM:BPRNUM!
    contacts*businessPartnerContact=BPANUM:BPRNUM!
"""
_SUPPLIER = """
    ~partner>businessPartner=BPSNUM code>businessPartner=BPSNUM category>supplierCategory=BSGCOD
    payToBusinessPartner>businessPartner=BPRPAY payToBusinessPartnerAddress>businessPartnerAddress=@1,BPRPAY,BPAPAY
    billBySupplier>supplier=BPSINV billBySupplierAddress>supplierAddress=@1,BPSINV,BPAINV
    groupSupplier>supplier=BPSGRU riskSupplier>supplier=BPSRSK ourCustomerNumberForSupplier=BPCNUMBPS
    defaultContact>supplierContact=@1,BPSNUM,CNTNAM currency>currency=CUR rateType:ExchangeRateType=CHGTYP
    addressByDefault>supplierAddress=@1,BPSNUM,BPAADD companyName1=~partner.BPRNAM.0 shortCompanyName=BPSSHO
    isActive:Boolean=ENAFLG
"""
_ADDRESS = """
    entityType:EntityType=BPATYP code=BPAADD description=BPADES isDefault:Boolean=BPAADDFLG zipCode=POSCOD city=CTY
    state=SAT country>country=CRY countryName=CRYNAM website=FCYWEB! externalIdentifier=EXTNUM
"""
_CONTACT = """
    entityType:EntityType=BPATYP code>contactRelationship=CCNCRM position:FunctionContact=CNTFNC department=CNTSRV
    defaultAddress=CNTADD landline=TEL fax=FAX email=WEB cellPhone=MOB contactRelationship>contactRelationship=CCNCRM!
    relationshipCellPhone=code.CNTMOB relationshipCountry>country=code.CNTCRY relationshipDateOfBirth:Date=code.CNTBIR
    relationshipEmail=code.CNTWEB relationshipFax=code.CNTFAX relationshipFirstName=code.CNTFNA
    relationshipFullNameSearchKey=code.CNTFULNAM! relationshipIsMailingProhibited:Boolean=code.CNTFBDMAG
    relationshipLandline=code.CNTTEL relationshipLanguage>language=code.CNTLAN relationshipLastName=code.CNTLNA
    relationshipTitle:Title=code.CNTTTL
"""
_PERSON = """
    code=CCNCRM fullNameSearchKey=CNTFULNAM! title:Title=CNTTTL lastName=CNTLNA firstName=CNTFNA
    dateOfBirth:Date=CNTBIR language>language=CNTLAN country>country=CNTCRY landline=CNTTEL fax=CNTFAX cellPhone=CNTMOB
    email=CNTWEB isMailingProhibited:Boolean=CNTFBDMAG
"""
_PRODUCT = """
    code=ITMREF description1=ITMDES1 description2=ITMDES2 description3=ITMDES3 upc=EANCOD
    productStatus:ProductStatus=ITMSTA stockUnit>unitOfMeasure=STU purchaseUnit>unitOfMeasure=PUU
    salesUnit>unitOfMeasure=SAU productCategory>productCategory=TCLCOD
"""
_COUNTRY = """
    code=CRY countryName=CRYDES iso31661Alpha2=ISO iso31661Alpha3=ISOA3 language>language=LAN euCountry:Boolean=EECFLG
"""
_ORDER = """
    id=SOHNUM company>company=CPY salesOrderType>salesOrderType=SOHTYP category:OrderCategory=SOHCAT
    salesSite>site=SALFCY soldToCustomer>customer=BPCORD billToCustomer>customer=BPCINV
    payByBusinessPartner>businessPartner=BPCPYR payByBusinessPartnerAddress>businessPartnerAddress=@1,BPCPYR,BPAPYR
    groupCustomer>customer=BPCGRU customerOrderReference=CUSORDREF orderDate:Date=ORDDAT shipmentDate:Date=SHIDAT
    requestedDeliveryDate:Date=DEMDLVDAT soldToCustomerAddress>customerAddress=@1,BPCORD,BPAORD
    soldToCustomerPostalCode=BPCPOSCOD soldToCustomerCity=BPCCTY soldToCustomerState=BPCSAT
    soldToCustomerCountry>country=BPCCRY soldToCustomerCountryName=BPCCRYNAM
    soldToCustomerContact>customerContact=@1,BPCORD,CNTNAM billToCustomerAddress>customerAddress=@1,BPCINV,BPAINV
    billToCustomerPostalCode=BPIPOSCOD billToCustomerCity=BPICTY billToCustomerState=BPISAT
    billToCustomerCountry>country=BPICRY currency>currency=CUR linesAmountExcludingTax:Decimal=ORDNOT
    linesAmountIncludingTax:Decimal=ORDATI orderStatus:OrderStatus=ORDSTA deliveryStatus:OrderDeliveryStatus=DLVSTA
    invoiceStatus:OrderInvoiceStatus=INVSTA numberOfLines:Int=LINNBR lastInvoice>salesInvoice=LASINVNUM
    lastInvoiceDate:Date=LASINVDAT lines*salesOrderLine=SOHNUM:SOHNUM!
"""
_ORDER_LINE = """
    salesOrder>salesOrder=SOHNUM lineNumber:Int=SOPLIN sequenceNumber:Int=SOQSEQ product>product=ITMREF
    productDescriptionInUserLanguage=ITMDES1 productDescriptionInCustomerLanguage=ITMDES1!
    soldToCustomer>customer=BPCORD salesUnit>unitOfMeasure=SAU stockUnit>unitOfMeasure=STU
    quantityInSalesUnitOrdered:Decimal=QTY quantityInStockUnitOrdered:Decimal=QTYSTU grossPrice:Decimal=GROPRI
    netPrice:Decimal=NETPRI netPriceExcludingTax:Decimal=NETPRINOT netPriceIncludingTax:Decimal=NETPRIATI
    discountOrCharge1:Decimal=DISCRGVAL1
"""
_INVOICE = """
    id=NUM company>company=CPY salesSite>site=SALFCY billToCustomer>customer=BPCINV soldToCustomer>customer=BPCORD
    billToCustomerInvoiceContact>contactRelationship=CNINAM customerInvoiceType>customerInvoiceType=SIVTYP
    category:InvoiceType=INVTYP invoiceDate:Date=INVDAT accountingDate:Date=ACCDAT currency>currency=CUR
    status:SalesInvoiceStatus=INVSTA internalReference=INVREF billToCustomerLanguage>language=LAN
    numberOfLines:Int=LINNBR sign:Int=SNS totalAmountExcludingTax:Decimal=INVNOT
    totalAmountIncludingTax:Decimal=INVATI lines*salesInvoiceLine=NUM:NUM!
"""
_INVOICE_LINE = """
    salesInvoice>salesInvoice=NUM lineNumber:Int=SIDLIN salesOrder>salesOrder=SOHNUM salesOrderLineNumber:Int=SOPLIN
    product>product=ITMREF productDescriptionInUserLanguage=ITMDES1 salesUnit>unitOfMeasure=SAU
    quantityInSalesUnit:Decimal=QTY grossPrice:Decimal=GROPRI netPrice:Decimal=NETPRI
    netPriceIncludingTax:Decimal=NETPRIATI lineAmountExcludingTax:Decimal=AMTNOTLIN
    lineAmountIncludingTax:Decimal=AMTATILIN discountOrCharge1:Decimal=DISCRGVAL1
"""
_PLACES = {
    "address": ("entityNumber=BPANUM", ""),
    "businessPartnerAddress": ("businessPartner>businessPartner=BPANUM", "BPARTNER"),
    "customerAddress": ("customer>customer=BPANUM", "BPCUSTOMER"),
    "supplierAddress": ("supplier>supplier=BPANUM", "BPSUPPLIER"),
}
_PEOPLE = {
    "contact": ("entityNumber=BPANUM", ""),
    "businessPartnerContact": ("businessPartner>businessPartner=BPANUM", "BPARTNER"),
    "customerContact": ("customer>customer=BPANUM", "BPCUSTOMER"),
    "supplierContact": ("supplier>supplier=BPANUM", "BPSUPPLIER"),
}
_SLOTS = {
    "addressEmails": ("WEB", "addressEmail=WEB emailType:EmailAddressType=INDEX!"),
    "addressLines": ("BPAADDLIG", "addressLine=BPAADDLIG"),
    "addressPhoneNumbers": ("TEL", "addressPhoneNumber=TEL phoneNumberType:PhoneNumberType=INDEX!"),
}
_CODES = {
    "company": "code=CPY name=TEXT!",
    "currency": "code=CUR description=TEXT!",
    "customerCategory": "code=BCGCOD description=TEXT shortDescription=TEXT!",
    "customerInvoiceType": "code=SIVTYP description=TEXT!",
    "language": "code=LAN description=TEXT!",
    "productCategory": "code=TCLCOD description=TEXT!",
    "salesOrderType": "code=SOHTYP description=TEXT!",
    "site": "code=FCY name=TEXT!",
    "supplierCategory": "code=BSGCOD description=TEXT!",
    "sysUser": "code=USR description=TEXT!",
    "unitOfMeasure": "code=UOM description=TEXT!",
}
_OLD = {
    "customer": "code=BPCNUM companyName=~partner.BPRNAM.0",
    "supplier": "code=BPSNUM companyName=~partner.BPRNAM.0",
    "businessPartner": "companyName=BPRNAM.0",
    **{f"{place}AddressEmails": "email=WEB" for place in _PLACES},
}
"""What was otherwise in 2021; it takes the place of what `_LATER` names."""

_LATER = {"companyName1", "companyName2", "addressEmail"}


def _properties(definition: str) -> dict[str, Property]:
    found = {}
    for text in definition.split():
        match = _PROPERTY.fullmatch(text)
        assert match is not None, f"not a property: {text}"
        source = match["source"]
        code = next(part for part in reversed(re.split(r"[.,:]", source)) if not part.isdigit())
        found[match["name"]] = Property(
            name=match["name"],
            kind=_MARKS[match["mark"] or ""],
            type=match["type"] or "String",
            source=source,
            code="" if match["bare"] else code,
        )
    return found


def _node(
    name: str, package: str, table: str, keys: str, definition: str, *, joined: str = "", owner: str = ""
) -> Node:
    properties = _properties(f"{definition} {_EVERYWHERE}")
    return Node(
        name=name,
        package=package,
        table=table,
        keys=tuple(keys.split()),
        properties=properties,
        joined=joined,
        owner=owner,
    )


def _all_nodes() -> list[Node]:
    nodes = [
        _node("customer", "MasterData", "BPCUSTOMER", "BPCNUM", _CUSTOMER),
        _node("businessPartner", "MasterData", "BPARTNER", "BPRNUM", _PARTNER),
        _node("supplier", "MasterData", "BPSUPPLIER", "BPSNUM", _SUPPLIER),
        _node("contactRelationship", "MasterData", "CONTACTCRM", "CCNCRM", _PERSON),
        _node("product", "MasterData", "ITMMASTER", "ITMREF", _PRODUCT),
        _node("country", "Structure", "TABCOUNTRY", "CRY", _COUNTRY),
        _node("salesOrder", "Sales", "SORDER", "SOHNUM", _ORDER),
        _node("salesOrderLine", "Sales", "SORDERP", "SOHNUM SOPLIN", _ORDER_LINE, joined="SORDERQ"),
        _node("salesInvoice", "Sales", "SINVOICEV", "NUM", _INVOICE, joined="SINVOICE"),
        _node("salesInvoiceLine", "Sales", "SINVOICED", "NUM SIDLIN", _INVOICE_LINE),
    ]
    for name, (own, owner) in _PLACES.items():
        slots = " ".join(f"{slot}#{name}{slot[0].upper()}{slot[1:]}={column}!" for slot, (column, _) in _SLOTS.items())
        definition = f"{_ADDRESS} {own} {slots}"
        nodes.append(_node(name, "MasterData", "BPADDRESS", "BPATYP BPANUM BPAADD", definition, owner=owner))
        nodes += [_slot_node(name, own, slot, values) for slot, (_, values) in _SLOTS.items()]
    for name, (own, owner) in _PEOPLE.items():
        definition = f"{_CONTACT} {own}"
        nodes.append(_node(name, "MasterData", "CONTACT", "BPATYP BPANUM CCNCRM", definition, owner=owner))
    nodes += [_node(name, "", "", text.partition("=")[2].split()[0], text) for name, text in _CODES.items()]
    return nodes


def _slot_node(place: str, own: str, slot: str, values: str) -> Node:
    owner = re.split(r"[>=]", own)[0]
    common = (
        f"_sortValue:Int=INDEX! denormalizedIndex:Int=INDEX! entityType:EntityType=BPATYP {owner}=BPANUM code=BPAADD"
    )
    name = f"{place}{slot[0].upper()}{slot[1:]}"
    return _node(name, "", "BPADDRESS", "BPATYP BPANUM BPAADD INDEX", f"{common} {values}")


def _as_of_2021(node: Node) -> Node:
    changes = _properties(_OLD.get(node.name, ""))
    if not changes:
        return node
    kept = {name: one for name, one in node.properties.items() if name not in _LATER}
    return attrs.evolve(node, properties={**kept, **changes})


@cache
def release(name: ReleaseName) -> Release:
    """The schema of that release."""
    nodes = {node.name: node for node in _all_nodes()}
    if name == "2021":
        nodes = {one: _as_of_2021(node) for one, node in nodes.items()}
        return Release(name=name, prefix="xtremX3", nodes=nodes)
    return Release(name=name, prefix="x3", nodes=nodes)
