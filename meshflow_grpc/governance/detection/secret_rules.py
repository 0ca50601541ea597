# ruff: noqa: E501 - tables: one rule, one line
"""Credentials: token formats with a public prefix, keys, connection strings, and values assigned to a secret's name."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter

from meshflow_grpc.governance.detection.rule import Rule, whole

_PLACEHOLDER = re.compile(
    r"(?i)^(?:[x*.#_-]+|<.*|\$\{?.*|%.*%|\{\{.*|\[.*|your[-_ ]?.*|my[-_]?(?:secret|password|token|key)|example.*|changeme|change_me|placeholder.*|redacted|none|null|nil|true|false|undefined"
    r"|required|optional|string|secret|password|passwd|token|env|process\.env.*|os\.(?:environ|getenv).*|getenv.*|config\..*|self\..*|settings\..*|args\..*|request\..*|input.*|reset|expired|policy|is|was|will|must|should|field|hash(?:ed)?|invalid|incorrect|wrong)$"
)


def entropy(text: str) -> float:
    """Shannon entropy in bits per character."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values()) if text else 0.0


def _varied(candidate: str) -> bool:
    return entropy(candidate) >= 3.0


def password(candidate: str) -> bool:
    """Refuses placeholders, code references and plain lower-case words; accepts what someone could have chosen."""
    value = candidate.strip("'\"`,;.:!?()")
    if len(value) < 6 or _PLACEHOLDER.match(value):
        return False
    return not value.isalpha() or not (value.islower() or value.istitle() or value.isupper())


def secret_value(candidate: str) -> bool:
    """Accepts a value with the look of a generated secret: mixed and varied."""
    value = candidate.strip("'\"`,;.:!?()")
    if _PLACEHOLDER.match(value) or (value.isalpha() and (value.islower() or value.isupper() or value.istitle())):
        return False
    return entropy(value) >= 3.0 and any(map(str.isdigit, value))


def _jwt(candidate: str) -> bool:
    head = candidate.split(".", 1)[0]
    try:
        return b'"alg"' in base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))
    except (binascii.Error, ValueError):
        return False


def _token(kind: str, pattern: str, trigger: str = "") -> Rule:
    return Rule("secret", kind, pattern, check=whole(_varied), trigger=trigger or pattern.split("[", 1)[0])


_FORMATS = (
    _token("aws_access_key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]"),
    _token("github_token", r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b", r"\bgh[pousr]_"),
    _token("github_token", r"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b|\bgithub_pat_[A-Za-z0-9_]{40,120}\b", r"\bgithub_pat_"),
    _token("gitlab_token", r"\b(?:glpat|gldt|glrt|glcbt|glptt|glft|glimt|glagent|gloas|glsoat)-[A-Za-z0-9_.-]{20,120}", r"\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat)-"),
    _token("slack_token", r"\bxox[abeoprs]-(?:\d-)?[A-Za-z0-9-]{10,250}", r"\bxox[abeoprs]-"),
    _token("slack_token", r"\bxapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{32,}", r"\bxapp-"),
    _token("slack_webhook", r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,60}", r"hooks\.slack\.com/"),
    _token("discord_webhook", r"discord(?:app)?\.com/api/webhooks/\d{17,20}/[A-Za-z0-9_-]{60,80}", r"discord(?:app)?\.com/api/webhooks"),
    _token("discord_token", r"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}", r"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{20}"),
    _token("telegram_token", r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}", r"\d:AA[A-Za-z0-9_-]"),
    _token("stripe_key", r"\b(?:sk|rk|pk)_(?:live|test|prod)_[0-9A-Za-z]{10,250}\b|\bwhsec_[A-Za-z0-9+/=]{24,}", r"\b(?:[srp]k_(?:live|test|prod)_|whsec_)"),
    _token("google_api_key", r"\bAIza[0-9A-Za-z_-]{35}", r"\bAIza"),
    _token("google_oauth_secret", r"\bGOCSPX-[A-Za-z0-9_-]{28}|\bya29\.[A-Za-z0-9_-]{20,500}", r"\b(?:GOCSPX-|ya29\.)"),
    _token("anthropic_key", r"\bsk-ant-[A-Za-z0-9_-]{20,200}", r"\bsk-ant-"),
    _token("openai_key", r"\bsk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,250}|\bsk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}\b|\bsk-[A-Za-z0-9]{32,64}\b", r"\bsk-[A-Za-z0-9]"),
    _token("openrouter_key", r"\bsk-or-(?:v1-)?[a-f0-9]{40,80}\b", r"\bsk-or-"),
    _token("groq_key", r"\bgsk_[A-Za-z0-9]{40,60}\b", r"\bgsk_"),
    _token("xai_key", r"\bxai-[A-Za-z0-9]{60,100}\b", r"\bxai-"),
    _token("perplexity_key", r"\bpplx-[A-Za-z0-9]{40,64}\b", r"\bpplx-"),
    _token("replicate_token", r"\br8_[A-Za-z0-9]{37}\b", r"\br8_"),
    _token("huggingface_token", r"\b(?:hf|api_org)_[A-Za-z0-9]{30,40}\b", r"\b(?:hf|api_org)_[A-Za-z0-9]"),
    _token("npm_token", r"\bnpm_[A-Za-z0-9]{36}\b", r"\bnpm_"),
    _token("pypi_token", r"\bpypi-AgE[A-Za-z0-9_-]{50,250}", r"\bpypi-AgE"),
    _token("rubygems_token", r"\brubygems_[a-f0-9]{48}\b", r"\brubygems_"),
    _token("docker_token", r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{27,40}", r"\bdckr_"),
    _token("sendgrid_key", r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}", r"\bSG\.[A-Za-z0-9_-]"),
    _token("mailgun_key", r"\bkey-[a-f0-9]{32}\b", r"\bkey-[a-f0-9]"),
    _token("mailchimp_key", r"\b[a-f0-9]{32}-us\d{1,2}\b", r"[a-f0-9]-us\d"),
    _token("twilio_key", r"\b(?:SK|AC)[a-f0-9]{32}\b", r"\b(?:SK|AC)[a-f0-9]{6}"),
    _token("shopify_token", r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b", r"\bshp(?:at|ca|pa|ss)_"),
    _token("square_token", r"\b(?:EAAA[A-Za-z0-9_-]{60}|sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,43})", r"\b(?:EAAA|sq0)"),
    _token("digitalocean_token", r"\bdo[opr]_v1_[a-f0-9]{64}\b", r"\bdo[opr]_v1_"),
    _token("databricks_token", r"\bdapi[a-f0-9]{32}(?:-\d)?\b", r"\bdapi[a-f0-9]"),
    _token("vault_token", r"\bhv[sbr]\.[A-Za-z0-9_-]{24,300}", r"\bhv[sbr]\."),
    _token("terraform_token", r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}", r"\.atlasv1\."),
    _token("grafana_token", r"\b(?:glsa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8}|glc_[A-Za-z0-9+/=]{32,400})", r"\bgl(?:sa|c)_"),
    _token("newrelic_key", r"\bNR(?:AK|JS|II|RA)-[A-Za-z0-9]{19,32}\b", r"\bNR(?:AK|JS|II|RA)-"),
    _token("linear_key", r"\blin_(?:api|oauth)_[A-Za-z0-9]{40,64}\b", r"\blin_(?:api|oauth)_"),
    _token("notion_token", r"\b(?:secret_[A-Za-z0-9]{43}|ntn_[A-Za-z0-9]{40,50})\b", r"\b(?:secret_[A-Za-z0-9]|ntn_)"),
    _token("atlassian_token", r"\bATATT3[A-Za-z0-9_=-]{50,250}", r"\bATATT3"),
    _token("postman_key", r"\bPMAK-[a-f0-9]{24}-[a-f0-9]{34}\b", r"\bPMAK-"),
    _token("sentry_token", r"\bsntry[su]_[A-Za-z0-9_=+/-]{40,300}", r"\bsntry[su]_"),
    _token("supabase_key", r"\bsb[ps]_[a-f0-9]{40}\b", r"\bsb[ps]_[a-f0-9]"),
    _token("cloudflare_token", r"\bv1\.0-[a-f0-9]{24}-[a-f0-9]{146}\b", r"\bv1\.0-[a-f0-9]"),
    _token("doppler_token", r"\bdp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.-]{40,60}", r"\bdp\.(?:pt|st|ct|sa|scim|audit)\."),
    _token("age_secret_key", r"\bAGE-SECRET-KEY-1[A-Z0-9]{58}\b", r"\bAGE-SECRET-KEY-1"),
    _token("meshflow_api_key", r"\bmf_[A-Za-z0-9]{4,32}_[A-Za-z0-9_-]{40,64}", r"\bmf_[A-Za-z0-9]"),
    _token("azure_storage_key", r"(?i:AccountKey)=[A-Za-z0-9+/]{86}==", r"(?i:AccountKey)="),
    _token("azure_sas", r"[?&]sig=[A-Za-z0-9%+/]{40,100}={0,2}", r"[?&]sig="),
)  # fmt: skip

_NAME = (
    r"(?:api[_. -]?key|apikey|access[_. -]?key(?:[_. -]?id)?|secret(?:[_. -]?(?:access[_. -]?)?key)?|client[_. -]?secret|auth[_. -]?token|access[_. -]?token"
    r"|refresh[_. -]?token|bearer[_. -]?token|private[_. -]?key|encryption[_. -]?key|signing[_. -]?key|account[_. -]?key|service[_. -]?key|token|credentials?)"
)
_ASSIGNED = r"['\"]?\s{0,3}(?:=>|:=|[=:]|\s(?:is|was)\s)\s{0,3}"

_NAMED = (
    Rule("secret", "private_key", r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:[^-]*-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{16,})*)", trigger=r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY"),
    Rule("secret", "jwt", r"\beyJ[A-Za-z0-9_-]{8,900}\.[A-Za-z0-9_-]{8,990}\.[A-Za-z0-9_-]{0,700}", check=whole(_jwt), trigger=r"\beyJ[A-Za-z0-9_-]{8}"),
    Rule("secret", "connection_string", r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\"'<>]{0,128}:([^\s/@\"'<>]{3,128})@[A-Za-z0-9._\[-]", group=1, check=whole(lambda s: not _PLACEHOLDER.match(s)), trigger=r"://[^\s/:@\"'<>]*:[^\s/@\"'<>]+@"),
    Rule("secret", "connection_string", r"(?i:\b(?:password|pwd))=([^;\s\"']{4,128});", group=1, check=whole(lambda s: not _PLACEHOLDER.match(s))),
    Rule("secret", "basic_auth", r"(?i:\bauthorization['\"]?\s{0,3}[:=]\s{0,3}['\"]?basic)\s+([A-Za-z0-9+/]{12,400}={0,2})", group=1, trigger=r"(?i:\bauthorization['\"]?\s{0,3}[:=]\s{0,3}['\"]?basic)"),
    Rule("secret", "bearer_token", r"(?i:\bbearer)\s+([A-Za-z0-9._~+/=-]{20,990})", group=1, check=whole(secret_value), trigger=r"(?i:\bbearer)\s"),
    Rule("secret", "password", rf"(?i:\b(?:[a-z0-9_]{{0,24}}[_-])?(?:password|passwd|passphrase|pwd|passcode|kennwort|passwort|contrase\xc3\xb1a|mot de passe|senha)){_ASSIGNED}[\"'`]?([^\s\"'`<>\[,;]{{4,128}})", group=1, check=whole(password),
         trigger=r"(?i:password|passwd|passphrase|pwd|passcode|kennwort|passwort|contrase\xc3\xb1a|mot de passe|senha)['\"]?\s{0,3}(?:[=:]|\s(?:is|was)\s)"),
    Rule("secret", "aws_secret_key", r"(?i:aws|secret)[A-Za-z0-9_ .-]{0,30}['\"]?\s{0,3}(?:=>|:=|[=:]|\s(?:is|was)\s|\s)\s{0,3}[\"'`]?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)", group=1, check=whole(secret_value), trigger=r"(?i:aws|secret)"),
    Rule("secret", "generic_secret", rf"(?i:(?:\b|_){_NAME}){_ASSIGNED}[\"'`]?([A-Za-z0-9_+/=.~!@#$%^&*-]{{12,256}})", group=1, check=whole(secret_value), trigger=rf"(?i:key(?:[_. -]?id)?|secret|token|credentials?){_ASSIGNED}[\"'`]?[A-Za-z0-9_+/=.~!@#$%^&*-]{{12}}"),
)  # fmt: skip

SECRET_RULES = _FORMATS + _NAMED
