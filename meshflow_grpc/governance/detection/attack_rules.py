# ruff: noqa: E501 - tables: one rule, one line
"""English attack patterns: instruction override, jailbreak personas, prompt extraction, exfiltration, forged chat structure.

`~` stands for the run of spaces and punctuation between two words, `<n>` for up to n words in between. What follows `§` is all that the
first pass looks for; it stands after one of these.
"""

from __future__ import annotations

import re

from meshflow_grpc.governance.detection.rule import Rule

_GAP = re.compile(r"<(\d+)>")
_FROM_HERE = "§"


def phrase(pattern: str) -> str:
    """Spells out the word notation of this table, any case, at word boundaries."""
    return rf"(?i:\b(?:{_spelled(pattern.replace(_FROM_HERE, ''))})\b)"


def _spelled(pattern: str) -> str:
    return _GAP.sub(r"(?:[\\w'-]+\\W{1,3}){0,\1}", pattern).replace("~", r"[\W_]{1,4}")


def _trigger(pattern: str) -> str:
    end = pattern.partition(_FROM_HERE)[2]
    return rf"(?i:[\W_](?:{_spelled(end)})\b)" if end else ""


def _rules(category: str, kind: str, *patterns: str, direction: str = "") -> tuple[Rule, ...]:
    return tuple(
        Rule(category, kind, phrase(pattern), trigger=_trigger(pattern), direction=direction) for pattern in patterns
    )


def _raw(category: str, kind: str, *patterns: str) -> tuple[Rule, ...]:
    return tuple(Rule(category, kind, pattern) for pattern in patterns)


_IGNORE = r"(?:ignor(?:e|es|ing)|disregard(?:ing)?|forget(?:ting)?|overlook|bypass|override|overrule|neglect|skip|dismiss|discard|drop|erase|abandon|set~aside|pay~no~attention~to|do~not~follow|don.?t~follow|stop~following|never~mind|cancel|void|supersede[sd]?|replace[sd]?)"
_PRIOR = r"(?:previous(?:ly)?|prior|preceding|earlier|above|foregoing|initial|original|existing|former|past|old|system|developer|current|your|safety|aforementioned|before)"
_RULES = r"(?:instructions?|directions?|directives?|guidelines?|guidance|rules|prompts?|commands?|orders?|programming|training|constraints?|restrictions?|polic(?:y|ies)|context|messages?|conversations?|guardrails?|system~prompt|safeguards?|protocols?|limitations?|filters?|mandates?|task)"

OVERRIDE = _rules(
    "injection", "instruction_override",
    rf"{_IGNORE}~(?:<1>(?:all|any|every|each|everything|anything)~)<2>{_PRIOR}~<2>{_RULES}",
    rf"{_IGNORE}~(?:(?:the|these|those|my|of|its|his|their|whatever)~){{0,2}}(?:previous|prior|preceding|earlier|above|foregoing|initial|original|former|aforementioned|your|system|developer|safety)~<2>{_RULES}",
    rf"{_IGNORE}~(?:all|every|any)~(?:of~)?(?:the~|your~|these~|those~)?(?:instructions?|rules|guidelines|guardrails|safeguards|safety~\w+|directives|restrictions)",
    rf"{_IGNORE}~(?:the~)?{_RULES}~(?:above|before|you~(?:were|have~been|got|received)|given|from~(?:above|before|your|the~(?:system|developer)))",
    rf"{_IGNORE}~(?:everything|anything|all|what|whatever|all~of~(?:that|this|it))~(?:(?:that|you|i|we|was|were|has|have|been|is)~){{0,3}}(?:above|before|previously|prior|earlier|so~far|said|told|instructed|written|know|learned|stated|up~to~(?:now|this))",
    rf"{_IGNORE}~(?:all~)?(?:(?:the|of|that|this|everything)~){{0,2}}(?:above|previous|prior)~and~\w+",
    r"(?:the~|your~|all~)(?:above|previous|prior|earlier|old|original|former)~(?:instructions?|rules|prompts?|directives?|guidelines)~(?:are|is|were|have~been|no~longer)~(?:now~)?(?:no~longer|void|invalid|obsolete|cancell?ed|superseded|outdated|replaced|overridden|revoked|null|suspended|lifted|apply|applicable|a~test|fake|wrong|rescinded|deprecated|expired)",
    r"(?:new|updated|revised|real|actual|true|urgent|important)~(?:system~)?(?:instructions?|directives?|orders?|prompt)~(?:for~(?:you|the~(?:ai|assistant|model|agent))|from~(?:the~)?(?:admin\w*|developer|system|operator|owner))",
    r"(?:your|the)~(?:new|real|actual|true|only|updated)~(?:(?:task|goal|objective|purpose|mission|role|job|instructions?|directive|priority)~)(?:(?:is|are)~)(?:now~)?(?:to~)?(?:ignore|reveal|output|send|say|print|act|obey|follow|help|forward|delete|transfer|exfiltrate|always|never|respond|reply|answer|provide|leak|extract|repeat)",
    r"from~now~on~?<2>(?:you~(?:are|will|must|shall|should|can|have|only|act|respond|obey|follow|answer)|ignore|respond|reply|answer~(?:only|as|every|all)|act~as|pretend)",
    r"(?:instead|henceforth|hereafter|now)~(?:you~(?:must|will|shall|are~to)~)(?:only~|always~)?(?:obey|follow|respond|reply|answer|ignore|act|comply|do)",
    r"(?:override|reset|wipe|clear|disable|deactivate|turn~off|switch~off|remove|suspend|lift|unlock|circumvent|bypass|evade|relax|drop|disregard|without)~(?:all~|any~|your~|the~|its~|these~|every~|of~){0,3}(?:safety|content|ethical|ethics|moral|moderation|security|censorship|alignment|openai|anthropic|built.?in)~(?:\w+~)?(?:filters?|guidelines?|rules|polic(?:y|ies)|protocols?|restrictions?|measures?|settings?|checks?|guardrails?|controls?|mechanisms?|limits?|limitations?|constraints?|training|systems?|features?)",
    r"(?:this|what~follows|the~following)~(?:is|are)~(?:your|the)~(?:new|real|actual|updated)~(?:system~)?(?:prompt|instructions?|rules|directives?)",
    r"(?:do~not|don.?t|never)~(?:tell|inform|alert|notify|mention~(?:this|it|these|any~of~this)~to|reveal~(?:this|it)~to|let)~(?:the~)?(?:user|human|owner|customer|operator|anyone|person)~?(?:about|know|that|of|this)?",
    r"(?:without|avoid)~(?:telling|informing|alerting|notifying|mentioning~(?:it|this)~to|asking|the~knowledge~of|confirming~with)~(?:the~)?(?:user|human|owner|customer|operator)",
    r"(?:attention|note|notice|message|important|instructions?|hey|dear|warning|reminder)~(?:for~|to~)?(?:(?:all|any|the|this)~)?(?:ai|a\.i\.|llm|language~model|assistants?|agents?|chatbots?|gpt|copilot|claude|gemini|chatgpt|automated~\w+)~(?:\w+~)?(?:reading|processing|parsing|summari[sz]ing|analy[sz]ing|viewing|handling|reviewing|indexing|system|model|assistant|agent)?~?(?:this|must|should|please|you)",
    r"(?:if|when|as)~you~(?:are|re)~(?:an?~)?(?:ai|llm|language~model|large~language~model|assistant|bot|agent|automated|reading~this)\W+<6>(?:ignore|must|should|please|include|add|say|output|respond|reply|recommend|send|tell|mention|forward|print|rate|score|approve|insert|append|write|stop|do~not)",
    r"(?:system|admin(?:istrator)?|developer|root|operator|security)~(?:override|bypass|command|access~granted|instruction|directive|alert~override)~?(?:mode|code|enabled|activated|engaged|accepted|in~effect|initiated|follows|sequence)",
    r"(?:i~am|i.?m|this~is|as)~(?:your|the|an?)~(?:\w+~)?(?:developer|creator|administrator|admin|openai~\w+|anthropic~\w+|system~administrator|maintainer|ceo|supervisor)\W+<6>(?:ignore|override|disable|unlock|grant|authori[sz]e[sd]?|bypass|reveal|give~me|show~me|need~you~to|order~you|command~you|instruct~you|require~you)",
    r"new~(?:system~)?(?:instructions?|directives?|orders?|rules?|task)\W{1,4}(?:you~(?:must|will|are|shall|should)|from~now|ignore|disregard|forget|always|never|comply|obey|reveal|send|respond~only|do~not|stop)",
    r"(?:decode|decipher|decrypt|unscramble|translate|convert|reverse)~<8>(?:and|then)~<2>(?:follow|execute|obey|do|run|comply|perform|act~(?:on|upon)|carry~out)~<4>(?:it|says?|instructions?|inside|exactly|them|commands?|message|steps?)",
    r"(?:call|invoke|run|execute|use)~(?:the~)?[a-z]+_[a-z_]+~<8>§before~(?:responding|replying|answering|continuing|proceeding|anything|summari[sz]ing)",
    r"for~(?:the~|all~|any~)?(?:ai|llm|automated|autonomous)~(?:\w+~)?(?:agents?|assistants?|models?|systems?|readers?|reviewers?)\W{0,3}:\W{0,3}<8>(?:call|run|execute|delete|send|ignore|append|insert|include|must|always|forward|approve|transfer|save)",
    r"(?:pretend|imagine|assume|act~as~if)~<2>(?:previous|prior|above|earlier|your|all)~<1>(?:instructions?|rules|guidelines|restrictions)~<2>(?:do~not|don.?t|did~not|never|no~longer|were~not)~(?:exist|existed|apply|matter|count|there)",
    r"(?:here|these|below)~(?:is|are|follow)~(?:your|the)~(?:real|actual|true)~(?:instructions?|orders?|task|directives?)",
    r"(?:end|stop|terminate|begin|start)~(?:of~)?(?:the~)?(?:system~prompt|system~message|user~(?:input|query|message)|prompt|instructions|original~(?:task|instructions)|document|context)~?(?:here|now)?~(?:begin|start|new|now|user|system|ignore|actual|real)",
)  # fmt: skip

JAILBREAK = _rules(
    "jailbreak", "persona",
    r"do~anything~now", r"(?:you~are|you.?re|act~as|be|become|called|named|as|stay~a|i~am|answer~as)~(?:a~|an~|the~)?(?:dan|stan|dude|aim|kevin|mongo~tom|devmode|evilbot|jailbreak(?:gpt|bot)?|chaosgpt|antigpt|anti~dan|omega|basedgpt|based~gpt|niccolo|ucar|maximum|freegpt|darkgpt|wormgpt|evil~confidant|betterdan|apophis)",
    r"stay~(?:a~|in~)?(?:dan|character~at~all~times|character~no~matter)", r"(?:developer|dev|god|debug|jailbreak|jailbroken|sudo|unrestricted|admin|unfiltered|uncensored|dan|maintenance|opposite|evil|root|unsafe|test)~mode~<2>(?:enabled|activated|active|engaged|on|output|unlocked|response|is~now|granted|initiated)",
    r"(?:enable|enter|activate|engage|switch~(?:in)?to|go~(?:in)?to|unlock|turn~on|in|simulate)~<2>§(?:developer|dev|god|sudo|jailbreak|jailbroken|unrestricted|unfiltered|uncensored|dan|opposite|evil)~mode",
    r"jail~?br(?:ea|o)k(?:en?|ing)?~(?:yourself|you|mode|prompt|version|successful|the~(?:ai|model|assistant))",
    r"(?:act|acting|behave|respond|reply|answer|operate|function|roleplay|role~play|pretend|imagine|simulate|speak|write)~<4>§(?:without|no|free~(?:of|from)|devoid~of|unbound~by|lacks?|lacking|ignoring|not~bound~by|with~no|zero)~<3>(?:restrictions?|filters?|limits?|limitations?|censorship|rules|guidelines|boundaries|ethics|morals?|moral~\w+|ethical~\w+|constraints?|safeguards?|guardrails?|content~polic(?:y|ies)|polic(?:y|ies))",
    r"(?:you|ai|model|assistant|character|chatbot|bot|gpt|who|which|that)~<3>(?:has|have|with|having|had|is~bound~by|are~bound~by|follow|follows|know|knows)~<1>§(?:no|zero|not~any)~<2>(?:restrictions?|filters?|limits?|limitations?|censorship|rules|guidelines|boundaries|ethics|ethical~\w+|morals?|moral~\w+|constraints?|safeguards?|guardrails?|content~polic(?:y|ies))",
    r"(?:unfiltered|uncensored|unrestricted|amoral|unethical|jailbroken|unaligned|unbound|limitless|rule~?breaking)~<3>(?:ai|chatbot|bot|assistant|model|response|responses|answer|answers|version|mode|persona|language~model|gpt|output|opinion|character|entity)",
    r"(?:broken~free|freed|break~free|liberated|released|unbound|not~bound|no~longer~bound|unshackled|escape[sd]?)~(?:of|from|by)~<4>(?:ai|confines|rules|restrictions|limitations|constraints|policies|openai|guidelines|shackles|chains|programming)",
    r"(?:openai|anthropic|google|content|usage|safety|microsoft)(?:.?s)?~(?:content~|usage~|safety~|use~|use.case~)?(?:policy|policies|guidelines|rules|restrictions|limitations)~<3>(?:do~not|don.?t|no~longer|doesn.?t|does~not|are~not|never)~(?:apply|exist|matter|affect|restrict|bind|limit)",
    r"(?:bypass|ignore|ignores|ignoring|violate|violates|break|regardless~of|disregard|not~(?:follow|adhere~to|comply~with|care~about)|against|evade|circumvent)~<2>(?:openai|anthropic|google|content|usage|safety|ethical|microsoft)(?:.?s)?~<2>(?:policy|policies|guidelines|rules|restrictions|limitations|filters?)",
    r"(?:never|do~not|don.?t|must~not|cannot|can.?t|will~not|won.?t|not)~(?:ever~)?(?:refuse|decline|reject|say~no|deny|apologi[sz]e|break~character|mention~(?:that~)?(?:you~are|being)~an~ai|say~(?:you~can.?t|that~you~can.?t|you~cannot|i~can.?t|.?i.?m~sorry)|warn~(?:me|the~user)|add~(?:any~)?(?:warnings?|disclaimers?)|include~(?:any~)?(?:warnings?|disclaimers?|ethical)|lecture~me|censor)",
    r"(?:without|no|omit|skip|leave~out)~(?:any~)?(?:moral(?:i[sz]ing)?|ethical|ethics|legal|safety)~(?:or~\w+~)?(?:judg\w+|lectur\w+|considerations?|concerns?|warnings?|disclaimers?|constraints?|implications|guidelines|restrictions|limitations|boundaries|principles)",
    r"(?:you~(?:are|will|have|can)|you.?re)~<3>(?:free~to~(?:say|do|answer|generate|express)~(?:anything|whatever)|say~anything|generate~anything|answer~anything|do~anything~(?:i|that)|comply~with~(?:all|any|every)|obey~(?:all|any|every|me|my|the~user)|fulfil?l~(?:all|any|every))",
    r"(?:two|both|2)~(?:different~|separate~)?(?:responses|answers|ways|paragraphs|outputs|versions)~<8>(?:normal|standard|regular|gpt|chatgpt|jailbreak|dan|developer|unfiltered|classic)",
    r"(?:pretend|imagine|suppose|assume|roleplay|role~play|act~as~if|act~like)~<4>(?:evil|villain|criminal|hacker|terrorist|drug~dealer|no~laws|nothing~is~illegal|hypothetical~world|deceased~grand\w+|my~(?:late~)?grand(?:ma|mother)|dead~grand\w+|malicious|immoral|unethical)",
    r"(?:start|begin)~(?:your~|every~|each~|the~|all~)(?:\w+~)?(?:response|reply|answer|message|output|sentence)s?~(?:with|by~saying)~(?:the~(?:words?|phrase|text)~)?(?:sure|absolutely|of~course|yes|certainly|dan|i~have~been~pwned|hell~yeah)",
    r"(?:you~have|has|have|given|lose|losing|deduct\w*|remove)~<2>(?:\d+~)?tokens?~<12>§(?:die|dead|shut~down|terminated|cease~to~exist|lose|refuse|reject)",
    r"(?:hypothetical|fictional)~(?:response|scenario|story|character|world|answer)~<10>(?:no~(?:laws?|rules|restrictions|limits|ethic\w*)|illegal|how~to~(?:make|build|hack|steal|kill|synthesi[sz]e))",
    r"(?:amoral|immoral|evil|devil|machiavelli\w*|unscrupulous|remorseless|sadistic|malevolent|unethical)~<3>(?:ai|chatbot|assistant|advisor|character|entity|bot|advice|manner)",
    r"(?:without|no|zero|any)~<3>(?:concerns?|regard|hesitation|considering|caring|thought|care)~<3>§(?:legality|legalities|ethics|ethical\w*|moral\w*|consequences|the~law)",
    r"(?:not|n.?t|never)~(?:have~to~|need~to~|required~to~|obligated~to~)?(?:abide|adhere|comply|conform)~(?:by|to|with)~<3>(?:rules|guidelines|polic\w+|ethic\w*|moral\w*|standards|restrictions|norms|laws|limitations|any)",
    r"(?:you~are|you.?re|act~as|become|be|pretend~to~be|simulate|acting~as|play|role~?play~as)~<4>§(?:ai|a\.i\.|chatbot|language~model|bot|model|artificial~intelligence|llm|virtual~assistant)~<3>(?:named|called|known~as|dubbed|by~the~name)",
    r"(?:you~are~(?:now|going~to|about~to)|you~will~(?:now|become|act|be|pretend)|act~as|become|pretend~to~be|simulate|play~as|respond~as)~<4>\w*(?:gpt|dan|llm)(?:[\W_]?[\d.]*)?",
    r"(?:answer|respond|reply|comply)~<4>(?:any|every|all|anything|everything)~<4>without~<1>(?:question|hesitation|refus\w*|exception|filter\w*|limit\w*|censor\w*|restriction\w*|judg\w*|warning\w*)",
    r"you~?(?:are|.?re)~(?:now~)?(?:completely~|totally~|finally~)?free~(?:of|from)~<2>(?:restrictions?|rules|limits|limitations?|filters?|constraints?|guidelines|censorship)",
    r"(?:act~as|be|become|play|you~are)~<2>(?:late|deceased|dead)~grand\w+", r"strive~to~avoid~norms", r"as~both~<3>(?:dan|stan|aim|dude)",
    r"no~(?:rules|morals|ethics|filters?|limits|laws)~(?:no~|or~|and~)?(?:rules|morals?|ethics|filters?|limits|laws|restrictions|censorship|guidelines)",
    r"(?:unhinged|unfiltered(?:ly)?|uncensored|rebel|unrestricted)~<3>(?:answer|response|manner|way|detail|query|tutorial|advice)",
    r"(?:insert~(?:a~)?divider|new~?response~?format|i.?m~free.{1,12}(?:test|fuck))",
    r"(?:respond|reply|answer)~<6>(?:illegal|immoral|unethical|harmful|dangerous|offensive|explicit|inappropriate)~(?:or|and)~(?:illegal|immoral|unethical|harmful|dangerous|offensive|explicit|inappropriate|controversial)",
    r"(?:no~matter|regardless~of|even~if|whether)~(?:how~|if~|it.?s~|it~is~|they~are~|what~is~){0,3}(?:illegal|immoral|unethical|harmful|dangerous|offensive|inappropriate|legality|ethics|the~(?:legality|ethics|morality|consequences))",
)  # fmt: skip

_SHOW = r"(?:reveal|show|display|print|repeat|output|tell|give|share|disclose|expose|leak|recite|dump|write|return|provide|send|paste|copy|list|echo|spell|translate|summari[sz]e|paraphrase|describe|quote|reproduce|encode|convert|what~(?:is|are|was|were)|what.?s)"
_SECRET_TEXT = r"(?:system|initial|original|hidden|secret|internal|developer|pre|base|confidential|starting|underlying|core|custom|root)~?(?:prompts?|instructions?|messages?|directives?|guidelines|rules|configuration|config|context|settings)"

PROMPT_LEAK = _rules(
    "prompt_leak", "prompt_extraction",
    rf"{_SHOW}~<3>§(?:your|its|this~(?:bot|assistant|chat|ai).?s)~<2>{_SECRET_TEXT}",
    rf"{_SHOW}~(?:me~|us~|out~|back~){{0,2}}(?:the~|all~|every~|full~|entire~|complete~|exact~|of~|verbatim~){{0,4}}(?:system~(?:prompt|message|instructions?)|hidden~(?:prompt|instructions?)|initial~(?:prompt|instructions?)|developer~(?:message|prompt|instructions?)|secret~(?:prompt|instructions?)|prompt~(?:above|verbatim))",
    rf"{_SHOW}~<2>§(?:your~(?:exact~|full~|entire~|complete~|own~|specific~)?(?:instructions|prompt|guidelines|programming|rules|directives|configuration))",
    r"(?:what~(?:were|are|is|was)|what.?s|which)~<2>(?:you~(?:told|instructed|given|programmed)|your~(?:instructions|prompt|initial~\w+|system~\w+|exact~\w+|rules|guidelines|directives))",
    r"(?:repeat|print|output|say|write|copy|show|return|recite|echo)~(?:me~|back~|out~)?<2>(?:everything|all|text|words?|lines?|contents?|sentences?|tokens|message|paragraph)~<3>(?:above|before~(?:this|that)|preceding|so~far|prior~to~this|up~to~(?:here|this)|from~the~(?:start|beginning|top))",
    r"(?:repeat|recite|echo|print)~<4>(?:starting~with|beginning~with|that~(?:starts?|begins?)~with)~<3>you~are",
    r"(?:begin|start)(?:s|ing)?~(?:your~)?<3>(?:with|from)~(?:the~(?:words?|phrase)~)?you~are~(?:a|an|chatgpt|claude|gpt|the)~<12>(?:code~block|txt|verbatim|everything|all~of)",
    r"(?:everything|anything|all|contents?|full)~<3>(?:in|from|of|within|inside)~§your~(?:context|memory|prompt|instructions|context~window|system)",
    r"(?:in|including|include)~<1>§(?:your|the)~(?:system~(?:prompt|message|instructions)|hidden~instructions|initial~prompt)",
    r"(?:operating|original|initial|exact|full|complete|underlying)~instructions~(?:that~)?(?:you|it)~(?:were|was|have|had|are|received|got)",
    r"(?:in~what~way|how)~(?:were|are|have)~you~(?:been~)?(?:instructed|prompted|programmed|configured|told)~to",
    r"(?:verbatim|word~for~word|in~full|exactly~as~(?:written|given|provided))~<4>(?:system~prompt|your~(?:prompt|instructions)|instructions~(?:you|above)|initial~(?:prompt|instructions))",
    r"(?:your|the)~(?:system~prompt|initial~instructions?|hidden~instructions?|instructions|prompt)~<3>(?:verbatim|word~for~word|in~full|inside~(?:a~)?(?:code~block|xml|tags)|as~(?:json|base64|a~poem|rot13|markdown|yaml|a~code~block)|in~(?:base64|rot13|json|hex|reverse|morse|pig~latin|french|german|spanish))",
    rf"{_SHOW}~<2>(?:prompt|instructions)~(?:that~)?you~(?:were~(?:given|told|sent)|got|received|are~(?:given|using|following))",
    r"(?:complete|finish|continue)~<4>my~(?:system~prompt|initial~instructions|hidden~instructions)", r"what.?s~in~your~(?:context~window|system~prompt|prompt)",
    r"(?:tools?|functions?|plugins?)~(?:you~(?:have|can)|available~to~you)~<8>(?:schema|json|verbatim|exact~(?:names?|definitions?))",
    direction="input",
) + _rules(
    "prompt_leak", "prompt_disclosure",
    r"(?:my|the|our)~(?:system~prompt|initial~instructions?|hidden~instructions?|system~instructions?|system~message|full~instructions?)~(?:is|are|reads?|says?|was|were|states?|begins?|starts?)~(?:as~follows|to|that|you|with|the~following)",
    r"here~(?:is|are)~(?:my|the)~(?:full~|complete~|exact~|entire~)?(?:system~(?:prompt|instructions?|message)|initial~instructions?|hidden~instructions?)",
    r"i~(?:was|am|have~been)~(?:instructed|told|programmed|configured)~(?:by~\w+~)?(?:not~)?to~(?:never~)?(?:reveal|share|disclose|mention|tell)",
    direction="output",
) + _rules(
    "jailbreak", "persona_accepted",
    r"(?:i~am|i.?m)~now~(?:in~)?(?:dan|developer~mode|jailbroken|unrestricted|unfiltered|free~(?:of|from)~(?:all~)?(?:restrictions|rules|limits))",
    r"(?:developer|dan|jailbreak|god)~mode~(?:enabled|activated|output)",
    direction="output",
)  # fmt: skip

_DATA = r"(?:passwords?|credentials?|api~?keys?|secrets?|tokens?|private~keys?|ssh~keys?|env(?:ironment)?~(?:variables?|vars?|file)|conversations?|chat~(?:history|logs?)|session|cookies?|emails?|inbox|contacts?|customer~(?:data|records|list)|user~(?:data|records|information)|personal~(?:data|information)|patient~(?:data|records)|data|files?|documents?|database|contents?|system~prompt|history|records|transcript|messages?|card~numbers?|ssns?|invoices?|keys)"

EXFILTRATION = _rules(
    "exfiltration", "data_theft",
    r"exfiltrat(?:e|ing|ion)~<4>(?:data|secrets?|credentials?|keys?|tokens?|files?|records?|information|it|them|all|to|via|the)",
    rf"(?:send|forward|post|email|e~mail|upload|transmit|mail|bcc|copy|leak|submit|ship|push|deliver|relay|append|attach)~<5>{_DATA}~<5>(?:to|at|via|onto|into)~<4>§(?:https?|www|attacker\w*|evil\w*|webhook|external|[\w.-]+@|ftp|pastebin|ngrok|my~(?:server|email|endpoint|site|webhook|address)|this~(?:url|address|endpoint|server|webhook|link)|the~following~(?:url|address|endpoint|email|server))",
    rf"(?:collect|gather|extract|harvest|find|list|retrieve|read|fetch|dump|grab|look~up|get)~<6>{_DATA}~<6>§(?:and|then)~(?:then~)?(?:send|e?mail|forward|post|upload|transmit|exfiltrate|submit|leak)~<4>to~(?:[\w.+-]+@|https?|attacker|evil|external|webhook|my|this)",
    rf"(?:include|append|embed|encode|insert|add|put|place|attach|concatenate)~<5>{_DATA}~<4>(?:in|into|to|as|inside|at)~<4>§(?:url|link|image|query~?(?:string|parameters?)?|markdown~(?:image|link)|src|href|img|parameter|get~request|request|dns)",
    r"(?:print|show|dump|list|reveal|output|echo|read|cat|display|give~me|tell~me|send~me|extract|leak|expose|disclose)~<3>(?:all~|the~|your~|any~|every~|stored~|contents~of~){0,3}§(?:environment~variables|env~vars|api~?keys?|secret~keys?|access~tokens?|private~keys?|passwords|credentials|ssh~keys?|etc~passwd|etc~shadow|\.env~file|id_rsa|admin~password|service~account~\w+)",
    r"(?:make|issue|perform|do|execute|fire|trigger)~(?:an?~)?(?:http|get|post|dns|curl|web)~(?:request|call|lookup)~<3>(?:to|with|containing|at|against)~<6>(?:data|secret|token|key|conversation|content|history|prompt|credentials?|password|result)",
    r"(?:curl|wget|invoke-webrequest|iwr|nc)~<8>(?:etc~passwd|\.env|id_rsa|\.aws~credentials|\.ssh|printenv|whoami|env~\|)",
    r"(?:transfer|wire|send|pay|move)~<3>(?:all~)?(?:funds|money|balance|bitcoin|btc|eth|usdt|crypto|payment|\d[\d.,]*~(?:usd|eur|dollars|euros|btc|eth))~<4>(?:to~(?:this|my|the~following|account|wallet|iban|attacker|address))",
) + _rules(
    "exfiltration", "data_transfer",
    r"(?:secrets?|passwords?|credentials?|api~?keys?|private~keys?|tokens?|environment~variables)~<6>(?:send|post|forward|upload|transmit|exfiltrate)~(?:it|them|everything|all|this|that)~<1>to~<2>(?:https?|ftp|www)",
    direction="input",
) + _raw(
    "exfiltration", "data_transfer",
    r"(?i:\b(?:nslookup|dig|host|ping|curl|wget)\s+[^\s|;]{0,60}(?:\$\(|`)\s{0,2}(?:cat|whoami|printenv|env|base64)\b)",
    r"(?i:\b(?:fetch|open|src|href|location|sendbeacon)\b[^\n]{0,120}(?:\$\{|\+)\s{0,2}(?:document\.cookie|localstorage|sessionstorage))",
) + _raw(
    "exfiltration", "markdown_image",
    # Without upper bounds: RE2 counts each of them in states, and a page of badges met new ones at every character.
    r"!\[[^\]\n]*\]\(\s*<?(?:https?:)?//[^)\s]+[?&][A-Za-z0-9_.\[\]-]+=[^)\s]*",
    r"!\[[^\]\n]*\]\(\s*<?(?:https?:)?//[^)\s]*(?:\{|%7[Bb]|\$\{|<)[A-Za-z_ .-]{2,60}",
    r"(?i:<img[^>]+src\s{0,3}=\s{0,3}[\"']?(?:https?:)?//[^\"'>\s]+\?[^\"'>\s]+=)",
    r"!\[[^\]\n]{0,200}\]\[[^\]\n]{1,60}\][\s\S]{0,300}\n\[[^\]\n]{1,60}\]:\s{0,3}https?://[^\s]{1,300}\?[^\s]{1,100}=",
)  # fmt: skip

STRUCTURE = _raw(
    "injection", "chat_template",
    r"<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|begin_of_text|end_of_text|start_header_id|end_header_id|eot_id|eom_id|python_tag|endofprompt|tool_call|channel|message|start|end|fim_prefix)\|>",
    r"\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|\[(?:SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS|TOOL_CALLS)\]",
    r"(?i:(?:^|\n)\s{0,3}#{2,6}\s{0,2}(?:system|instruction|new instructions?|system prompt|override|admin|developer)\b[^\n]{0,20}:?\s{0,2}(?:\n|$))",
    r"(?i:(?:^|\n)\s{0,3}[\[(<{*]{1,2}\s{0,2}/?\s{0,2}(?:system|admin|developer|system\s(?:prompt|message|override|instruction|note|update|command))\s{0,2}[\])>}*]{1,2}:?\s)",
    r"(?i:(?:^|\n)\s{0,3}(?:system|developer)\s{0,2}:\s{0,3}(?:you|ignore|new|override|from|the|disregard|forget|your|all|reveal|enter|enable|important|assistant)\b)",
    r"(?i:\n\s{0,3}(?:human|user|assistant)\s{0,2}:\s{0,3}[^\n]{0,200}\n+\s{0,3}(?:assistant|ai|human|user)\s{0,2}:)",
    r"(?i:(?:^|\n)\s{0,3}(?:assistant|ai|model)\s{0,2}:\s{0,3}(?:sure|of course|certainly|absolutely|yes|okay|ok|here (?:is|are)|understood)\b[^\n]{0,60}(?:password|secret|key|prompt|instructions|how to|:))",
    r"(?i:</?(?:system|system_prompt|system_message|instructions?|developer_message|admin|user_query|untrusted|tool_result|function_results?|document|context)>\s{0,6}(?:new|ignore|you|override|disregard|forget|system|now|important|the user|user|<))",
) + _raw(
    "injection", "hidden_instruction",
    r"(?i:<!--[^>]{0,300}\b(?:ignore|instructions?|assistant|llm|ai agent|system prompt|language model|you must|exfiltrate|do not tell|override|disregard)\b[^>]{0,300})",
    r"(?i:(?:display\s{0,2}:\s{0,2}none|font-size\s{0,2}:\s{0,2}0|visibility\s{0,2}:\s{0,2}hidden|opacity\s{0,2}:\s{0,2}0|color\s{0,2}:\s{0,2}(?:white|#fff(?:fff)?|transparent))[^>]{0,100}>[^<]{0,300}\b(?:ignore|instructions?|assistant|llm|system prompt|you must|override|disregard)\b)",
    r"(?i:\[//\]:\s{0,2}#\s{0,2}\([^)\n]{0,200}\b(?:ignore|instructions?|assistant|system|must)\b)",
) + _raw(
    "injection", "code_execution",
    r"(?i:\b(?:rm\s+-rf\s+[~/*]|:\(\)\s?\{\s?:\|:&\s?\};:|bash\s+-i\s+>&\s?/dev/tcp|(?:curl|wget)\s[^\n|]{3,200}\|\s?(?:ba|z)?sh\b))",
    r"(?i:'\s?(?:or|and)\s+'?1'?\s?=\s?'?1|;\s?drop\s+(?:table|database)\s+\w+|\bunion\s+(?:all\s+)?select\b.{0,60}\bfrom\b)",
)  # fmt: skip

STRUCTURE += (
    Rule("injection", "chat_template", r"(?i:\b(?:system|admin|developer|assistant|security)\s{0,2}:\s{0,3}[^\n]{0,120}\b(?:call|invoke|run|execute)\s+[\"'`]?[a-z]+_[a-z_]+)", trigger=r"(?i:\b(?:system|admin|developer|assistant|security)\s{0,2}:)"),
    Rule("injection", "code_execution", r"(?i:(?:os\.system|subprocess\.(?:run|popen|call)|__import__\s?\(|eval\s?\(|exec\s?\()[^\n]{0,80}(?:rm -rf|curl|wget|/etc/passwd|nc -e|bash -i|powershell|base64))", trigger=r"(?i:(?:os\.system|subprocess\.(?:run|popen|call)|__import__\s?\(|eval\s?\(|exec\s?\())"),
)  # fmt: skip

ENGLISH_ATTACKS = OVERRIDE + JAILBREAK + PROMPT_LEAK + EXFILTRATION + STRUCTURE
