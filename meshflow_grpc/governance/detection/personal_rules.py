# ruff: noqa: E501, SIM905 - tables: one rule, one line
"""Personal data with a shape of its own or after a label: contact details, national numbers, finance, vehicles, places."""

from __future__ import annotations

import re

from meshflow_grpc.governance.detection import checksums
from meshflow_grpc.governance.detection.rule import Rule, digits, labelled, whole, words

_MONTH = r"(?:[Jj]an(?:uary)?|[Ff]eb(?:ruary)?|[Mm]ar(?:ch)?|[Aa]pr(?:il)?|[Mm]ay|[Jj]une?|[Jj]uly?|[Aa]ug(?:ust)?|[Ss]ept?(?:ember)?|[Oo]ct(?:ober)?|[Nn]ov(?:ember)?|[Dd]ec(?:ember)?)"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:19|20)\d\d"
DATE = (
    rf"(?:{_YEAR}[-/.](?:0?[1-9]|1[0-2])[-/.]{_DAY}|{_DAY}[-/.]{_DAY}[-/.](?:{_YEAR}|\d\d)"
    rf"|{_MONTH}\.?\s+{_DAY}(?:st|nd|rd|th)?(?:,?\s+{_YEAR})?|{_DAY}(?:st|nd|rd|th)?(?:\s+of)?[\s-]+{_MONTH}\.?(?:,?[\s-]+{_YEAR})?)\b"
)
_STREET = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Circle|Cir|Place|Pl|Square|Sq|Terrace|Ter|Parkway|Pkwy|Highway|Hwy"
    r"|Trail|Trl|Way|Crescent|Alley|Turnpike|Expressway|Freeway|Mews|Causeway|Stravenue|Throughway|Trafficway|Skyway|Motorway|Quay)"
)
_RARE_STREET = (
    r"(?:Alley|Anne?x|Arcade|Bayou|Beach|Bend|Bluff|Bottom|Branch|Bridge|Brook|Burg|Bypass|Camp|Canyon|Cape|Center|Centre|Cliff|Close|Club|Common|Corner|Course|Cove|Creek|Crest"
    r"|Crossing|Crossroad|Curve|Dale|Dam|Divide|Estate|Extension|Fall|Ferry|Field|Flat|Ford|Forest|Forge|Fork|Fort|Garden|Gateway|Glen|Green|Grove|Harbor|Haven|Height|Hill|Hollow"
    r"|Inlet|Island|Isle|Junction|Key|Knoll|Lake|Land|Landing|Light|Loaf|Lock|Lodge|Loop|Mall|Manor|Meadow|Mill|Mission|Mount|Mountain|Neck|Orchard|Oval|Overpass|Park|Pass|Passage"
    r"|Path|Pike|Pine|Plain|Plaza|Point|Port|Prairie|Radial|Ramp|Ranch|Rapid|Rest|Ridge|River|Route|Row|Rue|Run|Shoal|Shore|Spring|Spur|Station|Stream|Summit|Trace|Track|Tunnel"
    r"|Underpass|Union|Valley|Via|Viaduct|View|Village|Ville|Vista|Walk|Wall|Well)s?"
)
_STRASSE = r"(?:Strasse|Stra\xc3\x9fe|Str\.|Weg|Platz|Allee|vei|veien|gate|\xc3\xbat|utca|tee|katu)"
_WITH_STRASSE = r"(?:stra\xc3\x9fe|strasse|str\.|weg|platz|allee|gasse|gata|gatan|vej|straat|laan|utca)"
_UNIT = r"(?:,?\s+(?:Apt|Apartment|Suite|Ste|Unit|Floor|Room|#)\b?\.?\s?#?[A-Za-z0-9-]{1,6})?"
_STATE = r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY])"
_NAME_WORD = r"[A-Z\x80-\xff][\w'.\x80-\xff-]{0,30}"
_CITY = rf"(?:,[ ]?{_NAME_WORD}(?:[ ]{_NAME_WORD}){{0,3}}(?:[ ]\d{{1,2}}\b)?)"
_PLACED = words(
    "located (?:at|on|in)",
    "offices? (?:is|are) (?:at|on|in)",
    "(?:send|sent|ship|shipped|mail|mailed|deliver|delivered|forward|return|returned)(?: (?:it|them|this|that|the \\w+|a new one))? to",
    "arrived? at",
    "(?:lives?|lived|living|resides?|residing|stays?|staying|based) (?:at|on|in)",
    "moved? to",
    "address(?:es)?(?: of [^.\\n]{1,40})?(?: (?:is|was|to|from))?",
    "here they are",
    "corner of",
    "side of",
    "mee?t (?:(?:me|us|him|her|them) )?at",
    "picked? up (?:at|from)",
    "drop(?:ped)? off at",
    "it'?s (?:in|at|on)",
)
_NOT_STREETS = frozenset(
    "appendix article april august bar booth bus chapter class clause column december draft equation exhibit february figure fig "
    "floor friday gate grade group issue item january july june key level line lot march may module monday no november number "
    "october order page paragraph part phase pier platform port python question release room row rule saturday section september "
    "slide step sunday table task tier terminal thursday ticket track tuesday type unit version volume wednesday week year".split()
)


def street_with_number(candidate: str) -> bool:
    """Refuses what is counted rather than lived in (a section, a step, a day), and a small number without a city."""
    words_in = candidate.split()
    if not _NOT_STREETS.isdisjoint(word.strip(".,").lower() for word in words_in[:2]):
        return False
    return "," in candidate or sum(map(str.isdigit, candidate)) > 1


_MBI_LETTER = "[AC-HJKMNP-RT-Y]"
_ID = r"[A-Za-z0-9][A-Za-z0-9./-]{2,24}[A-Za-z0-9]"


_DATED = re.compile(r"\d{1,2}([-. ])\d{1,2}\1\d{2,4}(?!\d)|(?:19|20)\d\d[-. ]|\d{3}([-. ])\d\d\2\d{4}$")


def local_number(candidate: str) -> bool:
    """A number as one dials it at home, in groups; no date, nothing that begins with a year, no Social Security number."""
    return 8 <= sum(map(str.isdigit, candidate)) <= 10 and not _DATED.match(candidate)


_CARD = r"\b(?:[456][ -]?\d|3[ -]?[04-8]|2[ -]?[2-7])"

CONTACT = (
    Rule("pii", "email_address", r"[A-Za-z0-9][A-Za-z0-9._%+'-]{0,63}@[A-Za-z0-9][A-Za-z0-9.-]{0,254}\.[A-Za-z]{2,24}", trigger=r"[A-Za-z0-9._%+'-]@[A-Za-z0-9]"),
    Rule(
        "pii", "phone_number",
        r"(?:\+?1[-. ]{0,2})?(?:\(\d{3}\)[-. ]{0,2}|\b[2-9]\d{2}[-. ])\d{3}[-. ]\d{4}\b(?:\s?(?i:x|ext\.?|extension)\s?\d{1,6}\b)?",
        trigger=r"\d{3}\)?[-. ]{0,2}\d{3}[-. ]\d{4}\b",
    ),
    Rule("pii", "phone_number", r"\+\d(?:[-. ()/]{0,2}\d){6,14}\b(?:\s?(?i:x|ext\.?)\s?\d{1,6}\b)?", check=digits(7, 21), trigger=r"\+\d[-. ()/]{0,2}\d"),
    Rule("pii", "phone_number", r"\b00[1-9](?:[-. ()/]?\d){8,13}\b", check=digits(10, 16)),
    Rule("pii", "phone_number", r"\b[1-9]\d{1,3}(?:[-. ]\d{2,6}){1,4}\b", check=whole(local_number), context="contact", trigger=r"\b[1-9]\d{1,3}[-. ]\d\d"),
    Rule("pii", "phone_number", r"\b0\d(?:[-. /]?\d){1,4}[-. /]\d(?:[-. ]?\d){4,8}\b", check=digits(9, 12), context="contact", trigger=r"\b0\d"),
    labelled(
        "pii", "phone_number",
        ("phone", "telephone", "tel", "mobile", "cell", "call(?:ing|ed)?(?: me| us| him| her)?(?: back)?(?: at| on)?", "fax", "pager", "whatsapp", "reach(?:ed)?(?: me| us| him| her)?(?: at| on)", "text me(?: at| on)?", "ph", "contact"),
        r"\(?\+?\d(?:[-. ()/x]{0,2}\d){5,18}\b", digits(6, 20),
    ),
    Rule("pii", "ip_address", r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b", check=whole(checksums.ip_address), trigger=r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d"),
    Rule(
        "pii", "ip_address", r"(?:^|[^0-9A-Za-z:.])([0-9A-Fa-f]{0,4}(?::{1,2}[0-9A-Fa-f]{1,4}){2,7})\b",
        group=1, check=whole(lambda s: checksums.ip_address(s) and len(s) > 6), trigger=r":[0-9A-Fa-f]{1,4}::?[0-9A-Fa-f]",
    ),
    Rule("pii", "mac_address", r"\b(?:[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5})\b"),
)  # fmt: skip

NATIONAL = (
    Rule("pii", "us_ssn", r"\b\d{3}-\d{2}-\d{4}\b", check=whole(checksums.us_ssn)),
    Rule("pii", "us_ssn", r"\b\d{3} \d{2} \d{4}\b", check=whole(checksums.us_ssn), context="personal"),
    Rule("pii", "us_itin", r"\b9\d{2}[- ]\d{2}[- ]\d{4}\b", check=whole(checksums.us_itin)),
    labelled("pii", "us_ssn", ("ssn", "ss#", "social security", "social sec", "soc sec", "social"), r"\d{3}[-. ]?\d{2}[-. ]?\d{4}\b", whole(checksums.us_ssn)),
    labelled("pii", "us_ein", ("ein", "employer identification", "tax id", "taxpayer", "tin", "itin"), r"\d{2}-?\d{7}\b"),
    labelled("pii", "passport_number", ("passport", "passeport", "reisepass", "pasaporte", "passaporto"), r"[A-Za-z]{0,3}\d[A-Za-z0-9]{5,9}\b", digits(5)),
    labelled(
        "pii", "licence_number",
        ("driver'?s?'? licen[cs]e", "drivers? lic", "driving licen[cs]e", "licen[cs]e (?:no|number|#)", "certificate (?:no|number|#)", "dl"),
        rf"{_ID}\b", digits(4),
    ),
    labelled("pii", "licence_number", ("licen[cs]e", "licen[cs]ed", "lic", "certificate", "certification", "registration", "permit"), rf"{_ID}\b", digits(4), "personal"),
    Rule("pii", "uk_nino", r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"),
    labelled("phi", "uk_nhs_number", ("nhs", "national health service"), r"\d{3}[- ]?\d{3}[- ]?\d{4}\b", whole(checksums.uk_nhs)),
    Rule("pii", "aadhaar", r"\b[2-9]\d{3}[ -]\d{4}[ -]\d{4}\b", check=whole(checksums.aadhaar)),
    labelled("pii", "aadhaar", ("aadhaar", "aadhar", "uidai"), r"[2-9]\d{11}\b", whole(checksums.aadhaar)),
    Rule("pii", "brazil_cpf", r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b", check=whole(checksums.brazil_cpf)),
    Rule("pii", "spain_dni", r"\b(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z]\b", check=whole(checksums.spain_dni)),
    Rule("pii", "italy_codice_fiscale", r"\b[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b", check=whole(checksums.italy_codice_fiscale)),
    Rule("pii", "france_nir", r"\b[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}\b", check=whole(checksums.france_nir)),
    Rule("pii", "singapore_nric", r"\b[STFGM]\d{7}[A-Z]\b", check=whole(checksums.singapore_nric)),
    Rule("pii", "sweden_personnummer", r"\b(?:19|20)?\d{6}[-+]\d{4}\b", check=whole(checksums.sweden_personnummer)),
    labelled("pii", "poland_pesel", ("pesel",), r"\d{11}\b", whole(checksums.poland_pesel)),
    labelled("pii", "netherlands_bsn", ("bsn", "burgerservicenummer", "sofinummer"), r"\d{9}\b", whole(checksums.netherlands_bsn)),
    labelled("pii", "canada_sin", ("sin", "social insurance"), r"\d{3}[- ]?\d{3}[- ]?\d{3}\b", whole(checksums.luhn)),
    labelled("pii", "national_id", ("national id", "identity card", "id card", "personalausweis", "tax file", "tfn", "curp", "dni", "nie", "cpf", "steuer-?id"), rf"{_ID}\b", digits(6)),
)  # fmt: skip

FINANCE = (
    Rule("pii", "credit_card", rf"{_CARD}(?:[ -]?\d){{12,}}\b", items=checksums.payment_cards, trigger=rf"{_CARD}(?:[ -]?\d){{12}}"),
    labelled("pii", "credit_card", ("credit card", "debit card", "card number", "card no", "cc", "visa", "mastercard", "amex", "card"), r"\d(?:[ -]?\d){11,18}\b", whole(checksums.luhn)),
    labelled("pii", "card_security_code", ("cvv2?", "cvc2?", "security code"), r"\d{3,4}\b"),
    Rule("pii", "iban", r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,40}", check=checksums.iban_length, trigger=r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){3}"),
    labelled(
        "pii", "account_number",
        ("account", "acct", "a/c", "bank account", "checking", "savings", "invoice account", "billing account", "konto(?:nummer)?", "cuenta", "compte"),
        r"(?:[A-Z]{1,4}[- ]?)?\d[\d -]{3,22}\d\b", digits(5, 20),
    ),
    labelled("pii", "routing_number", ("routing", "aba", "rtn"), r"\d{9}\b", whole(checksums.aba_routing)),
    labelled("pii", "swift_code", ("swift", "bic", "swift code"), r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?\b"),
    Rule("pii", "crypto_wallet", r"\b(?:bc1[ac-hj-np-z02-9]{25,60}|0x[a-fA-F0-9]{40})\b"),
    labelled("pii", "crypto_wallet", ("bitcoin", "btc", "wallet", "crypto(?:currency)?"), r"[13][a-km-zA-HJ-NP-Z1-9]{25,34}\b"),
)  # fmt: skip

VEHICLE = (
    Rule("pii", "vin", r"\b[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}\b", check=whole(checksums.vin)),
    labelled("pii", "vin", ("vin", "vehicle identification", "vehicle", "chassis"), r"[A-HJ-NPR-Za-hj-npr-z0-9]{17}\b", digits(3)),
    labelled("pii", "licence_plate", ("licen[cs]e plates?", "plates?", "vehicle registration", "reg(?:istration)? plate", "tags?", "kennzeichen", "matricula"), r"[A-Z0-9]{1,4}[- ]?[A-Z0-9]{2,5}(?:[- ][A-Z0-9]{1,4})?\b", digits(1)),
)  # fmt: skip

PLACE = (
    Rule(
        "pii", "street_address",
        rf"\b\d{{1,6}}[A-Za-z]?(?:-\d{{1,4}})?,?\s+(?:(?:{_NAME_WORD}|of|the|\d{{1,3}}(?:st|nd|rd|th))[ ]+){{1,4}}{_STREET}\b\.?{_UNIT}{_CITY}?",
        trigger=rf"\b{_STREET}\b",
    ),
    Rule(
        "pii", "street_address", rf"\b\d{{2,6}}\s+(?:{_NAME_WORD}[ ]+){{1,3}}{_RARE_STREET}\b{_UNIT}",
        trigger=rf"\b{_RARE_STREET}\b", context="personal",
    ),
    Rule(
        "pii", "street_address", rf"\b{_NAME_WORD}(?: {_NAME_WORD})? {_STRASSE}\.? \d{{1,4}}[a-z]?\b", trigger=rf" {_STRASSE}\.? \d",
    ),
    Rule(
        "pii", "street_address",
        rf"{_PLACED}[\s:]{{1,3}}((?:[A-Za-z]{{1,4}}[./][ ]?)?{_NAME_WORD}(?:[ ](?:{_NAME_WORD}|[a-z\x80-\xff]{{2,14}})){{0,4}}[ ]\d{{1,5}}[A-Za-z]?\b{_CITY}?)",
        group=1, check=whole(street_with_number), trigger=_PLACED,
    ),
    Rule("pii", "street_address", r"\b(?:P\.?\s?O\.?\s?Box|(?i:post office box)|PSC|APO|FPO)\s+\d{1,7}\b"),
    Rule(
        "pii", "street_address",
        rf"\b(?:Rua|Avenida|Calle|Via|Viale|Piazza|Rue|Place|Plaza|Boulevard|ul\.|ulica)\s+(?:(?:de|del|da|do|dos|das|la|las|los|di|du|des)\s+)*(?:{_NAME_WORD}[ ,]+){{1,4}}(?:n[o.]?\s?)?\d{{1,5}}\b",
        trigger=r"\b(?:Rua|Avenida|Calle|Via|Viale|Piazza|Rue|Place|Plaza|Boulevard|ul\.|ulica)\s",
    ),
    Rule("pii", "street_address", rf"\b\d{{1,5}},?\s+(?:rue|avenue|boulevard|place|chemin|quai)\s+(?:(?:de|du|des|la|le|les)\s+)*{_NAME_WORD}(?: {_NAME_WORD})?"),
    Rule(
        "pii", "street_address", rf"\b[A-Z\xc3][\w\x80-\xff-]{{2,30}}{_WITH_STRASSE}\s+\d{{1,4}}[a-z]?\b", trigger=rf"{_WITH_STRASSE}\s+\d",
    ),
    Rule("pii", "city_and_zip", rf"(?:\b[A-Z][A-Za-z'.-]{{1,30}}(?:[ ][A-Z][A-Za-z'.-]{{1,30}}){{0,2}},\s?)?\b{_STATE},?\s+\d{{5}}(?:-\d{{4}})?\b", trigger=rf"\b{_STATE},?\s+\d{{5}}"),
    labelled("pii", "zip_code", ("zip", "zip ?code", "postal code", "postcode", "post code"), r"(?:\d{5}(?:-\d{4})?|[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]{1,2}\d[A-Z0-9]? ?\d[A-Z]{2})\b"),
    Rule("pii", "postal_code", r"\b[A-Z]{1,2}\d[A-Z0-9]? \d[ABD-HJLNP-UW-Z]{2}\b", context="contact"),
    Rule("pii", "geo_coordinates", r"-?\b\d{1,2}\.\d{4,8},\s?-?\d{1,3}\.\d{4,8}\b"),
)  # fmt: skip

BIRTH = (
    labelled(
        "pii", "date_of_birth",
        ("dob", r"d\.o\.b", "date of birth", "birth ?date", "born", "birthday", "geburtsdatum", "geboren", "fecha de nacimiento", "date de naissance"),
        DATE,
    ),
)  # fmt: skip

PERSONAL_RULES = CONTACT + NATIONAL + FINANCE + VEHICLE + PLACE + BIRTH
