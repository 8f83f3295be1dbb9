"""What the speakers of the demo corpus say: scripts that every pair plays, and improvisation."""

import numpy as np

#: Played by every pair, so the sentences of scripted dialogues recur across sessions.
SCRIPTED: tuple[str, ...] = (
    "You never told me that the letter came.",
    "I waited at the station until midnight.",
    "We could still leave before the morning.",
    "Nobody asked you to open that door.",
    "There is a light on in the kitchen.",
    "You have been saying that for years.",
    "My sister says the house is sold.",
    "That was the last of the money.",
    "I thought you would be glad to hear it.",
    "They moved the meeting to tomorrow.",
    "Put the suitcase back where it was.",
    "He called me from the harbour today.",
    "Tell me once more what the doctor said.",
    "I cannot find the other key.",
    "It is only a little rain.",
    "We were going to see the ocean.",
    "Your father would have known the answer.",
    "So this is how you spend the evening.",
    "Somebody left a parcel by the gate.",
    "I am not going to sign it.",
    "The neighbours heard about the wedding.",
    "You promised we would talk about it.",
    "All the tickets were gone by noon.",
    "Please sit down and listen to me.",
)

_OPENINGS = (
    "Well,", "You know,", "Honestly,", "Listen,", "Okay,", "I mean,", "Look,", "Right,",
    "So,", "Oh,",
)  # fmt: skip
_SUBJECTS = (
    "the manager", "my brother", "that old car", "the whole team", "our landlord", "the new office",
    "her little dog", "this machine", "my teacher", "the airline", "your cousin", "the weather",
)  # fmt: skip
_EVENTS = (
    "lost my bag again", "is coming home", "wrote to me today", "was late on Monday",
    "needs a new plan", "made it to the final", "is gone for good", "has to wait outside",
    "broke down on the road", "got the job in June", "will not answer me",
    "looked so different now",
)  # fmt: skip


def improvise(rng: np.random.Generator) -> str:
    """Return a sentence nobody wrote down before.

    Args:
        rng: Decides the words.

    Returns:
        Six to fourteen syllables of English.
    """
    subject, event = rng.choice(_SUBJECTS), rng.choice(_EVENTS)
    if rng.random() < 0.5:
        return f"{rng.choice(_OPENINGS)} {subject} {event}."
    return f"{subject[0].upper()}{subject[1:]} {event}."
