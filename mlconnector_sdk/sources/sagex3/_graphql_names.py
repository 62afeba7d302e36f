"""What X3's GraphQL calls the tables and fields that are read, as far as the vendor documents it.

Descriptions of properties name the field code mostly; these names serve where they do not. A path leads through
references and collections; of several the first that a schema has is taken.
"""

from __future__ import annotations

from collections.abc import Mapping

from ._api import ENTITIES, EntityName

__all__ = ["ANYWHERE", "CODES", "FAMILIES", "LINES", "NAMES", "NODES", "PROPERTIES"]

NODES: Mapping[str, tuple[EntityName, str, tuple[str, ...]]] = {
    "BPCUSTOMER": ("customers", "MasterData", ("customer",)),
    "BPSUPPLIER": ("suppliers", "MasterData", ("supplier",)),
    "CONTACT": ("contacts", "MasterData", ("contact", "businessPartnerContact")),
    "BPARTNER": ("partners", "MasterData", ("businessPartner",)),
    "BPADDRESS": ("addresses", "MasterData", ("address", "businessPartnerAddress")),
    "CONTACTCRM": ("persons", "MasterData", ("contactRelationship",)),
    "SORDER": ("sales_orders", "Sales", ("salesOrder",)),
    "SINVOICEV": ("invoices", "Sales", ("salesInvoice",)),
}
"""By table: what settings call it, the package without its prefix, and the node."""

FAMILIES = tuple({family: None for _, family, _ in NODES.values()})
"""The packages that are read, without their prefix."""

ANYWHERE: Mapping[str, tuple[str, ...]] = {"UPDDATTIM": ("_updateStamp",), "CREDATTIM": ("_createStamp",)}
"""Every node has these."""

LINES = "lines"
"""The collection of a document's lines."""

_OWNER = ("entityNumber", "businessPartner", "customer", "supplier")

NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "BPCUSTOMER": {
        "BPCNUM": ("code",),
        "BPCNAM": ("companyName1", "companyName", "code.companyName1"),
        "BPCSTA": ("isActive",),
        "BCGCOD": ("customerCategory",),
        "CUR": ("currency",),
        "OSTCTL": ("creditControl",),
        "BPAADD": ("defaultAddress",),
        "CNTNAM": ("defaultContact",),
    },
    "BPSUPPLIER": {
        "BPSNUM": ("code",),
        "BPSNAM": ("companyName1", "companyName", "code.companyName1"),
        "ENAFLG": ("isActive",),
        "BSGCOD": ("category",),
        "CUR": ("currency",),
        "BPAADD": ("addressByDefault", "defaultAddress"),
        "CNTNAM": ("defaultContact",),
    },
    "BPARTNER": {
        "BPRNUM": ("code",),
        "BPRNAM": ("companyName1", "companyName"),
        "LAN": ("language",),
        "CRY": ("country",),
        "BPRFBDMAG": ("isMailingProhibited",),
    },
    "BPADDRESS": {
        "BPATYP": ("entityType",),
        "BPANUM": _OWNER,
        "BPAADD": ("code",),
        "BPAADDLIG": ("addressLines.addressLine",),
        "POSCOD": ("zipCode",),
        "CTY": ("city",),
        "SAT": ("state",),
        "CRY": ("country",),
        "TEL": ("addressPhoneNumbers.addressPhoneNumber", "addressPhoneNumbers.phoneNumber"),
        "WEB": ("addressEmails.addressEmail", "addressEmails.email"),
    },
    "CONTACT": {
        "BPATYP": ("entityType",),
        "BPANUM": _OWNER,
        "CCNCRM": ("code", "contactRelationship"),
        "CNTFNC": ("position",),
        "CNTSRV": ("department",),
        "TEL": ("landline",),
        "MOB": ("cellPhone",),
        "WEB": ("email",),
    },
    "CONTACTCRM": {
        "CCNCRM": ("code",),
        "CNTFNA": ("firstName", "relationshipFirstName"),
        "CNTLNA": ("lastName", "relationshipLastName"),
        "CNTLAN": ("language", "relationshipLanguage"),
        "CNTCRY": ("country", "relationshipCountry"),
        "CNTTEL": ("landline", "relationshipLandline"),
        "CNTMOB": ("cellPhone", "relationshipCellPhone"),
        "CNTWEB": ("email", "relationshipEmail"),
        "CNTFBDMAG": ("isMailingProhibited", "relationshipIsMailingProhibited"),
    },
    "SORDER": {
        "SOHNUM": ("id",),
        "SOHTYP": ("salesOrderType",),
        "SOHCAT": ("category",),
        "BPCORD": ("soldToCustomer",),
        "BPCPOSCOD": ("soldToCustomerPostalCode",),
        "BPCCTY": ("soldToCustomerCity",),
        "BPCSAT": ("soldToCustomerState",),
        "BPCCRY": ("soldToCustomerCountry",),
        "CNTNAM": ("soldToCustomerContact",),
        "ORDDAT": ("orderDate",),
        "CUR": ("currency",),
    },
    "SINVOICEV": {
        "NUM": ("id",),
        "BPCINV": ("billToCustomer",),
        "BPINAM": ("billToCustomerCompanyNames.companyName",),
        "CNINAM": ("billToCustomerInvoiceContact",),
        "INVDAT": ("invoiceDate",),
        "CUR": ("currency",),
        "INVSTA": ("status",),
        "INVTYP": ("category",),
        "SIVTYP": ("customerInvoiceType",),
        "SIHORINUM": ("sourceDocumentNumber",),
    },
    "SOHSOP": {
        "SOPLIN": ("lineNumber",),
        "ITMREF": ("product",),
        "ITMDES1": ("productDescriptionInUserLanguage",),
        "QTY": ("quantityInSalesUnitOrdered",),
        "GROPRI": ("grossPrice",),
        "NETPRI": ("netPrice",),
        "NETPRINOT": ("netPriceExcludingTax",),
        "NETPRIATI": ("netPriceIncludingTax",),
    },
    "SINVOICED": {
        "SIDLIN": ("lineNumber",),
        "ITMREF": ("product",),
        "ITMDES1": ("productDescriptionInUserLanguage",),
        "GROPRI": ("grossPrice",),
        "NETPRI": ("netPrice",),
        "NETPRIATI": ("netPriceIncludingTax",),
    },
}
"""By table (of lines: what their rows are called) and field code."""

PROPERTIES = frozenset(
    step for table in NAMES.values() for paths in table.values() for path in paths for step in path.split(".")
) | {LINES}
"""Every name above."""

CODES = frozenset(
    code
    for entity in ENTITIES.values()
    for code in (
        *(*entity.keys, *entity.fields, *entity.lines[1]),
        *(field for join in entity.joins for field in join.fields),
        *(source for join in entity.joins for source in join.on.values() if isinstance(source, str)),
    )
)
"""Every field code that is read."""
