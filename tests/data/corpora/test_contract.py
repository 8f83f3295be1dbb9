"""The contract of every corpus, run on the smallest tree of its kind."""

import ast

import pytest

from ser import components
from tests.data.corpora.contract import PACKAGE, CorpusContract, load, write_wav


def write_emodb(root):
    for name in ("03a01Fa", "08a01Wb", "16b10Nc", "03a02Tb"):
        write_wav(root / "wav" / f"{name}.wav")
    return root / "wav" / "03a01Fa.wav"


def write_ravdess(root):
    for actor in ("01", "02", "24"):
        for emotion in ("03", "05"):
            write_wav(root / f"Actor_{actor}" / f"03-01-{emotion}-01-01-01-{actor}.wav")
    return root / "Actor_01" / "03-01-03-01-01-01-01.wav"


def write_cremad(root):
    actors = [f"10{number:02}" for number in range(1, 11)]
    for actor in actors:
        write_wav(root / "AudioWAV" / f"{actor}_DFA_ANG_XX.wav")
    rows = [f"{actor},{'Male' if int(actor) % 2 else 'Female'}\n" for actor in actors]
    (root / "VideoDemographics.csv").write_text("ActorID,Sex\n" + "".join(rows))
    return root / "AudioWAV" / "1001_DFA_ANG_XX.wav"


def write_csv(root):
    lines = ["path,label,speaker,gender"]
    for number in range(6):
        gender = "male" if number % 2 else "female"
        lines.append(f"wav/{number}.wav,sad,s{number},{gender}")
        write_wav(root / "wav" / f"{number}.wav")
    (root / "utterances.csv").write_text("\n".join(lines) + "\n")
    return root / "wav" / "0.wav"


def write_iemocap(root):
    labels = ("ang", "hap", "xxx", "neu")
    for session in range(1, 6):
        folder = root / f"Session{session}"
        dialogue = f"Ses0{session}F_impro01"
        turns, words = [], []
        for number, label in enumerate(labels):
            turn = f"{dialogue}_{'FM'[number % 2]}{number:03}"
            start = f"{number}.0000 - {number}.5000"
            turns.append(
                f"[{start}]\t{turn}\t{label}\t[2.5000, 3.0000, 3.5000]\n"
                "C-E1:\tNeutral;\t()\nC-E2:\tAnger; Neutral;\t()\n"
                "A-E1:\tval 3; act 3; dom  3;\t()\n"
            )
            words.append(f"{turn} [{number:03}.0000-{number:03}.5000]: Well.\n")
            write_wav(folder / "sentences" / "wav" / dialogue / f"{turn}.wav")
        evaluation = folder / "dialog" / "EmoEvaluation" / f"{dialogue}.txt"
        transcript = folder / "dialog" / "transcriptions" / f"{dialogue}.txt"
        for path in (evaluation, transcript):
            path.parent.mkdir(parents=True)
        header = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        evaluation.write_text(header + "\n".join(turns))
        transcript.write_text("".join(words))
    dialogue = "Ses01F_impro01"
    return root / "Session1" / "sentences" / "wav" / dialogue / f"{dialogue}_F000.wav"


class TestCremad(CorpusContract):
    name = "cremad"

    def write(self, root):
        return write_cremad(root)


class TestCsv(CorpusContract):
    name = "csv"
    is_named_by_its_user = True
    has_known_counts = False

    def write(self, root):
        return write_csv(root)


class TestDemo(CorpusContract):
    name = "demo"

    def write(self, root):
        return write_iemocap(root)


class TestEmodb(CorpusContract):
    name = "emodb"

    def write(self, root):
        return write_emodb(root)


class TestIemocap(CorpusContract):
    name = "iemocap"

    def write(self, root):
        return write_iemocap(root)


class TestRavdess(CorpusContract):
    name = "ravdess"

    def write(self, root):
        return write_ravdess(root)


def under_contract(folder):
    """Yield the names of the parsers that some test class runs the contract on."""
    for path in folder.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and "CorpusContract" in map(ast.unparse, node.bases):
                assigned = (n for n in node.body if isinstance(n, ast.Assign))
                yield from (n.value.value for n in assigned if n.targets[0].id == "name")


def test_every_corpus_is_under_contract(project):
    found = list(under_contract(project / "tests" / "data" / "corpora"))
    assert sorted(found) == list(components.names(PACKAGE))


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("cremad", False),
        ("csv", False),
        ("demo", True),
        ("emodb", True),
        ("iemocap", False),
        ("ravdess", False),
    ],
)
def test_a_report_may_hold_recordings_only_where_that_puts_no_terms_on_it(name, allowed):
    assert load(name)[1].redistributable is allowed


@pytest.mark.parametrize("name", ["cremad", "csv", "demo", "emodb", "iemocap", "ravdess"])
def test_every_corpus_that_comes_with_the_project_has_a_card(name, project):
    assert (project / "docs" / "corpora" / f"{name}.md").is_file()
