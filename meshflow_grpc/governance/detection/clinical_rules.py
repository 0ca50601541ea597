# ruff: noqa: E501, SIM905 - tables: one rule, one line
"""Health identifiers of 45 CFR 164.514(b)(2) and names of people, which count only in a strong context."""

from __future__ import annotations

from meshflow_grpc.governance.detection import checksums
from meshflow_grpc.governance.detection.personal_rules import _ID, _MBI_LETTER, DATE
from meshflow_grpc.governance.detection.rule import LABEL_GAP, Rule, digits, labelled, whole, words

CLINICAL_CONTEXT = words(
    "patients?", "diagnos(?:is|ed|es)", "admitted (?:to|for|on|with)", "discharged (?:to|from|on|home)", "discharge summary", "mrn", "medical record",
    "date of birth", "dob", "prescribed", "follow-up visit", "presents with", "chief complaint", "hospitali[sz]ed", "clinical note", "health plan",
)  # fmt: skip
CONTACT_CONTEXT = words(
    "phone",
    "tel",
    "telephone",
    "mobile",
    "call",
    "fax",
    "contact",
    "address",
    "postcode",
    "customer",
    "street",
    "road",
    "lives?",
    "email",
)

NAME_TOKEN = (
    r"(?:(?:[A-Z]|\xc3[\x80-\x9e]|[\xc4\xc5][\x80-\xbf])[a-z\x80-\xff]*(?:['\x80-\xff-][A-Z]?[a-z\x80-\xff]+)*|[A-Z]\.)"
)
_FULL_NAME = rf"{NAME_TOKEN}(?:[ ](?:(?:van|von|de|da|del|der|den|la|le|bin|al|el)[ ])?{NAME_TOKEN}){{0,3}}"
_TWO_NAMES = rf"{NAME_TOKEN}(?:[ ](?:(?:van|von|de|da|del|der|den|la|le|bin|al|el)[ ])?{NAME_TOKEN}){{1,3}}"
_GIVEN = (
    r"(?:Aaron|Abigail|Adam|Adrian|Aisha|Alan|Albert|Alex|Alexander|Alexandra|Alexis|Alice|Alicia|Allen|Allison|Amanda|Amber|Amy|Ana|Andre|Andrea|Andrew|Angela|Anita|Ann|Anna|Anne"
    r"|Anthony|Antonio|Arthur|Ashley|Austin|Autumn|Barbara|Benjamin|Bernard|Beth|Betty|Beverly|Billy|Bobby|Bonnie|Bradley|Brandon|Brandy|Brenda|Brent|Brett|Brian|Brittany|Bruce|Bryan"
    r"|Caleb|Cameron|Carl|Carla|Carlos|Carmen|Carol|Caroline|Carolyn|Carrie|Catherine|Chad|Charles|Charlotte|Chelsea|Cheryl|Chris|Christian|Christina|Christine|Christopher|Cindy|Claire"
    r"|Clara|Claudia|Cody|Colleen|Connie|Connor|Corey|Courtney|Craig|Cristina|Crystal|Curtis|Cynthia|Dale|Dana|Daniel|Danielle|Danny|Darius|Darrell|Darren|David|Dawn|Deborah|Debra"
    r"|Denise|Dennis|Derek|Derrick|Diana|Diane|Diego|Donald|Donna|Doris|Dorothy|Douglas|Duane|Dustin|Dylan|Eddie|Edgar|Edward|Edwin|Eileen|Elaine|Elena|Elizabeth|Ellen|Emily|Emma|Eric"
    r"|Erica|Erik|Erika|Erin|Ethan|Eugene|Eva|Evan|Evelyn|Fatima|Felicia|Fernando|Frances|Francisco|Frank|Fred|Gabriel|Gabriella|Gail|Gary|Gavin|George|Gerald|Gina|Glenn|Gloria|Gordon"
    r"|Grace|Greg|Gregory|Hailey|Hannah|Hans|Harold|Harry|Hassan|Heather|Hector|Heidi|Helen|Henry|Holly|Howard|Ian|Irene|Isaac|Isabel|Isabella|Ivan|Jack|Jackie|Jackson|Jacob|Jacqueline"
    r"|Jaime|James|Jamie|Jan|Jane|Janet|Janice|Jared|Jason|Javier|Jay|Jean|Jeanne|Jeff|Jeffery|Jeffrey|Jenna|Jennifer|Jenny|Jeremiah|Jeremy|Jermaine|Jerome|Jerry|Jesse|Jessica|Jesus"
    r"|Jill|Jillian|Jim|Jimmy|Jo|Joan|Joanna|Joanne|Joe|Joel|John|Johnny|Jon|Jonathan|Jordan|Jorge|Jose|Joseph|Joshua|Joy|Joyce|Juan|Judith|Judy|Julia|Julian|Julie|Justin|Kaitlyn|Kara"
    r"|Karen|Karl|Karla|Katelyn|Katherine|Kathleen|Kathryn|Kathy|Katie|Katrina|Kayla|Keith|Kelli|Kelly|Kelsey|Kenneth|Kerry|Kevin|Kim|Kimberly|Kristen|Kristi|Kristin|Kristina|Kristine"
    r"|Kristopher|Krista|Kurt|Kyle|Lance|Larry|Laura|Lauren|Laurie|Lawrence|Leah|Lee|Leon|Leonard|Leslie|Levi|Linda|Lindsay|Lindsey|Lisa|Logan|Lois|Lori|Louis|Lucas|Lucy|Luis|Luke|Lydia"
    r"|Lynn|Mackenzie|Madeline|Madison|Malik|Manuel|Marc|Marcia|Marco|Marcus|Margaret|Maria|Marie|Mario|Marissa|Mark|Martha|Martin|Marvin|Mary|Mason|Matthew|Maureen|Max|Megan|Meghan"
    r"|Mei|Melanie|Melinda|Melissa|Mercedes|Meredith|Michael|Micheal|Michele|Michelle|Miguel|Mike|Mindy|Miranda|Misty|Mitchell|Mohamed|Mohammed|Molly|Monica|Monique|Morgan|Nancy|Naomi"
    r"|Natalie|Natasha|Nathan|Nathaniel|Nicholas|Nicole|Nina|Nora|Norma|Norman|Olivia|Omar|Oscar|Paige|Pamela|Patricia|Patrick|Paul|Paula|Pedro|Peggy|Peter|Philip|Phillip|Phyllis|Priya"
    r"|Rachael|Rachel|Ralph|Randall|Randy|Raymond|Rebecca|Regina|Renee|Ricardo|Richard|Rick|Ricky|Robert|Roberta|Roberto|Robin|Robyn|Rodney|Roger|Ronald|Ronnie|Rosa|Rose|Roy|Ruben|Russell"
    r"|Ruth|Ryan|Sabrina|Sally|Samantha|Samuel|Sandra|Sandy|Sara|Sarah|Scott|Sean|Sergio|Seth|Shane|Shannon|Sharon|Shaun|Shawn|Sheena|Sheila|Shelby|Shelia|Shelley|Shelly|Sheri|Sherri"
    r"|Sherry|Sheryl|Shirley|Sierra|Sofia|Sonia|Sonya|Sophia|Spencer|Stacey|Stacie|Stacy|Stanley|Stefanie|Stephanie|Stephen|Steve|Steven|Sue|Summer|Susan|Suzanne|Sydney|Sylvia|Tamara"
    r"|Tammy|Tanner|Tanya|Tara|Tasha|Taylor|Teresa|Terrance|Terri|Terry|Theodore|Theresa|Thomas|Tiffany|Tim|Timothy|Tina|Todd|Tom|Tommy|Toni|Tonya|Tony|Tracey|Traci|Tracy|Travis|Trevor"
    r"|Tricia|Troy|Tyler|Valerie|Vanessa|Vernon|Veronica|Vicki|Vickie|Victor|Victoria|Vincent|Virginia|Walter|Wanda|Warren|Wayne|Wei|Wendy|Wesley|Whitney|William|Willie|Xavier|Yolanda"
    r"|Yvonne|Zachary|Zoe)"
)
_NOT_NAMES = frozenset(
    "a all an and any are as at be but by can care data day dear do does each every for from general good has have he health her his how i id if in index info "
    "information is it january february march april may june july august september october november december monday tuesday wednesday thursday friday "
    "saturday sunday list mr mrs ms dr my name names new no none not note notes number of on or other our patient patients portal privacy record records "
    "research rights safety satisfaction services she sir so team that the their there these they this those to today unknown us user users was we what "
    "when where which who why will with you your advocate experience education engagement outcomes outcome summary status history history's journey flow "
    "customer customers support admin administrator manager hiring madam colleague colleagues everyone friends folks human assistant agent recruiter "
    "experienced presents denies reports states male female adult centered protection affordable access self zero".split()
)


def person_name(candidate: str) -> int:
    """Keeps a name without trailing words that are none; refuses one that starts with an ordinary word."""
    tokens = candidate.split(" ")
    if tokens[0].strip(".'’").lower() in _NOT_NAMES or (len(tokens[0]) < 2 and len(tokens) == 1):
        return 0
    while tokens and tokens[-1].strip(".'’").lower() in _NOT_NAMES:
        tokens.pop()
    return len(" ".join(tokens))


def _titled(category: str, titles: tuple[str, ...], name: str) -> Rule:
    label = rf"\b(?:{'|'.join(titles)})\b"
    return Rule(category, "person_name", rf"{label}\.?[ ]{{1,2}}({name})", group=1, check=person_name, trigger=label)


def _named(
    category: str, labels: tuple[str, ...], name: str, gap: str = r"[\s:,\-]{1,3}(?:is[\s:]{1,2})?", context: str = ""
) -> Rule:
    label = words(*labels)
    return Rule(
        category,
        "person_name",
        rf"{label}{gap}({name})",
        group=1,
        check=person_name,
        trigger=rf"{label}\b",
        context=context,
    )


NAMES = (
    _titled("pii", ("Mr", "Mrs", "Ms", "Miss", "Mx", "Dr", "Doctor", "Prof", "Professor", "Herr", "Frau", "Se\xc3\xb1or", "Se\xc3\xb1ora", "Monsieur", "Madame", "Sr", "Sra"), _FULL_NAME),
    _named("pii", ("my name is", "my name'?s", "full name", "first name", "last name", "surname", "maiden name", "cardholder(?: name)?", "customer name", "account holder", "name of (?:the )?(?:customer|client|employee|applicant)", "signed by", "i am called", "named", "je m'appelle", "mi nombre es", "me llamo", "ich hei(?:ss|\\xc3\\x9f)e", "mein name ist", "mi chiamo"), _FULL_NAME),
    _named("pii", ("name", "employee", "customer", "client", "applicant", "tenant", "spouse", "wife", "husband", "daughter", "son", "mother", "father", "sister", "brother", "guardian", "caregiver", "attorney", "contact", "emergency contact", "next of kin", "sincerely", "best regards", "kind regards", "regards", "yours truly", "cheers", "this is", "i am", "i'm", "signed", "attending", "provider", "referred by", "seen by"), _TWO_NAMES, context="personal"),
    _named("phi", ("patients?(?: name)?", "pt", "mother of", "father of", "resident", "subject name"), _TWO_NAMES, gap=r"(?:[\s:,\-]|\bname\b|\bis\b|\bwas\b|\bnamed\b){1,6}"),
    _named("phi", ("patient(?: name)?", "pt", "pat"), _FULL_NAME, gap=r"(?:\s?:\s?|\s+named\s+|\s+name:?\s+)"),
    Rule("pii", "person_name", rf"\b({_GIVEN}(?:[ ][A-Z]\.)?[ ]{NAME_TOKEN}(?:-{NAME_TOKEN})?)", group=1, check=person_name, trigger=rf"\b{_GIVEN}[ ][A-Z\xc3-\xc5]", context="personal"),
    _named("pii", ("dear", "hi", "hello"), _FULL_NAME, gap=r"[ ]", context="personal"),
)  # fmt: skip

IDENTIFIERS = (
    labelled("phi", "medical_record_number", ("mrn", "m\\.r\\.n", "medical record", "med rec", "patient id", "patient number", "patient identifier", "patient no", "chart number", "encounter number"), rf"{_ID}\b", digits(4)),
    labelled("phi", "medical_record_number", ("chart", "hospital", "encounter", "case", "record", "accession", "specimen"), rf"{_ID}\b", digits(4), "clinical"),
    labelled("phi", "health_plan_id", ("member id", "member number", "membership", "subscriber", "beneficiary", "medicaid", "medicare", "health ?plan", "insurance", "insured", "hicn"), rf"{_ID}\b", digits(5)),
    labelled("phi", "health_plan_id", ("member", "policy", "group", "plan", "payer", "claim", "coverage", "authori[sz]ation"), rf"{_ID}\b", digits(5), "clinical"),
    Rule("phi", "us_mbi", rf"\b[1-9]{_MBI_LETTER}[AC-HJKMNP-RT-Y0-9]\d-?{_MBI_LETTER}[AC-HJKMNP-RT-Y0-9]\d-?{_MBI_LETTER}{{2}}\d{{2}}\b"),
    labelled("phi", "us_npi", ("npi", "national provider", "provider"), r"[12]\d{9}\b", whole(checksums.us_npi)),
    labelled("phi", "us_dea", ("dea",), r"[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}\b", whole(checksums.us_dea)),
    labelled(
        "phi", "device_id",
        ("device id", "device identifier", "device serial", "device number", "serial number", "serial no", "udi", "implant", "pacemaker", "insulin pump", "defibrillator", "icd serial"),
        rf"(?:\(01\)\d{{14}}[0-9A-Za-z()]{{0,40}}|{_ID})", digits(4),
    ),
    labelled("phi", "device_id", ("device", "serial", "s/n", "sn", "pump", "monitor", "stent", "prosthesis", "scanner", "cgm", "ventilator", "lot"), _ID, digits(4), "clinical"),
    labelled("pii", "imei", ("imei",), r"\d{15}\b", whole(checksums.luhn)),
)  # fmt: skip

TIMES = (
    Rule("phi", "age_over_89", r"\b((?:9\d|1[0-2]\d)[ -]?(?i:(?:years?|yrs?)[ -]?olds?|y\.?o\.?|y/o))[ ,]+(?i:man|woman|male|female|lady|gentleman|patient|resident|widow(?:er)?|grandmother|grandfather|person|m|f)\b", group=1),
    Rule("phi", "age_over_89", r"\b(?:9\d|1[0-2]\d)[ -]?(?i:(?:years?|yrs?)(?:[ -]?olds?| of age)|y\.?o\.?|y/o)\b", context="clinical"),
    Rule("phi", "age_over_89", rf"{words('aged?')}\b{LABEL_GAP}(9\d|1[0-2]\d)\b", group=1, trigger=words("aged?")),
    Rule("phi", "date", rf"\b({DATE})", group=1, context="clinical"),
    Rule("phi", "date", r"\b((?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01]))(?:[^\d/]|$)", group=1, context="clinical"),
    Rule("phi", "restricted_zip_prefix", rf"{words('zip', 'zip ?code', 'zip prefix')}\b{LABEL_GAP}(036|059|063|102|203|556|692|790|821|823|830|831|878|879|884|890|893)\b", group=1, trigger=words("zip")),
    Rule("phi", "url", r"\b(?i:https?://|www\.)[^\s<>\"'\x80-\xff]{3,500}[A-Za-z0-9/]", context="clinical", trigger=r"(?i:https?://|www\.)[^\s<>\"'\x80-\xff]"),
)  # fmt: skip

CLINICAL_RULES = NAMES + IDENTIFIERS + TIMES
