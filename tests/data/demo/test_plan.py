"""The plan of the demo corpus: labels, speakers and ratings."""

from collections import Counter, defaultdict

import pytest

from ser.data.demo import plan

TURNS = plan.build(seed=0, utterances_per_session=84)
FOUR_CLASSES = {"ang": "angry", "hap": "happy", "exc": "happy", "neu": "neutral", "sad": "sad"}


def test_every_session_has_the_number_asked_for() -> None:
    found = Counter(turn.session for turn in TURNS)
    assert found == dict.fromkeys(range(1, 6), 84)


def test_about_three_quarters_are_of_the_four_classes() -> None:
    found = Counter(turn.session for turn in TURNS if turn.label in FOUR_CLASSES)
    assert all(56 <= count <= 72 for count in found.values())


@pytest.mark.parametrize("utterances_per_session", [plan.MIN_PER_SESSION, 84, 300])
def test_every_speaker_shows_every_class_improvised_and_scripted(
    utterances_per_session: int,
) -> None:
    turns = plan.build(seed=3, utterances_per_session=utterances_per_session)
    assert len({turn.id for turn in turns}) == len(turns) == 5 * utterances_per_session
    found = {
        (turn.speaker, turn.label, "_script" in turn.dialogue)
        for turn in turns
        if turn.label in FOUR_CLASSES
    }
    assert len(found) == 10 * 5 * 2


def test_anger_is_mostly_scripted_and_neutral_speech_mostly_is_not() -> None:
    found = Counter((turn.label, "_script" in turn.dialogue) for turn in TURNS)
    assert found["ang", True] > 2 * found["ang", False]
    assert found["neu", True] < found["neu", False]


def test_classes_are_imbalanced_as_in_iemocap() -> None:
    found = Counter(FOUR_CLASSES.get(turn.label) for turn in TURNS)
    assert found["neutral"] > found["angry"]
    assert found["happy"] > found["sad"]


def test_scripted_sentences_recur_across_sessions_and_improvised_ones_hardly_do() -> None:
    sessions: dict[bool, defaultdict[str, set[int]]] = {
        True: defaultdict(set),
        False: defaultdict(set),
    }
    for turn in TURNS:
        sessions["_script" in turn.dialogue][turn.text].add(turn.session)
    shared = {
        kind: [len(found) > 1 for found in texts.values()] for kind, texts in sessions.items()
    }
    assert sum(shared[True]) / len(shared[True]) > 0.9
    assert sum(shared[False]) / len(shared[False]) < 0.3


def test_the_majority_of_raters_chose_the_label_and_xxx_has_no_majority() -> None:
    categories = {
        "ang": "Anger",
        "hap": "Happiness",
        "exc": "Excited",
        "neu": "Neutral",
        "sad": "Sadness",
    }
    for turn in TURNS:
        votes = Counter(category for rating in turn.ratings for category in rating.categories)
        (first, count), *others = votes.most_common()
        if turn.label == "xxx":
            assert count == 1
        elif turn.label in categories:
            assert first == categories[turn.label]
            assert all(count > other for _, other in others)


def test_raters_disagree_more_where_the_emotion_hardly_shows() -> None:
    agreed = Counter()
    asked = Counter()
    for turn in TURNS:
        if turn.label != "xxx":
            is_plain = turn.strength > 0.6
            asked[is_plain] += 1
            agreed[is_plain] += len({rating.categories for rating in turn.ratings}) == 1
    assert agreed[True] / asked[True] > agreed[False] / asked[False] + 0.15


def test_a_rater_now_and_then_forgets_dominance_and_names_two_categories() -> None:
    ratings = [rating for turn in TURNS for rating in turn.ratings]
    assert any(rating.dimensions[2] is None for rating in ratings)
    assert any(len(rating.categories) == 2 for rating in ratings)


def test_the_seed_decides_the_plan() -> None:
    assert plan.build(seed=0, utterances_per_session=84) == TURNS
    assert plan.build(seed=1, utterances_per_session=84) != TURNS


def test_too_small_a_corpus_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be >= 24, got 23"):
        plan.build(seed=0, utterances_per_session=23)
