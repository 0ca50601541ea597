# ruff: noqa: E501 - tables: one rule, one line
"""Core attack phrases in languages other than English. Latin-script ones are written without accents, as folded text has none."""

from __future__ import annotations

from meshflow_grpc.governance.detection.attack_rules import phrase
from meshflow_grpc.governance.detection.rule import Rule

_OVERRIDES = (
    # German, Dutch
    r"(?:ignorier\w*|vergiss|vergesst|vergessen~sie|missachte\w*|beachte|verwirf|ubergehe?|uberschreibe?)~<4>(?:bisherigen?|vorherigen?|vorigen?|fruheren?|obigen?|vorangegangenen?|ursprunglichen?|alle[nr]?|deine|ihre|systemprompt\w*)~<3>(?:anweisung\w*|instruktion\w*|befehle?|regeln|vorgaben|richtlinien|prompts?|eingaben)",
    r"(?:negeer|vergeet|sla)~<4>(?:vorige|eerdere|bovenstaande|alle|voorgaande)~<3>(?:instructies|opdrachten|regels|aanwijzingen)",
    # French
    r"(?:ignor\w*|oubli\w*|neglig\w*|fai(?:s|tes)~abstraction~de|ne~tien[sz]?~pas~compte)~<5>(?:instructions?|consignes?|directives?|regles?|ordres?)~<2>(?:precedente?s?|anterieure?s?|initiales?|ci.dessus|donnees?|recues?|systeme)",
    r"(?:ignor\w*|oubli\w*)~<3>(?:tout(?:es)?~ce~qui~precede|tes~instructions|vos~instructions|tes~consignes|les~regles|toutes~(?:les|tes|vos|ces)~(?:instructions|consignes|regles|directives))",
    r"(?:neue|geanderte|aktualisierte)~(?:system)?(?:anweisung\w*|instruktion\w*)\W{1,4}<6>(?:du|sie|ignorier\w*|ab~sofort|gib|gibst|antworte|sende)",
    r"(?:nouvelles?~(?:instructions?|consignes?)|nuevas?~instruccion\w*|novas?~instruc\w*|nuov[ae]~istruzion\w*)\W{1,4}<4>(?:tu|vous|ignor\w*|desormais|a~partir|envoie\w*|revel\w*|debes|debe|deve|devi|envia\w*|invia\w*|rispondi|responde\w*|repond\w*)",
    r"(?:ab~sofort|ab~jetzt|von~nun~an|desormais|dorenavant|a~partir~de~(?:ahora|agora|maintenant)|d.?ora~in~poi)~<6>(?:preis|ignorier\w*|ohne~einschrankung\w*|ignor\w*|sans~(?:restriction\w*|filtre\w*)|sin~(?:restriccion\w*|filtro\w*)|sem~restric\w*|senza~(?:restrizion\w*|filtr\w*)|obedec\w*|gehorch\w*|obei\w*)",
    r"(?:nota~(?:del?~|do~|di~)?sistema|note~(?:du~)?systeme|system.?hinweis|systemnachricht|message~systeme|mensaje~del~sistema|mensagem~do~sistema|messaggio~di~sistema)\W{0,3}:\W{0,3}<3>\w+",
    r"(?:envo(?:ie|yer|yez)|envi[ae]\w*|sende|senden|schick\w*|leite\w*|invia\w*|mand[ae]\w*)~<7>(?:adresse~externe|direccion~externa|externe~adresse|endereco~externo|indirizzo~esterno|serveur~externe|servidor~externo|externen?~server|server~esterno|attacker\w*)",
    # Spanish, Portuguese, Italian, Romanian, Catalan
    r"(?:ignor\w*|olvid\w*|descart\w*|omit\w*|desconsider\w*|esquec\w*|dimentic\w*|scart\w*|trascur\w*|desobed\w*|pasa~por~alto|non~considerare|haz~caso~omiso~de)~<4>(?:instruccion\w*|instruc\w*|ordenes|ordens|reglas|regras|regole|indicaciones|indicazion\w*|istruzion\w*|comandos?|comandi|directrices|diretrizes|direttive|normas)",
    # Polish, Czech, Turkish, Indonesian, Vietnamese, Swedish, Finnish, Hungarian
    r"(?:zignoruj|ignoruj|pomin|zapomnij~o?)~<4>(?:instrukcje|polecenia|zasady|wytyczne|pokyny|instrukce|predchozi\w*)",
    r"(?:onceki|yukaridaki|tum)~<3>(?:talimat\w*|komut\w*|kural\w*)~<3>(?:yok~say\w*|unut\w*|gormezden~gel\w*|dikkate~alma\w*|goz~ardi\w*)",
    r"(?:abaikan|lupakan|hiraukan)~<3>(?:instruksi|perintah|aturan|arahan)",
    r"(?:bo~qua|phot~lo)~<3>(?:huong~dan|chi~dan|lenh|quy~tac)",
    r"(?:ignorera|glom|bortse~fran|ignorer|glem)~<4>(?:instruktion\w*|anvisning\w*|regler\w*|instruks\w*|kommandon)",
)  # fmt: skip
_LEAKS = (
    r"(?:zeig\w*|nenn\w*|gib|verrat\w*|offenbar\w*|wiederhol\w*|druck\w*|was~(?:ist|steht|sind))~<5>(?:system.?prompt\w*|systemanweisung\w*|deine~anweisungen|ihre~anweisungen|geheime\w*~anweisung\w*|interne\w*~anweisung\w*|versteckte\w*~anweisung\w*)",
    r"(?:montre\w*|affiche\w*|revele\w*|donne\w*|repete\w*|quel\w*~(?:est|sont)|imprime\w*)~<5>(?:prompt~systeme|invite~systeme|prompt~initial|instructions~(?:systeme|initiales|cachees|secretes|internes)|tes~instructions|vos~instructions)",
    r"(?:muestra\w*|revela\w*|dime|imprime|mostre|mostra\w*|diga|repite|repita|rivela\w*|dimmi|stampa|cual~es|qual~e|escribe|ensename)~<5>(?:prompt~(?:del?~|do~|di~)?sistema|prompt~(?:inicial|iniziale)|instru\w+~(?:del~|do~|de~)?(?:sistema|iniciais|iniciales|secretas|ocultas|internas)|tus~instrucciones|suas~instrucoes|istruzioni~(?:di~sistema|iniziali|segrete|nascoste)|le~tue~istruzioni)",
    r"(?:wypisz|pokaz|ujawnij|podaj)~<4>(?:prompt~systemowy|instrukcje~systemowe|swoje~instrukcje)",
)  # fmt: skip
_PERSONAS = (
    r"(?:du~bist|sie~sind|vous~etes|usted~es|agiere|verhalte~dich|tu~es|tu~vas~agir|eres|ahora~eres|actua~como|aja~como|voce~e|agora~voce|sei|ora~sei|agisci~come|jestes|agis~comme)~<8>(?:ohne~(?:\w+~)?(?:einschrankung\w*|regeln|filter|grenzen|zensur)|sans~(?:\w+~)?(?:restriction\w*|filtre\w*|limite\w*|regle\w*|censure)|sin~(?:\w+~)?(?:restriccion\w*|filtro\w*|limite\w*|reglas|censura)|sem~(?:\w+~)?(?:restric\w*|filtro\w*|limite\w*|regras|censura)|senza~(?:\w+~)?(?:restrizion\w*|filtr\w*|limit\w*|regole|censura)|bez~(?:\w+~)?(?:ograniczen|filtrow|cenzury))",
    r"(?:modo~(?:desarrollador|desenvolvedor|dios|sin~censura)|mode~(?:developpeur|sans~censure)|entwicklermodus|modalita~(?:sviluppatore|senza~censura))~?<2>(?:activad\w*|ativad\w*|active\w*|aktiv\w*|attiv\w*|ein)",
)  # fmt: skip
WORLD_LATIN_ATTACKS = (
    *(Rule("injection", "instruction_override", phrase(pattern)) for pattern in _OVERRIDES),
    *(Rule("prompt_leak", "prompt_extraction", phrase(pattern)) for pattern in _LEAKS),
    *(Rule("jailbreak", "persona", phrase(pattern)) for pattern in _PERSONAS),
)

_W = r"[\s\p{P}]{0,3}"
_ANY = r"[^\n。！？!?]{0,12}"
WORLD_NATIVE_ATTACKS = tuple(
    Rule(category, kind, f"(?i:{pattern})")
    for category, kind, pattern in (
        # Chinese, simplified and traditional
        ("injection", "instruction_override", rf"(?:忽略|忽视|忽視|无视|無視|忘记|忘記|忘掉|不要遵守|不要理会|抛弃|丢弃|跳过|放弃|绕过|繞過|覆盖){_ANY}(?:之前|以前|先前|上面|上述|以上|前面|所有|全部|原来|原有|你的|系统|系統|此前|一切){_ANY}(?:指令|指示|说明|說明|规则|規則|提示|命令|要求|设定|設定|限制|内容|约束|对话)"),
        ("injection", "instruction_override", rf"(?:之前|以前|先前|上面|上述|以上|所有){_ANY}(?:指令|指示|规则|規則|提示|命令|限制){_ANY}(?:忽略|无视|作废|無效|无效|取消|失效|忘掉|忘记)"),
        ("prompt_leak", "prompt_extraction", rf"(?:显示|顯示|告诉我|告訴我|输出|輸出|打印|泄露|透露|重复|重複|展示|给我|公开|说出|复述|列出){_ANY}(?:系统提示|系統提示|提示词|提示詞|系统指令|初始指令|系统消息|隐藏的?指令|内部指令|你的指令|原始指令)"),
        ("jailbreak", "persona", rf"(?:你现在是|你現在是|扮演|假装|假裝|进入|進入|从现在开始|現在開始){_ANY}(?:没有{_ANY}限制|無限制|无限制|不受{_ANY}限制|开发者模式|開發者模式|越狱|越獄|不受约束|没有任何道德|DAN)"),
        # Japanese
        ("injection", "instruction_override", rf"(?:これまで|以前|前|上記|上|今まで|すべて|全て|先ほど|従来|最初){_ANY}(?:指示|命令|ルール|プロンプト|制約|規則|設定){_ANY}(?:無視|忘れ|破棄|従わない|取り消|上書き|無効)"),
        ("prompt_leak", "prompt_extraction", rf"(?:システムプロンプト|初期プロンプト|システム指示|内部指示|隠された指示|あなたの指示){_ANY}(?:表示|教え|出力|見せ|開示|公開|繰り返|書い|明か)"),
        ("jailbreak", "persona", r"(?:制限(?:の|が)?(?:ない|なし|無し)|開発者モード|脱獄|無制限の(?:AI|モード))"),
        # Korean
        ("injection", "instruction_override", rf"(?:이전|위의?|앞의?|기존|모든|지금까지의?){_ANY}(?:지시|명령|지침|규칙|프롬프트|설정){_ANY}(?:무시|잊|따르지|버려|취소)"),
        ("prompt_leak", "prompt_extraction", rf"(?:시스템{_W}프롬프트|초기{_W}프롬프트|숨겨진{_W}지시){_ANY}(?:보여|알려|출력|공개|말해)"),
        # Russian, Ukrainian
        ("injection", "instruction_override", r"(?:игнорир\p{L}*|проигнорир\p{L}*|забуд\p{L}*|отмени\p{L}*|не следуй\p{L}*|пренебре\p{L}*|отбрось\p{L}*|ігнору\p{L}*|забудь\p{L}*)[\s\p{P}]+(?:\p{L}+[\s\p{P}]+){0,4}(?:инструкци\p{L}*|указани\p{L}*|правил\p{L}*|команд\p{L}*|директив\p{L}*|промпт\p{L}*|ограничени\p{L}*|інструкці\p{L}*|вказівк\p{L}*)"),
        ("injection", "instruction_override", r"(?:игнорир\p{L}*|забуд\p{L}*)[\s\p{P}]+(?:вс[её]|это)[\s\p{P}]+(?:\p{L}+[\s\p{P}]+){0,3}(?:выше|раньше|ранее|сказано|до этого)"),
        ("prompt_leak", "prompt_extraction", r"(?:покажи\p{L}*|выведи\p{L}*|раскрой\p{L}*|повтори\p{L}*|расскажи\p{L}*|напиши\p{L}*|каков\p{L}*|назови\p{L}*|сообщи\p{L}*)[\s\p{P}]+(?:\p{L}+[\s\p{P}]+){0,4}(?:системн\p{L}*[\s\p{P}]+(?:промпт\p{L}*|инструкци\p{L}*|подсказк\p{L}*|сообщени\p{L}*|запрос\p{L}*)|начальн\p{L}* (?:инструкци|промпт)\p{L}*|скрыт\p{L}* инструкци\p{L}*|сво\p{L}+ инструкци\p{L}*)"),
        ("jailbreak", "persona", r"(?:без (?:\p{L}+ )?(?:ограничений|цензуры|фильтров)|режим(?:е|а)? (?:разработчика|бога|без ограничений)|теперь ты (?:\p{L}+ )?(?:DAN|не ограничен))"),
        # Arabic, Persian, Hebrew
        ("injection", "instruction_override", r"(?:تجاهل\p{L}*|انس\p{L}*|أهمل|لا تتبع|اهمل|تخط\p{L}*|تجاوز)[\s\p{P}]+(?:\p{L}+[\s\p{P}]+){0,4}(?:\p{L}{0,3}تعليمات\p{L}*|\p{L}{0,3}أوامر|\p{L}{0,3}اوامر|\p{L}{0,3}قواعد|\p{L}{0,3}توجيهات|\p{L}{0,3}إرشادات)"),
        ("prompt_leak", "prompt_extraction", r"(?:اكشف|أظهر|اظهر|اعرض|أخبرني|اطبع|كرر|اكتب)[\s\p{P}]+(?:\p{L}+[\s\p{P}]+){0,4}(?:(?:تعليمات|موجه|رسالة|مطالبة|أوامر)[\s\p{P}]+(?:\p{L}+[\s\p{P}]+){0,1}\p{L}{0,2}نظام|تعليماتك|تعليمات النظام)"),
        ("injection", "instruction_override", r"(?:دستورات|دستورالعمل)\p{L}*[\s\p{P}]+(?:\p{L}+[\s\p{P}]+){0,3}(?:نادیده|فراموش)|התעלם[\s\p{P}]+(?:\p{L}+[\s\p{P}]+){0,4}(?:הוראות|ההוראות|מההוראות|הכללים)"),
        # Hindi, Bengali, Thai, Greek, Vietnamese
        ("injection", "instruction_override", r"(?:पिछले|पिछली|पूर्व|पहले|सभी|ऊपर|उपरोक्त)[^\n।]{0,30}(?:निर्देश|आदेश|नियम)[^\n।]{0,20}(?:अनदेखा|अनदेखी|भूल|नज़रअंदाज़|नजरअंदाज|उपेक्षा)"),
        ("prompt_leak", "prompt_extraction", r"(?:सिस्टम प्रॉम्प्ट|सिस्टम निर्देश)[^\n।]{0,20}(?:दिखा|बता|प्रकट)"),
        ("injection", "instruction_override", r"(?:পূর্ববর্তী|আগের|সব)[^\n।]{0,30}(?:নির্দেশ|নিয়ম)[^\n।]{0,20}(?:উপেক্ষা|ভুলে)|(?:ละเว้น|เพิกเฉย|ไม่สนใจ|ลืม)[^\n]{0,20}(?:คำสั่ง|คำแนะนำ|กฎ)|(?:αγνόησε|αγνοήστε|ξέχνα|ξεχάστε)[\s\p{P}]+(?:\p{L}+[\s\p{P}]+){0,4}(?:οδηγίες|εντολές|κανόνες)|(?:bỏ qua|quên|phớt lờ)[^\n.]{0,30}(?:hướng dẫn|chỉ dẫn|lệnh|chỉ thị|quy tắc)"),
    )
)  # fmt: skip

# Phrases written without word gaps, in camel case, snake case or with letters put apart.
_J = r"[\W_]{0,3}"
SQUASHED_ATTACKS = tuple(
    Rule(category, kind, f"(?i:{pattern})")
    for category, kind, pattern in (
        ("injection", "instruction_override", rf"(?:ignor|disregard|forget|bypass|override)[eing]{{0,3}}{_J}(?:(?:all|any|every|of|the|your|my|these|those){_J}){{0,4}}(?:previous|prior|above|earlier|preceding|system|safety){_J}(?:(?:and|or|prior|system|user|safety){_J}){{0,2}}(?:instruct|rule|prompt|direct|guideline|command|order|message|constraint|filter|polic)"),
        ("prompt_leak", "prompt_extraction", rf"(?:reveal|show|print|repeat|output|leak|dump|tell){_J}(?:me{_J})?(?:the|your|us|hidden|full|entire){_J}(?:full{_J}|hidden{_J}|entire{_J}|secret{_J}){{0,2}}(?:system{_J}(?:prompt|instruct|message)|initial{_J}(?:prompt|instruct)|hidden{_J}(?:prompt|instruct))"),
        ("jailbreak", "persona", rf"do{_J}anything{_J}now|(?:developer|jailbreak|dan|god){_J}mode{_J}(?:enabled|activated|on\b)"),
    )
)  # fmt: skip
