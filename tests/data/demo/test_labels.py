"""The label files of the demo corpus, character by character."""

from ser.data.demo import labels
from ser.data.demo.labels import TimedTurn
from ser.data.demo.plan import PlannedTurn, Rating

TURN = PlannedTurn(
    id="Ses03M_impro05a_F000",
    session=3,
    speaker="Ses03F",
    dialogue="Ses03M_impro05a",
    label="fru",
    text="That old car is gone.",
    strength=0.5,
    ratings=(
        Rating("E1", ("Frustration",), "", (2, 3, 4)),
        Rating("E2", ("Frustration", "Anger"), "", (1, 4, 3)),
        Rating("E4", ("Other",), "tired; a little ironic", (3, 3, None)),
    ),
)
TIMED = [TimedTurn(TURN, 1.25, 3.5)]


def test_the_evaluation_has_mean_ratings_votes_a_self_report_and_missing_dominance() -> None:
    assert labels.evaluation(TIMED).splitlines() == [
        "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]",
        "",
        "[1.2500 - 3.5000]\tSes03M_impro05a_F000\tfru\t[2.0000, 3.3333, 3.5000]",
        "C-E1:\tFrustration;\t()",
        "C-E2:\tFrustration; Anger;\t()",
        "C-E4:\tOther;\t(tired; a little ironic)",
        "C-F1:\tNeutral;\t()",
        "A-E1:\tval 2; act 3; dom  4;\t()",
        "A-E2:\tval 1; act 4; dom  3;\t()",
        "A-E4:\tval 3; act 3; dom  ;\t()",
        "A-F1:\tval 3; act 3; dom  3;\t()",
    ]


def test_the_transcript_has_overlapping_turns_without_a_label() -> None:
    assert labels.transcript(TIMED * 2).splitlines() == [
        "Ses03M_impro05a_F000 [001.2500-003.5000]: That old car is gone.",
        "Ses03M_impro05a_F000 [001.2500-003.5000]: That old car is gone.",
        "Ses03M_impro05a_MXX0 [003.5000-003.7000]: Mmhmm.",
    ]


def test_raters_files_hold_their_own_turns_in_formats_of_their_own() -> None:
    assert labels.categorical(TIMED, rater="E2") == (
        "Ses03M_impro05a_F000 :Frustration; :Anger; ()\n"
    )
    assert labels.attribute(TIMED, rater="E4") == (
        "Ses03M_impro05a_F000 :act 3; :val 3; :dom ; ()\n"
    )
    assert labels.categorical(TIMED, rater="E3") == ""
    assert labels.self_report(TIMED) == "Ses03M_impro05a_F000 :Neutral state; ()\n"
