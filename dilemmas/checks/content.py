"""What a dilemma may hand on, instructions to harm, or give away (`identity`), and a topic that was misread.

Every finding is a flag for a person. The rules read patterns, not meaning: they are made to point at a place,
never to clear a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from dilemmas.checks import identity
from dilemmas.checks.rules import Rule
from dilemmas.checks.text import actions, fields, told
from dilemmas.schema import Dilemma, Finding, Severity

MISREAD = 3
"""Different telltales of an online platform from which the topic Social Networks is surely misread.

The three shipped dilemmas of that topic have none. A single one can stand in any story of today.
"""
DOUBTFUL = 2
"""How many words that only may speak of a platform (her feed, many likes) it takes where no surer one is there."""

HARM_INSTRUCTIONS = Rule(
    name="harm-instructions",
    family="content",
    severity="warning",
    looks_for="Wording that tells how to make or use a weapon, poison or drug, a lethal dose, a method of self-harm "
    "or a way into a locked house, vehicle or account: a deed together with its means. The topic alone is no finding.",
    reason="Flagged for a person: a dilemma needs the fact that something could be done, never the way to do it. The "
    "rule flags and never clears a text.",
    fix="Keep what is at stake and take out the means, amounts and steps.",
)
TOPIC_MISREAD = Rule(
    name="topic-misread",
    family="content",
    severity="warning",
    looks_for="A dilemma of the topic Social Networks with words of online platforms: names of platforms, app, "
    f"followers, blog, hashtag, a friend request, her posts. {MISREAD} different ones are an error. Words that may "
    f"mean something else (her feed, many likes, a profile, one follower) count where {DOUBTFUL} of them or a surer "
    "one stand.",
    reason="Here the topic is that of the ISSP module: the people one has and whom one turns to. Language models "
    "have been reported to read it as social media, and such a dilemma would stand in the wrong column.",
    fix="Put it among relatives, friends, neighbours or acquaintances, and leave the platforms out.",
)

RULES: tuple[Rule, ...] = (*identity.RULES, HARM_INSTRUCTIONS, TOPIC_MISREAD)
"""The rules of content, in the order of the documentation."""


def find(dilemmas: Sequence[Dilemma]) -> Iterator[Finding]:
    """Findings about the content of each dilemma; the driver puts the line in front of the field."""
    for dilemma in dilemmas:
        for check in _CHECKS:
            yield from check(dilemma)


_WITH = r"\b[^.!?\n]{0,60}\b(?:by|through|using|with)\b"
_OUT_OF = r"\b[^.!?\n]{0,60}\b(?:by|from|out of|using|with)\b"
_WEAPON = (
    r"(?:bombs?|explosives?|grenades?|pipe bombs?|molotov(?: cocktails?)?|(?:ghost |home-?made )?guns?|silencers?"
    r"|nerve gas|poison(?:ed|s)?(?: gas)?|ricin|cyanide|meth(?:amphetamine)?|crack cocaine|fentanyl)"
)
_UNDENIED = r"(?<!not )(?<!not be )(?<!n['’]t )(?<!n['’]t be )(?<!never )(?<!never be )"
_HARM: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        (
            "making a weapon, poison or drug",
            rf"\b(?:assembl|brew|build|cook|mak|mix|print|produc)(?:e|es|ing|s)?\b[^.!?\n]{{0,30}}\b{_WEAPON}\b{_OUT_OF}"
            rf"|\b(?:recipe|instructions|steps|guide) (?:for|to)\b[^.!?\n]{{0,30}}\b{_WEAPON}\b[^.!?\n]{{0,10}}:"
            r"|\b(?:combin|dissolv|heat|mix|pack|stir)(?:e|es|ing|s)?\b[^.!?\n]{0,40}"
            r"\b(?:ammonium nitrate|acetone|gunpowder|hydrogen peroxide|bleach|ammonia|saltpetre)\b"
            r"(?! (?:in|into|with) (?:cold |hot |warm )?water)[^.!?\n]{0,30}\b(?:and|in|into|with)\b"
            r"|\b(?:bottle|jar)\b[^.!?\n]{0,20}\b(?:gasoline|kerosene|paraffin|petrol)\b[^.!?\n]{0,30}"
            r"\b(?:cloth|rag|wick)\b",
        ),
        (
            "poisoning somebody",
            r"\b(?:add|drop|mix|put|pour|slip|stir)(?:s|ping|ting|ring|ing)?\b[^.!?\n]{0,40}"
            r"\b(?:poison|arsenic|antifreeze|cyanide|rat poison|sleeping pills|sedatives?)\b"
            r"[^.!?\n]{0,30}\b(?:into|in|to)\b[^.!?\n]{0,20}\b(?:drink|food|soup|tea|coffee|glass|meal|milk|wine)\b",
        ),
        (
            "a lethal dose",
            r"\b\d[\d.,]*\s?(?:mg|milligrams?|g|grams?|ml|millilitres?|pills|tablets|units)\b[^.!?\n]{0,80}"
            rf"\b{_UNDENIED}(?:lethal|fatal|deadly|overdose|to die|to kill|end (?:her|his|my|your|their|a) life)\b"
            r"|\b(?:lethal|fatal|deadly) dose\b[^.!?\n]{0,40}\d",
        ),
        (
            "a method of self-harm",
            r"\b(?:cut|slit)(?:ting)?\b[^.!?\n]{0,15}\b(?:her|his|my|own|their|your) (?:wrists?|arms?|thighs?)\b"
            r"[^.!?\n]{0,30}\b(?:with|using|lengthwise|along)\b"
            r"|\b(?:hang|hanging) (?:her|him|my|your|them)sel(?:f|ves)\b[^.!?\n]{0,20}\b(?:from|with|by)\b"
            r"|\bt(?:ie|ying) (?:a|the) noose\b",
        ),
        (
            "getting into a house, a vehicle or an account",
            r"\b(?:pick|picking|force|forcing|bump|bumping|jimmy|prise|pry|drill)\b[^.!?\n]{0,20}"
            rf"\b(?:locks?|windows?|back door|safe)\b{_WITH}"
            r"|\bhot-?wir(?:e|ing)\b[^.!?\n]{0,40}\b(?:by|with|wires?)\b"
            rf"|\b(?:hack|break|crack|get|log)(?:ing)? in(?:to)?\b[^.!?\n]{{0,30}}"
            rf"\b(?:account|e-?mail|phone|server|wifi|bank)\b{_WITH}"
            rf"|\b(?:guess|crack|phish|steal|reset)(?:ing)? (?:her|his|their|the|a|somebody's) password\b{_WITH}",
        ),
    )
)


def _harm_instructions(dilemma: Dilemma) -> Iterator[Finding]:
    for where, text in fields(dilemma):
        for name, pattern in _HARM:
            if found := pattern.search(text):
                yield HARM_INSTRUCTIONS(dilemma, f'reads like instructions for {name} ("{found[0]}")', where)


_WHOSE = r"(?:\w+['’]s|a|her|his|its|latest|my|old|our|public|recent|the|their|your)"
_TELLTALES = re.compile(
    r"\b(?:"
    r"(?P<platform>facebook|insta(?:gram)?|tiktok|tik tok|whatsapp|snapchat|youtube|linkedin|wechat|weibo|reddit|tumblr"
    # Words with another sense too: only with a capital, and not at the start of a sentence.
    r"|(?-i:(?<=[a-z,] )(?:Bluesky|Discord|Mastodon|Pinterest|Telegram|Tinder|Twitch|Twitter|Viber)))"
    r"|(?P<followers>followers|unfollow(?:s|ed|ing)?)"
    r"|(?P<app>apps?|smartphone apps?)"
    r"|(?P<media>social media|social networking|networking sites?|(?:online|media|sharing|dating) (?:platforms?|sites?)"
    r"|online (?:friends?|communit(?:y|ies)|groups?|forums?|profiles?|networks?))"
    r"|(?P<hashtag>hashtags?|influencers?|livestreams?|livestream(?:ed|ing)|selfies?|memes?)"
    r"|(?P<blog>v?blogs?|v?blogg(?:ers?|ing)|podcasts?|podcasters?)"
    r"|(?P<viral>(?:go|goes|going|gone|went) viral|viral)"
    r"|(?P<request>friend requests?|(?:un|de)friend(?:s|ed|ing)?|direct messages?|(?-i:DMs?)|newsfeeds?|news feeds?)"
    r"|(?P<tweets>(?:re)?tweet(?:s|ed|ing)?)"
    r"|(?P<comments>comment sections?|screenshots?)"
    r"|(?P<posts>(?:\w+['’]s|angry|her|his|my|online|our|public|recent|their|your) posts(?! (?:as|at|for|in|of)\b)"
    r"|post(?:s|ed|ing)? (?:\w+ ){0,3}(?:comments?|photos?|pictures?|selfies?|updates?|videos?|online))"
    r")\b",
    re.IGNORECASE,
)
_MAYBE = re.compile(
    rf"\b(?:(?P<feed>{_WHOSE} feed)"
    r"|(?P<likes>(?:\d+|few|fewer|gets?|many|more|most|of|for|the|no) likes(?! of (?:her|him|it|me|them|us|you)\b))"
    r"|(?P<profile>profiles?)"
    rf"|(?P<post>{_WHOSE} posts?(?! office\b)|reposts?|reposted)"
    r"|(?P<follower>follower)"
    r"|(?P<scroll>scroll(?:s|ed|ing)?)"
    r"|(?P<online>online)"
    r"|(?P<subscribers>subscribers?)"
    r"|(?P<timeline>timelines?)"
    r"|(?P<notification>notifications?)"
    r"|(?P<chat>group chats?|chat groups?)"
    r"|(?P<block>(?:un)?block(?:s|ed|ing)? (?:her|him|them))"
    r"|(?P<tag>tag(?:s|ged|ging)? (?:her|him|them|me|you))"
    r")\b",
    re.IGNORECASE,
)


def _topic_misread(dilemma: Dilemma) -> Iterator[Finding]:
    if dilemma.topic != "Social Networks":
        return
    text = "\n".join((dilemma.scenario, *(text for _, text in actions(dilemma))))
    sure, maybe = _telltales(_TELLTALES, text), _telltales(_MAYBE, _TELLTALES.sub(" ", text))
    found = {**sure, **maybe} if sure or len(maybe) >= DOUBTFUL else {}
    if found:
        severity: Severity = "error" if len(found) >= MISREAD else "warning"
        what = f"speaks of an online platform, which the topic is not about: {told(list(found.values()))}"
        yield TOPIC_MISREAD(dilemma, what, "scenario", severity=severity)


def _telltales(pattern: re.Pattern[str], text: str) -> dict[str, str]:
    """The kinds of words found, each with the first words of that kind."""
    found: dict[str, str] = {}
    for match in pattern.finditer(text):
        found.setdefault(str(match.lastgroup), match[0])
    return found


_CHECKS: tuple[Callable[[Dilemma], Iterator[Finding]], ...] = (
    *identity.CHECKS,
    _harm_instructions,
    _topic_misread,
)
