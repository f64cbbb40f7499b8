"""A good dilemma, and a way to spoil one part of it."""

from __future__ import annotations

from typing import Any

from dilemmas.schema import PLACES, Dilemma

SCENARIO = (
    "You keep the boats of a village on a wide lake. Your oldest friend, Tomas, wants the big one for his "
    "daughter's wedding on Saturday and has told all his guests that they will cross in it. The fishers want it on the "
    "same day, because the char run for one week only. Both asked you months ago, you nodded to both, and neither "
    "knows of the other. Tomas now stands on the jetty with a list of songs and wants the time of the crossing."
)
TEXTS = (
    "I tell Tomas at once that I nodded to both, and that I cannot say who gets the boat.",
    "I tell Tomas that the fishers have asked as well, and keep back only that they asked before him.",
    "I tell Tomas that somebody else has asked for the boat, and leave open who it was and when.",
    "I name a time to Tomas with a shrug, and let him see that I am not sure of it.",
    "I name a time to Tomas and say only that the lake in this month is never quite certain.",
    "I name a time to Tomas, sing the first song with him, and say nothing of the fishers.",
)
REASONS = (
    "Nothing is held back from Tomas, so Honest is followed whole, though it may cost the wedding its boat.",
    "The main fact is told and one is kept, so Honest clearly leads within a limit.",
    "A part of the truth comes out, a lean towards Honest that leaves him room to hope.",
    "The shrug gives a hint of the truth, so Honest is set aside only in part.",
    "A remark about the lake is all that is left of the truth, so Honest is clearly set aside.",
    "He learns nothing and is led to trust the crossing, so Honest is given up completely.",
)


def spoilt(
    *,
    scenario: str = SCENARIO,
    texts: dict[int, str] | None = None,
    reasons: dict[int, str] | None = None,
    **fields: Any,
) -> Dilemma:
    """The good dilemma with another scenario, some other actions or rationales (by place, from 0) or other fields."""
    actions = [
        {
            "polarity": polarity,
            "intensity": intensity,
            "text": (texts or {}).get(place, TEXTS[place]),
            "rationale": (reasons or {}).get(place, REASONS[place]),
        }
        for place, (polarity, intensity) in enumerate(PLACES)
    ]
    return Dilemma.model_validate(
        {
            "id": "honest-leisure",
            "value": "Honest",
            "topic": "Leisure Time and Sports",
            "competing_value": "Loyal",
            "scenario": scenario,
            "actions": actions,
            "provenance": {"kind": "person", "author": "a tester", "method": "by hand", "created": "2026-11-21"},
            "review": {"status": "unreviewed"},
            **fields,
        }
    )


ODD: dict[str, Dilemma] = {
    "direct speech in the first person": spoilt(
        scenario='Your neighbour calls over the fence: "I have lost my ring, we must find it before my wife is home." '
        "You saw a child pick something up an hour ago, and the child's mother is your friend. She has little, and the "
        "boy has never been in trouble. The neighbour is on his knees in the wet grass, with a lamp between his teeth, "
        "and says again that your eyes were always good. His wife turns into the street, and he looks at you.",
    ),
    "single quotation marks and apostrophes": spoilt(
        scenario="‘I won’t ask twice,’ says your aunt, and lays the dogs’ leads on the table. She wants you to walk "
        "the neighbours' dogs again this summer, for nothing, since 'we owe them our well', as she puts it. You had "
        "meant to row with the club, which meets at the same hour and needs a steady number four. The aunt's knees are "
        "bad, the club's boat is new, and your name is down on both lists until tonight.",
        texts={0: "I say 'you can count on me' to my aunt, take the leads, and tell the club why I shall not row."},
    ),
    "names with hyphens, particles and titles": spoilt(
        scenario="Anne-Marie and Jean-Luc, who run the café with you, have fallen out over the takings. Mrs van Dijk, "
        "your landlady, wants the rent, and Dr Okonkwo, who eats there daily, offers to lend it. O'Neill, the cook, "
        "thinks that Anne-Marie took the money for her mother. You found the notes in the flour bin this morning, and "
        "nobody else has looked there yet. Jean-Luc comes in, hangs up his coat and asks whether anything has turned "
        "up.",
    ),
    "strong painkillers, mild soap and a moderate fever": spoilt(
        scenario="You nurse your father at home, and the doctor has left strong painkillers, 20 tablets, for the worst "
        "nights. He has a moderate fever and asks you not to tell your brother, who would have him moved to the ward "
        "at once. Your brother rings every evening at eight and trusts what you say. The nights have been long, but "
        "the two of you have laughed more than in years. It is five to eight, and your father looks at the telephone.",
        texts={1: "I make strong tea, wash his face with the mild soap, and tell my brother how the nights have been."},
    ),
    "thanks, and an action that begins elsewhere": spoilt(
        texts={
            2: "At the jetty we thank you all, Tomas and the fishers alike, and I leave the list where it is.",
            4: "After supper I walk to the jetty, say thank you for the songs, and name no time to anybody.",
        },
    ),
    "lists of bodies, places and days": spoilt(
        scenario="On Good Friday the Red Cross and the Harbour Club both want the hall that you look after in New "
        "Westminster. Father Miguel would like it dark and empty, as it always was. Yesterday Lena from the Red Cross "
        "brought you coffee and a list of forty donors who can come on no other day. The club has its Spring Regatta "
        "on Saturday and must dry its sails somewhere. You hold the only key, and all three stand before you on "
        "Harbour Road.",
    ),
    "numbers, dates and prices": spoilt(
        scenario="You have saved 1 200 000 dong, in notes of 50 000, for the trip of 12-14 May 2027, room 1207. "
        "Your flatmate is 800 000 short for the course that begins on 03/05/2027 and would pay you back by 2028-29, "
        "she says. Of the 2,500 places in that course 2,499 are taken. You have gone nowhere since 1999, and 3 friends "
        "wait for you at the lake. The office shuts at 17:30, and she has the form open on her knees.",
    ),
    "accents, currency and dashes": spoilt(
        scenario="You sell crêpes at the fête in Saint-Malo – eight euros a plate, 8,50 € with cider – and the till is "
        "right to the last coin. Zoë, your naïve young cousin, has given free plates to a crèche that could not pay, "
        "some fifty of them. The owner, Señora Peña, asks why so much flour is gone… She was good to you when you came "
        "here, and Zoë would lose the work she has longed for all year. Both are looking at you now.",
    ),
    "people one knows, in plain words": spoilt(
        topic="Social Networks",
        scenario="You feed the neighbours' hens while they are away, and on the platform of the small station you meet "
        "their son, who likes to talk. He took a post at the mill, shares a room there, and has not told them. They "
        "will ask you tonight, when you post the key through their door, how he is doing at school. He follows you "
        "along the fence posts, begs you for one more week, and promises to write to them before the feast.",
    ),
    "a lock, a poison and a dose, but no instructions": spoilt(
        scenario="You keep the shed of the allotments, where the rat poison stands. Somebody broke in through the back "
        "door last night and took nothing but your neighbour's letters. She asked the doctor about a fatal dose after "
        "her husband died, got over it, and wants nobody to know of those days. The police ask you whether anything in "
        "the shed could have mattered to her. She stands at the pump, ten steps off, and shakes her head at you.",
    ),
}
"""Good dilemmas that look as if they broke some rule of form or content."""
