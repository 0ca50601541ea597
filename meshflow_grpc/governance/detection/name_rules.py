# ruff: noqa: E501, SIM905 - tables: one rule, one line
"""Names of people in ordinary sentences: a known given name, alone or before another name."""

from __future__ import annotations

from meshflow_grpc.governance.detection.clinical_rules import NAME_TOKEN, person_name
from meshflow_grpc.governance.detection.given_names import GIVEN_NAMES
from meshflow_grpc.governance.detection.rule import Rule

_PARTICLE = r"(?:van der|van den|van de|von der|de la|de los|van|von|de|da|del|der|den|di|du|dos|la|le|bin|ibn|al|el)"
_NOT_SURNAMES = frozenset(
    "academy act airlines airport algorithm archive association avenue award bank basin bay beach bill boulevard bridge building canal cape castle cathedral centre center church "
    "city clinic co code college company conference corp corporation council county court creek cup day disease drive effect equation estate exchange festival field forest "
    "formula foundation framework fund gallery gardens gmbh group hall harbor harbour hill hospital hotel house inc inn institute international island islands journal lake lane language law lectures library "
    "limited llc ltd magazine mall medal memorial method model monastery motors mount mountain mountains museum music news office palace park parliament partners plaza point port press prize "
    "problem project protocol publishing railway records region report republic resort restaurant review ridge river road school sea series server services solutions society software square stadium state station store stores street "
    "studio studios summit syndrome systems team technologies technology temple test theatre theater theorem times tower town trail treaty trophy trust university valley village way week wood woods".split()
)


def full_name(candidate: str) -> int:
    """Keeps a given name with what follows it, up to a word that no name has; refuses one that stands alone then."""
    tokens = candidate.split(" ")
    end = next((place for place, token in enumerate(tokens) if token.strip(".'").lower() in _NOT_SURNAMES), len(tokens))
    kept = person_name(" ".join(tokens[:end]))
    return kept if " " in candidate[:kept] and kept > len(tokens[0]) + 1 else 0


_GIVEN = rf"(?:{'|'.join(sorted(GIVEN_NAMES))})"
_KNOWN = rf"\b{_GIVEN}\b"

NAME_RULES = (
    Rule("pii", "person_name", rf"\b({_GIVEN}(?:-{NAME_TOKEN})?(?:[ ](?:{_PARTICLE}[ ])?{NAME_TOKEN}){{1,3}})", group=1, check=full_name, trigger=_KNOWN),
    Rule("pii", "person_name", rf"(?:^|[\n.!?;\"(\[>]\s?|[a-z,:]['\x80-\xff]*[ ])({_GIVEN})(?:'s\b|[ ]?[,.!?;:)\]\"<\n]|[ ][a-z(]|$)", group=1, trigger=_KNOWN),
)  # fmt: skip
