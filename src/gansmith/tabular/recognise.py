"""Recognises what text and column names mean: personal data, identifiers, codes, yes and no."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = r"[A-Z][\w'-]+"
_CONTENT: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (fill, re.compile(pattern))
    for fill, pattern in (
        ("email", r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"),
        ("uuid4", r"\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?"),
        ("ipv4", r"(\d{1,3}\.){3}\d{1,3}"),
        ("ipv6", r"(?=.*:.*:)[0-9a-fA-F:]{3,39}"),
        ("mac_address", r"([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}"),
        ("url", r"(https?://|www\.)\S+"),
        ("ssn", r"\d{3}-\d{2}-\d{4}"),
        ("iban", r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}"),
        ("credit_card_number", r"\d{4}([ -]\d{4}){3}"),
        ("phone_number", r"(?=(.*\d){7})(\+|00|\()[\d\s().x/-]{7,22}"),
        ("phone_number", r"\d{3}[ .-]\d{3}[ .-]\d{4}( ?x\d+)?|\d{2,5}[ /-]\d{5,9}"),
    )
)  # fmt: skip
_NAMES: tuple[tuple[str, str], ...] = (
    ("email", r"e_?mail(_address)?"),
    ("first_name", r"(first|given|fore)_?names?"),
    ("last_name", r"(last|family|sur)_?names?"),
    ("name", r"((full|patient|customer|client|person|employee|student|contact|card_?holder|owner|doctor)_?)?name"),
    ("user_name", r"(user_?name|login|nickname|screen_name|twitter_handle)"),
    ("phone_number", r"(tele)?(phone|fon|mobile|cell|fax)(_?(no|nr|number|num))?"),
    ("street_address", r"(street|home|mailing|postal|billing|shipping)?_?(address|addr)(_?(line)?_?\d)?|street"),
    ("ssn", r"(ssn|social_security(_?(no|number))?)"),
    ("iban", r"iban"),
    ("credit_card_number", r"(credit_?)?card_?(no|nr|num|number)"),
    ("passport_number", r"passport(_?(no|nr|num|number))?"),
    ("license_plate", r"(license_?plate|number_?plate|registration_?plate)"),
    ("url", r"(url|website|homepage)"),
    ("ipv4", r"(ip|ip_?addr(ess)?)"),
)  # fmt: skip
_ROLE = re.compile(
    r"(.*_)?(doctor|physician|surgeon|nurse|therapist|consultant|teacher|employee|patient|customer|client|owner|author|"
    r"manager|agent|person|contact|driver|student|user|by)"
)
_ID = re.compile(r"(.*_)?(id|ids|uuid|guid|key|index|idx|nr|no|rownum|row_number|rownr|serial(_number)?|unnamed_\d+)")
_CODE = re.compile(
    r"(.*_)?(codes?|zip|zip_?code|postcode|postal_?code|plz|fips|icd\d*|sic|naics|type|class|category|id|store|shop|"
    r"branch|department|dept|group|cluster|label|flag|status)"
)
_TRUTH = ({"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"on", "off"})
_PERSON = re.compile(rf"({_WORD}\.? )({_WORD}\.? |[A-Z]\. ){{0,2}}{_WORD}")
_HEX = re.compile(r"(?=.*\d)(?=.*[a-f])[0-9a-f]{12,128}")
PLACES = {"#": "0123456789", "%": "123456789", "?": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "&": "abcdefghijklmnopqrstuvwxyz",
          "^": "0123456789abcdef"}  # fmt: skip
"""What each letter of a pattern stands for; every other letter stands for itself."""

MISSING = (
    "",
    "#N/A",
    "#N/A N/A",
    "#NA",
    "-NaN",
    "-nan",
    "<NA>",
    "N/A",
    "NA",
    "NULL",
    "NaN",
    "None",
    "n/a",
    "nan",
    "null",
)
"""Cells of a file that mean a missing value, as pandas reads them."""
_UNKNOWN = ("missing", "Missing", "unknown", "Unknown", "UNKNOWN")
_ABSENT = ("n.a.", "N.A.", "n. a.", "na", "Na", "none", "k.A.", "k. A.", "k.a.", "keine Angabe", "n.v.", "#NV")
PLACEHOLDERS = frozenset(("?", "-", "--", "\u2013", "\u2014", ".", "..", "*", *_ABSENT, *_UNKNOWN))
"""Words that stand for a missing value where they stand among numbers or dates."""


def plain_name(name: str) -> str:
    """`PatientID`, `patient-id` and `Patient Id` to `patient_id`."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"\W+", "_", apart).strip("_").lower()


def hinted_fill(name: str) -> str | None:
    """The Faker provider that a column's name asks for, or None."""
    plain = plain_name(name)
    return next((fill for fill, pattern in _NAMES if re.fullmatch(pattern, plain)), None)


def names_persons(name: str, texts: Sequence[str]) -> bool:
    """Whether a column is named after persons, and most of its texts look like their names."""
    persons = sum(bool(_PERSON.fullmatch(t)) for t in texts)
    named = _ROLE.fullmatch(plain_name(name)) or hinted_fill(name) == "name"
    return bool(named) and persons >= 0.5 * len(texts)


def is_id_name(name: str) -> bool:
    """Whether a column's name says identifier, key or row number."""
    return bool(_ID.fullmatch(plain_name(name)))


def is_code_name(name: str) -> bool:
    """Whether a column's name says that its numbers are codes."""
    return bool(_CODE.fullmatch(plain_name(name)))


def content_fill(texts: Sequence[str]) -> str | None:
    """The Faker provider of personal data that nearly all of these texts look like, or None."""
    for fill, pattern in _CONTENT:
        if texts and sum(bool(pattern.fullmatch(t)) for t in texts) >= 0.95 * len(texts):
            return fill
    return None


def is_truth(texts: Sequence[str]) -> bool:
    """Whether two texts say yes and no, in any spelling."""
    return len(texts) == 2 and {t.strip().lower() for t in texts} in _TRUTH


def made_like(texts: Sequence[str]) -> str:
    """The fill of text that is nearly all different: names, texts of several words, or a pattern of codes."""
    n = len(texts)
    if sum(bool(_PERSON.fullmatch(t)) for t in texts) >= 0.8 * n:
        return "name"
    if all(_HEX.fullmatch(t) for t in texts) and len({len(t) for t in texts}) == 1:
        return "pattern:" + "^" * len(texts[0])
    if sum(len(t.split()) > 2 for t in texts) > 0.3 * n:
        return "sentence"
    return "pattern:" + pattern_of(texts)


def pattern_of(texts: Sequence[str]) -> str:
    """A pattern that codes were made after: a letter that all share stays, others become the sort of letter they are.

    Codes of several lengths take the pattern of the most frequent length; at most 64 letters.
    """
    lengths = [len(t) for t in texts]
    usual = max(set(lengths), key=lambda k: (lengths.count(k), k))
    rows = [t for t in texts if len(t) == usual]
    few = len(rows) < 10  # then a letter that all share may be one person's
    made = "".join(_place({t[i] for t in rows}, few) for i in range(min(usual, 64)))
    return re.sub(r"[\d#%]*[#%][\d#%]*", lambda m: re.sub(r"\d", "#", m[0]), made) or "####"  # 00### counts to 99999


def _place(letters: set[str], few: bool) -> str:
    one = next(iter(letters))
    if len(letters) == 1 and one not in PLACES and not (few and one.isalnum()):
        return one
    if all(c in PLACES["#"] for c in letters):
        return "%" if len(letters) > 5 and "0" not in letters else "#"
    if all(c in PLACES["^"] for c in letters) and letters & set(PLACES["#"]):
        return "^"
    return "&" if any(c.islower() for c in letters) else "?"
