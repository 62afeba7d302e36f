"""Country names as ERPs spell them -> ISO 3166 alpha-2."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache

__all__ = ["country_code"]

# Spellings beside the ISO names: abbreviations, parts of a country, sporting and car codes that people
# type for ISO ones, and the names in the languages our five systems are sold in.
_OTHER_SPELLINGS = {
    "AE": "UAE, U.A.E., Emirates, Emirats arabes unis, Vereinigte Arabische Emirate",
    "AR": "Argentinien, Argentine",
    "AT": "Oesterreich, Österreich, Autriche, Áustria",
    "AU": "Australien, Australie",
    "BA": "Bosnia, Bosnien",
    "BE": "België, Belgie, Belgique, Belgien, Bélgica, Belgio",
    "BR": "Brasil, Brasilien, Brésil",
    "CA": "Kanada, Canadá",
    "CD": "DRC, DR Congo, Congo-Kinshasa",
    "CG": "Congo-Brazzaville",
    "CH": "Schweiz, Suisse, Svizzera, Suiza, SUI",
    "CI": "Ivory Coast",
    "CN": "PRC, P.R. China, PR China, People's Republic of China, Mainland China, Chine, Kina",
    "CV": "Cape Verde",
    "CZ": "Czech Republic, Tschechien, Tschechische Republik, République tchèque, Česko",
    "DE": "Deutschland, Allemagne, Alemania, Alemanha, Germania, GER, BRD, Federal Republic of Germany",
    "DK": "Danmark, Dänemark, Daenemark, Danemark, Dinamarca, DEN",
    "EG": "Ägypten, Égypte, Egipto",
    "ES": "España, Espana, Spanien, Espagne, Espanha, Spagna",
    "FI": "Suomi, Finnland, Finlande",
    "FR": "Frankreich, Francia, França, Frankrijk",
    "GB": "UK, U.K., Great Britain, Britain, England, Scotland, Wales, Northern Ireland, Großbritannien, "
    "Grossbritannien, Vereinigtes Königreich, Royaume-Uni, Angleterre, Reino Unido, Regno Unito",
    "GR": "EL, Hellas, Griechenland, Grèce, Grecia",
    "HK": "Hong Kong SAR, HKSAR",
    "HR": "Kroatien, Croatie, Hrvatska",
    "HU": "Ungarn, Hongrie, Magyarország",
    "IE": "Eire, Republic of Ireland, Southern Ireland, Irland, Irlande",
    "IN": "Indien, Inde, Bharat",
    "IT": "Italia, Italien, Italie",
    "JP": "Nippon, Nihon, Japon",
    "KR": "South Korea, Korea, Südkorea, Corée du Sud",
    "LU": "Luxemburg",
    "MA": "Maroc, Marokko, Marruecos",
    "MK": "Macedonia, FYROM",
    "MO": "Macau",
    "MX": "México, Mexiko, Mexique",
    "MY": "West Malaysia, East Malaysia",
    "NL": "Holland, Nederland, Niederlande, Pays-Bas, Países Bajos, Paesi Bassi, Países Baixos, NED",
    "NO": "Norge, Norwegen, Norvège, Noruega",
    "NZ": "Neuseeland, Nouvelle-Zélande, Aotearoa",
    "PH": "Philippinen",
    "PL": "Polska, Polen, Pologne, Polonia",
    "PT": "POR, Portogallo",
    "RO": "Rumänien, Roumanie",
    "RU": "Russia, Russland, Russie",
    "SA": "KSA, Saudi",
    "SE": "Sverige, Schweden, Suède, Suecia",
    "SI": "Slowenien, Slovénie, Slovenija",
    "SK": "Slowakei, Slovaquie, Slovensko",
    "SZ": "Swaziland",
    "TR": "Turkey, Türkei, Turquie, Türkiye",
    "TW": "Taiwan, R.O.C.",
    "UA": "Ukraina",
    "US": "U.S.A., U.S., America, United States of America, The States, Vereinigte Staaten, "
    "États-Unis, Etats Unis, Estados Unidos, Stati Uniti",
    "VA": "Vatican, Vatican City",
    "VN": "Vietnam",
    "XK": "Kosovo, XKX",  # user-assigned, not in ISO 3166, but what everyone writes
    "ZA": "RSA, R.S.A., Südafrika, Suid-Afrika, Afrique du Sud",
}


def country_code(text: str) -> str:
    """The ISO 3166 alpha-2 code of a country as an ERP spells it, `""` when it is unknown.

    Understands alpha-2, alpha-3 and numeric codes, English names, and common spellings in other languages.
    Case, accents, dots, spaces and a leading "The" do not matter. ERPs hold anything here: Sage 100 three letters,
    Sage 300 free text, Sage X3 a code of the site's own, Acumatica two letters.

        >>> country_code("U.S.A."), country_code("Deutschland"), country_code("Atlantis")
        ('US', 'DE', '')
    """
    return _code_of(text)


@lru_cache(maxsize=1024)
def _code_of(text: str) -> str:
    spelling = _spelling(text)
    known = _codes_by_spelling()
    return known.get(spelling) or known.get(spelling.removeprefix("the"), "")


def _spelling(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text.casefold()) if letter.isalnum())


@cache
def _codes_by_spelling() -> dict[str, str]:
    codes = {_spelling(name): code for name, code in _iso_names()}
    for code, names in _OTHER_SPELLINGS.items():
        codes.update((_spelling(name), code) for name in (code, *names.split(",")))
    codes.pop("", None)
    return codes


def _iso_names() -> Iterator[tuple[str, str]]:
    import pycountry  # reads its data on first use: paid for by those who map countries

    for country in pycountry.countries:
        for field in ("name", "official_name", "common_name", "alpha_3", "alpha_2", "numeric"):
            name = getattr(country, field, "")
            yield name, country.alpha_2
            # "Korea, Republic of" is also asked for as "Republic of Korea"
            head, _, tail = name.partition(", ")
            yield f"{tail} {head}", country.alpha_2
