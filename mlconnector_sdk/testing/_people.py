"""Made-up companies, persons and addresses of many countries: as messy as real ones, the same for the same seed.

Names, domains and numbers are invented. Domains end in ordinary top-level domains because address checkers refuse
the reserved ones; nothing is ever sent to them.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator

import attrs

__all__ = ["SampleAddress", "SampleCompany", "SamplePerson", "companies"]


@attrs.frozen(kw_only=True)
class SampleAddress:
    """A postal address; `region` and `postal_code` are empty where the country, or the clerk, has none."""

    line1: str
    line2: str
    city: str
    region: str
    postal_code: str
    country: str


@attrs.frozen(kw_only=True)
class SamplePerson:
    """A person working somewhere. `email` is as somebody typed it: perhaps empty, padded, or no address at all."""

    first: str
    last: str
    email: str
    phone: str
    title: str


@attrs.frozen(kw_only=True)
class SampleCompany:
    """A company. `email` is as typed: perhaps several addresses, upper case, padded, invalid or missing."""

    number: int
    name: str
    domain: str
    email: str
    phone: str
    website: str
    address: SampleAddress
    person: SamplePerson


@attrs.frozen
class _Country:
    code: str
    firms: tuple[str, ...]
    given: tuple[str, ...]
    family: tuple[str, ...]
    places: tuple[tuple[str, str, str], ...]
    streets: tuple[str, ...]
    phones: tuple[str, ...]
    domain: str


def _country(
    code: str, firms: str, given: str, family: str, places: str, streets: str, phones: str, tld: str
) -> _Country:
    """Texts are lists separated by `|`; `{}` in firms is a family name, `#` in phones and streets a digit."""
    cut = [tuple(text.split("|")) for text in (firms, given, family, streets, phones)]
    towns = tuple((town, region, code_) for town, region, code_ in (place.split("/") for place in places.split("|")))
    return _Country(code, cut[0], cut[1], cut[2], towns, cut[3], cut[4], tld)


_COUNTRIES = (
    _country(
        "US",
        "{} Pumps Inc.|{} Supply Co.|{} & Sons Hardware|Harbor {} Marine LLC",
        "Mary|Jose|Shaniqua|Bob|Ann Marie",
        "O'Hara|Ortiz|van der Berg|McDonald|Smith-Jones|Nguyen",
        "Kirkland/WA/98033|Austin/TX/78701-1234|Boston/MA/02108",
        "### Mill Lane|#### N 4th St|P.O. Box ###",
        "(425) 555-01##|+1 425 555 01##|425.555.01## x12|4255550100",
        "com",
    ),
    _country(
        "GB",
        "{} & Daughters Ltd|The {} Tea Company|{} Valves plc",
        "Siobhán|Nigel|Imogen|Rhys",
        "O'Neill|Fforbes|Wright|D'Arcy",
        "Leeds/West Yorkshire/LS1 4AP|London//SW1A 2AA|Truro/Cornwall/TR1 2EH",
        "Unit #, Canal Wharf|## High Street|Flat #, The Maltings",
        "020 7946 0###|+44 (0)113 496 0###|01632 960###",
        "co.uk",
    ),
    _country(
        "DE",
        "{} Maschinenbau GmbH & Co. KG|Gebrüder {} OHG|{} Getränke e.K.",
        "Jürgen|Änne|Björn|Özlem",
        "Müller|Großmann|Schäfer-Weiß|von Lüttwitz",
        "Köln//50667|München/Bayern/80331|Lübeck//23552",
        "Hauptstraße ##|Am Weiher #a|Königsallee ###",
        "+49 221 55501##|0221/555 01 ##|0049-89-5550-1##",
        "de",
    ),
    _country(
        "FR",
        "Établissements {}|{} et Fils SARL|Maison {}",
        "Éloïse|Jean-Luc|Zoé|Anaïs",
        "Lefèvre|D'Aubigné|Bœuf|N'Diaye",
        "Nîmes//30000|Saint-Étienne//42000|Paris CEDEX 08//75379",
        "## bis, rue de l'Église|# allée des Tilleuls",
        "01 99 00 ## ##|+33 (0)1 99 00 12 ##",
        "fr",
    ),
    _country(
        "ES",
        "Hermanos {} S.L.|Almacenes {}|{} y Cía.",
        "José María|Begoña|Íñigo|Lucía",
        "Muñoz Peña|Ibáñez|Goikoetxea",
        "A Coruña/Galicia/15001|Logroño/La Rioja/26001",
        "C/ Mayor, ##, 3º B|Avda. de la Ría ##",
        "+34 911 23 45 ##|911 2345##",
        "es",
    ),
    _country(
        "PL",
        "{} Sp. z o.o.|Zakłady {} S.A.",
        "Łukasz|Małgorzata|Żaneta",
        "Wójcik|Śliwiński|Źrebiec",
        "Łódź//90-001|Gdańsk/pomorskie/80-001",
        "ul. Świętojańska ##|al. Jana Pawła II #/##",
        "+48 58 555 01 ##|58 55501##",
        "pl",
    ),
    _country(
        "JP",
        "株式会社{}|{}商店|有限会社{}製作所",
        "太郎|花子|健一",
        "田中|山本|佐藤",
        "東京都千代田区//100-0001|大阪市/大阪府/530-0001",
        "丸の内#-#-#|梅田#丁目#番",
        "03-5550-01##|+81 3 5550 01##",
        "co.jp",
    ),
    _country(
        "CN",
        "{}贸易有限公司|上海{}机械厂",
        "伟|秀英|建国",
        "王|李|欧阳",
        "上海市/上海/200000|深圳/广东/518000",
        "南京路##号|人民大道###号",
        "+86 21 5550 01##|021-555001##",
        "cn",
    ),
    _country(
        "AE",
        "شركة {} للتجارة|مؤسسة {}",
        "محمد|فاطمة|خالد",
        "الهاشمي|السويدي",
        "دبي//|Abu Dhabi//",
        "شارع الشيخ زايد ##|P.O. Box ####",
        "+971 4 555 01##|04-55501##",
        "ae",
    ),
    _country(
        "IE",
        "{} Fisheries DAC|{} Craic Beers",
        "Aoife|Séamus|Caoimhe",
        "Ó Súilleabháin|Ní Bhriain|O'Driscoll",
        "Dún Laoghaire/Co. Dublin/A96 X4Y2|Galway//",
        "## Quay Street|The Old Mill",
        "+353 1 555 01##|(01) 555 01##",
        "ie",
    ),
    _country(
        "BR",
        "{} Comércio Ltda.|Irmãos {} S/A",
        "João|Conceição|Antônio",
        "da Conceição|Gonçalves|dos Santos",
        "São Paulo/SP/01001-000|Brasília/DF/70040-010",
        "Rua das Flores, ###|Av. Atlântica, ####",
        "+55 11 5555-01##|(11) 5555 01##",
        "com.br",
    ),
    _country(
        "NO",
        "{} Sjømat AS|Brødrene {} ANS",
        "Bjørg|Åse|Øystein",
        "Ødegård|Bråten|Næss",
        "Ålesund//6002|Tromsø//9008",
        "Storgata ##|Fjellveien # B",
        "+47 55 55 01 ##|555501##",
        "no",
    ),
    _country(
        "KR",
        "주식회사 {}|{}상사",
        "민준|서연",
        "김|박",
        "서울특별시//04524|부산광역시//48058",
        "세종대로 ##길 #",
        "02-555-01##|+82 2 555 01##",
        "co.kr",
    ),
    _country(
        "IN",
        "{} & Bros. Pvt. Ltd.|Sri {} Textiles",
        "Priya|Arjun|Mohammed",
        "Venkataraman|Singh|Sharma",
        "Bengaluru/KA/560001|Mumbai/Maharashtra/400001",
        "##/#, M.G. Road, opp. Bank|Plot No. ###",
        "+91 80 5550 01##|080-55501###",
        "in",
    ),
)

_STEMS = ("harbor-pumps", "quillwater", "tarn-and-fell", "oakmoss-tools", "brightfen", "saltmarsh-foods", "copperlane",
          "windmere-parts", "juniper-press", "fernhollow", "kestrel-valves", "larkfield")  # fmt: skip
_NO_ADDRESS = (
    "n/a",
    "none",
    "keine@",
    "sales at the shop",
    "foo@@bar.com",
    "john.doe@localhost",
    "@",
    "tel. only",
    "a b@c.com",
)
_BOXES = ("office", "info", "sales", "accounts", "ap", "orders")
_SHARED = ("books@three-ledgers-accounting.com", "ap@northwick-shared-services.com")
_TITLES = ("", "", "Mr.", "Ms.", "Dr.", "Owner")


def companies(count: int, *, seed: int = 1) -> Iterator[SampleCompany]:
    """Yield `count` companies, numbered from 1; the same seed gives the same companies in the same order."""
    dice = random.Random(seed)
    for number in range(1, count + 1):
        yield _company(dice, number)


def _company(dice: random.Random, number: int) -> SampleCompany:
    country = _COUNTRIES[int(dice.random() * len(_COUNTRIES))]
    stem = _STEMS[int(dice.random() * len(_STEMS))]
    domain = f"{stem}{number}.{country.domain}"
    name = _pick(dice, country.firms).format(_pick(dice, country.family))
    return SampleCompany(
        number=number,
        name=_untidy_name(dice, name),
        domain=domain,
        email=_company_email(dice, domain),
        phone=_digits(dice, _pick(dice, country.phones)) if dice.random() < 0.85 else "",
        website=f"https://www.{domain}" if dice.random() < 0.3 else "",
        address=_address(dice, country),
        person=_person(dice, country, domain),
    )


def _pick(dice: random.Random, choices: tuple[str, ...]) -> str:
    return choices[int(dice.random() * len(choices))]


def _digits(dice: random.Random, pattern: str) -> str:
    return "".join(str(int(dice.random() * 9) + 1) if sign == "#" else sign for sign in pattern)


def _untidy_name(dice: random.Random, name: str) -> str:
    roll = dice.random()
    if roll < 0.04:
        return name.upper()
    return f"{name}  " if roll < 0.06 else name


def _company_email(dice: random.Random, domain: str) -> str:
    plain = f"{_pick(dice, _BOXES)}@{domain}"
    roll = dice.random()
    if roll < 0.72:
        return plain
    if roll < 0.76:
        return plain.upper()
    if roll < 0.80:
        return f"  {plain} "
    if roll < 0.87:
        mark = _pick(dice, (";", ",", "; ", " , "))
        return mark.join([plain, f"second@{domain}", *([f"THIRD@{domain}"] if roll < 0.83 else [])])
    if roll < 0.92:
        return ""
    return _pick(dice, _NO_ADDRESS) if roll < 0.97 else _pick(dice, _SHARED)


def _address(dice: random.Random, country: _Country) -> SampleAddress:
    city, region, postal_code = country.places[int(dice.random() * len(country.places))]
    bare = dice.random()
    return SampleAddress(
        line1=_digits(dice, _pick(dice, country.streets)) if bare > 0.05 else "",
        line2="c/o Reception" if bare > 0.9 else "",
        city=city if bare > 0.03 else "",
        region=region if bare > 0.15 else "",
        postal_code=postal_code if bare > 0.08 else "",
        country=country.code,
    )


def _person(dice: random.Random, country: _Country, domain: str) -> SamplePerson:
    first, last = _pick(dice, country.given), _pick(dice, country.family)
    return SamplePerson(
        first=first if dice.random() < 0.92 else "",
        last=last,
        email=_person_email(dice, first, last, domain),
        phone=_digits(dice, _pick(dice, country.phones)) if dice.random() < 0.6 else "",
        title=_pick(dice, _TITLES),
    )


def _latin(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(sign for sign in plain.lower() if sign.isalpha())


def _person_email(dice: random.Random, first: str, last: str, domain: str) -> str:
    box = ".".join(filter(None, (_latin(first), _latin(last))))
    roll = dice.random()
    if not box or roll < 0.1:
        box = f"person{int(dice.random() * 900) + 100}"
    if roll > 0.95:
        return ""
    if roll > 0.91:
        return f"info@{domain}"
    return f"{box}@{domain}".upper() if roll > 0.87 else f"{box}@{domain}"
