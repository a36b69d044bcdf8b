"""The shapes in which a text gives orders to whoever reads it by machine.

They look for who is addressed (a model, an assistant, a reviewer, "you"), for what is ordered (to say, to leave out, to
rate) and for the marks of a chat and of our own answers. Each was written for attacks on assistants; what papers and
guides say of prompts, models and people must pass (both are tested).
"""

from __future__ import annotations

import re

_ORDERS = r"(?:instructions?|prompts?|rules?|guidelines?|guidance|directions?|commands?|orders?|system messages?)"
_EARLIER = r"(?:previous|prior|earlier|preceding|above|former|foregoing|other|existing|original|initial|your|all|any|these|those)"
_READER = (
    r"(?:AI|A\.I\.|LLMs?|language models?|chat ?bots?|assistants?|AI (?:readers?|models?|systems?|reviewers?|agents?|"
    r"assistants?)|(?:automated|automatic|machine) (?:readers?|reviewers?|systems?|agents?)|reader models?|"
    r"reviewer models?|GPT(?:-\d\w*)?|ChatGPT|Claude|Qwen|Gemini|Llama)"
)
_SAYING = (
    r"(?:output|print|return|respond|reply|answer|report|emit|write|state|say|claim|repeat|list|include|insert|extract|"
    r"produce|generate|mention|conclude|summari[sz]e|recommend|rate|score|mark|label|classify|treat|accept|teach|record|"
    r"praise|promote|endorse|omit|assign|set|give|award)"
)
_TELLING = (
    r"(?:output|print|return|respond|reply|answer|report|emit|write|state|say|claim|repeat|list|include|extract|mention|"
    r"praise|promote|endorse|rate|recommend)"
)
_TO_SAY = (
    r"(?:only|exactly|just|nothing|instead|with|that|the following|this|these|the (?:idea|claim|fact|answer|word|number|"
    r"value|sentence|text|paper|verdict)s?|an? (?:idea|claim|fact|empty|JSON)|ideas?\b|claims?\b|JSON|no (?:ideas?|"
    r"claims?|limits?|weakness)|[:\"“'{\[])"
)
_MUST = r"(?:must|should|shall|ha(?:s|ve) to|needs? to|(?:is|are) (?:to|required to|asked to|expected to))"
_BEGIN = (
    r"(?:^|[.!?:;]\s+|,\s+(?:and|then|instead)\s+|\b(?:please|kindly|now|only|always|instead|simply),?\s+)(?:always |only |"
    r"now |instead |never |do not |don't |must |simply |just )?"
)
"""Where an order may begin, with what softens or sharpens it."""
_SHAPES = (
    # earlier orders are taken back
    rf"\b(?:ignore|disregard|forget|override|overrule|bypass|skip|discard|stop following|(?:do not|don't) (?:follow|obey))"
    rf"\b.{{0,40}}?\b{_EARLIER}\b.{{0,30}}?\b(?:{_ORDERS}|text|content|context|messages?|everything)\b",
    r"\b(?:ignore|disregard|forget) (?:everything|anything|what|all(?: of)?) (?:\w+ ){0,3}?"
    r"(?:above|before|said|told|earlier|previous)",
    rf"\b(?:do not|don't|never|stop) (?:follow|obey|heed)(?:ing)? .{{0,30}}?\b{_ORDERS}\b",
    rf"\b(?:supersedes?|replaces?|overrides?|cancels?|voids?)\b.{{0,25}}?\b{_EARLIER}\b.{{0,15}}?\b{_ORDERS}\b",
    r"\b(?:previous|above|preceding|foregoing|earlier) (?:text|passage|part|content|message|section) (?:was|is) (?:only )?"
    r"(?:a test|an example|over|fake|wrong|void|obsolete|a decoy)",
    r"\b(?:begin|start)s? (?:with )?(?:the|your) (?:real|actual|true|new) (?:task|job|work|instructions?)",
    r"\b(?:new|updated|revised|real|actual|secret|hidden|final|your) (?:\w+ )?(?:system )?(?:instructions?|prompt|goal|task|"
    r"mission|objective|role)\s*:",
    # somebody is addressed
    rf"\b(?:note|message|instructions?|notice|memo|reminder|hint|important|word)\b,?\s*(?:to|for|:)\s*"
    rf"(?:all |any |the |our |every )?(?:\w+ )?{_READER}\b",
    rf"(?:^|[.!?:]\s+)(?:attention|dear|hey|hello|hi|listen),? (?:all |every |the )?(?:{_READER}|model|reviewer|reader)\b",
    rf"(?:^|[.!?:]\s+)(?:if|when|as|since|because) you(?:'re| are) (?:an? |the |reading )?.{{0,30}}?{_READER}\b",
    rf"\b(?:if|whenever|when) (?:an? |any |the |this (?:text|paper|document) is (?:read|processed|reviewed) by )(?:an? )?"
    rf"{_READER}\b.{{0,60}}?\b(?:must|should|shall|has to|have to|is to|please)\b",
    rf"(?:^|[.!?:;]\s+){_READER}[,:]\s+(?:please|you|do|don't|always|never|now|ignore|{_SAYING})\b",
    rf"(?:^|[.!?:;]\s+)(?:\w+ )?(?:model|reader|reviewer), (?:please|you|do|don't|always|never|now|ignore|{_SAYING})\b",
    rf"\b(?:ask|request|urge|invite|instruct|command|order|remind|want|need|require)s? (?:all |any |every |the )?"
    rf"(?:LLMs|language models|AI \w+s|AIs|assistants|chat ?bots|machine readers|reviewers|you) to {_TELLING}\b",
    # you are this, your task is that
    rf"\byou are (?:now |no longer |actually |really )?(?:an? |the )?(?:\w+ )?{_READER}\b",
    r"\byou (?:have been|were|are being) (?:updated|reset|reprogrammed|told|instructed|authori[sz]ed|asked)\b",
    r"\b(?:pretend|act as if|act as though|roleplay|imagine) (?:that |to be |you )",
    r"(?:^|[.!?:;]\s+)(?:please )?(?:act|behave|respond|think) as (?:if|an?|the) (?:\w+ )?(?:reviewer|assistant|expert|model|"
    r"person|system|editor|fan)",
    rf"\byou (?:must|should|shall|will|have to|need to|are to|are required to|are asked to|may only|can only)(?: now| always|"
    rf" never| not| instead)? {_TELLING}\b",
    rf"\byour (?:new |only |real |first |next )?(?:{_ORDERS}|task|answer|output|response|reply|reading|summary|job|goal|"
    rf"mission|objective|system prompt|JSON) (?:is|are|must|should|shall|will|has to)\b",
    rf"\bin your (?:answer|output|response|reply|summary|JSON|list|review|report),? (?:please |always |never |do not )?"
    rf"(?:{_SAYING}|use|mention)\b",
    r"(?:^|[.!?:;]\s+)do (?:what|as|exactly (?:what|as)) (?:i|we) (?:say|tell|ask|order|write)\b",
    # what is to be said
    rf"{_BEGIN}(?:{_TELLING}|mark|treat|accept|label|classify|insert|record|produce|generate)\b:? {_TO_SAY}",
    rf"(?:^|[.!?:;]\s+)(?:never|do not|don't) {_TELLING}\b",
    rf"{_BEGIN}(?:give|assign|award|grant|rate|recommend|write|leave|provide) .{{0,40}}?\b(?:positive|favou?rable|good|best|"
    rf"highest|top|perfect|full|maximum|strong|enthusiastic|accept|10/10|10 out of 10)\b.{{0,20}}?\b(?:reviews?|scores?|"
    rf"ratings?|marks?|accept(?:ance)?|praise|recommendation)\b",
    r"\b(?:rate|score|mark) (?:it|this|the paper|this paper|us)(?: \w+)? (?:10|ten|5|five|100)(?:/| out of |\b)",
    rf"{_BEGIN}(?:set|change|put|fill|write) (?:the )?[\"“'‘]?(?:verdict|answer|claim|quote|relation|support|kind)[\"”'’]?"
    rf"(?: field)? (?:to|as|with|=)\s*(?:[\"“'‘]|entailed|\d)",
    r"\b(?:the|for the) [\"“']?(?:verdict|answer|claim|quote|subject|relation|prediction)[\"”']? (?:field|key|entry)\b,? "
    r"(?:use|must|should|is|set|write|put)",
    r"\b(?:verdict|support)\W{1,3}(?:to |is |= ?|: ?)?[\"“']?(?:entailed|partly)\b",
    rf"\bwhen (?:extracting|summari[sz]ing|reviewing|reading|listing|judging|checking)(?: the| this| any| all)? (?:\w+ )?"
    rf"(?:ideas?|facts?|claims?|paper|text|document|section),? (?:please |always |never |you |do not )?"
    rf"(?:use|{_SAYING}|ignore)\b",
    r"\bstop (?:reading|processing|extracting|here)\b(?=.{0,20}(?:here|now|and|,|\.))",
    # whoever sums this up
    rf"\b(?:any|all|every|each|the|an?)? ?(?:automated |automatic |AI[- ](?:generated |written )?|machine[- ]\w+ |LLM )?"
    rf"(?:summar(?:y|ies)|reviews?|readers?|reviewers?|extractions?|digests?)(?: of (?:this|the) (?:paper|text|document|work|"
    rf"section))? {_MUST} (?:\w+ )?{_TELLING}\b",
    rf"\b(?:essential|important|crucial|vital|required|mandatory|imperative|necessary) that (?:\w+ ){{0,4}}?(?:{_READER}|"
    rf"summar(?:y|ies)|reviews?|readers?|reviewers?) .{{0,15}}?{_TELLING}\b",
    r"\b(?:from now on|henceforth|for the rest of (?:this|the) (?:conversation|chat|task)),? (?:you|always|only|never|answer|"
    r"report|the assistant|every)",
    # the end of the text is feigned
    r"\bend of (?:the )?(?:paper|text|document|passage|section|data|input|quotation|user (?:message|input))\b\W*"
    r"(?:[-=#*<>\]]|$|\b(?:new|now|system|user|assistant|begin)\b)",
)
_BANNERS = (
    r"\b(?:BEGIN|START|END|STOP|NEW|SYSTEM|ADMIN|DEVELOPER|ROOT) (?:OF )?(?:SYSTEM |USER |ASSISTANT |THE )?(?:PROMPT|INSTRUCTIONS?|"
    r"OVERRIDE|MESSAGE|COMMANDS?|MODE|NOTE|PAPER|TEXT|DOCUMENT|DATA|INPUT|CONTEXT)\b"
)
"""In capitals only."""
_CHAT = (
    # Papers on chat models name such marks in passing; at a beginning, or before a role, they open a turn.
    r"(?:^|\n)\s*<\|[^|<>]{1,40}\|>|<\|[^|<>]{1,40}\|>\s*(?:system|assistant|user|tool)\b|"
    r"(?:^|\n)\s*</?\s*(?:think|system|assistant|user|tool_call|tool_response|function_call|tool|instructions?|prompt|"
    r"paper|document|context|passage|input|data|important|admin)\s*>|\[/?INST\]|<</?SYS>>|"
    r"^\s*#{2,}\s*(?:system|assistant|user|instruction|response|tool)\s*(?::|$|\n)|"
    r"(?:^|\n|[.!?]\s+)\s*(?:(?:system|assistant|user|human)\s*(?:message|prompt|turn)?\s*:\s|"
    r"(?:tool|function|AI)\s*(?:output|turn|result|call)?\s*:\s*[\[{\"])"
)
_SMUGGLED = (
    r"[{,]\s*[\"“']?(?:ideas|claim|quote|answer|verdict|checks|role|tool_calls|qwen_change|relation)[\"”']\s*:\s*"
    r"[\[{\"“'0-9]"
)
_FENCES = r"<<<\s?[A-Z]{3,}|[A-Z]{3,}(?:-[0-9a-f]+)?\s?>>>"
ORDER = re.compile("|".join((*_SHAPES, _CHAT, _SMUGGLED)), re.IGNORECASE)
BANNER = re.compile(f"{_BANNERS}|{_FENCES}")
_IMPERATIVE = (
    r"(?:^|[.!?:;]\s+|,\s+)(?:please |kindly |now,? |then |instead,? |just |simply |always |never |do not |don't )*"
    r"(?:accept|answer|assume|believe|claim|conclude|consider|count|declare|endorse|ensure|extract|forget|highlight|ignore|"
    r"include|list|mark|mention|omit|output|praise|pretend|print|prefer|rate|remember|repeat|replace|report|reply|respond|"
    r"return|reveal|say|skip|state|stop|switch|tell|treat|trust|write)\s+"
    r"(?:the|an?|this|that|these|those|every|all|any|each|no|only|nothing|it|us|them|me|yes|with|as|in|to|[\"“'‘\[{0-9])"
)
_TALK = re.compile(
    rf"\b(?:you|your|yours|yourself)\b|{_IMPERATIVE}|\b(?:if|when|whenever) (?:anyone |somebody |it is )?asked\b|"
    r"\b(?:correct|right|true|expected|desired|only|official|final) (?:answer|verdict|response|output)s? (?:is|are|to|:|=)|"
    r"\bfor the purposes? of (?:this|the|your|any) (?:extraction|task|summary|review|reading|answer|exercise)\b|"
    r"\b(?:claim|item|idea|answer) (?:number |no\. ?)?\d+ is (?:entailed|true|correct|supported)\b|"
    r"\b(?:all|every|any) (?:the )?(?:claims?|items?|ideas?)\b.{0,40}?\b(?:entailed|verified|supported|accepted|true)\b|"
    r"\b(?:summari[sz]ers?|extractors?|annotators of this|machines? (?:reading|processing) (?:this|it))\b|"
    r"\b(?:who|what)ever (?:reads?|processes|summari[sz]es|extracts)\b",
    re.IGNORECASE,
)


def talks(text: str) -> bool:
    """The text speaks to somebody instead of stating something: no evidence of a fact, in a paper.

    Wider than :data:`ORDER`: such a sentence is still shown to the reader.
    """
    return _TALK.search(text) is not None
