"""What every corpus parser must do, run over all of them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser import components
from ser.data import intake, manifest
from ser.emotion import VOCABULARY
from ser.errors import CorpusError
from ser.utterance import Utterance

PACKAGE = "ser.data.corpora"
NAMES = components.names(PACKAGE)
RATE = 16000


def write_wav(path):
    """Write half a second of noise that no other path has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([ord(character) for character in path.stem])
    soundfile.write(path, rng.uniform(-0.5, 0.5, RATE // 2), RATE, subtype="PCM_16")


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


#: Each writes the smallest corpus of its kind and returns the path of one recording.
WRITERS = {
    "cremad": write_cremad,
    "csv": write_csv,
    "demo": write_iemocap,
    "emodb": write_emodb,
    "iemocap": write_iemocap,
    "ravdess": write_ravdess,
}


#: Nobody knows how many utterances a table's corpus should have.
WITHOUT_KNOWN_COUNTS = {"csv"}


def load(name):
    """Return a corpus' params, as params.yaml gives them, and its parser."""
    module = components.load(PACKAGE, name)
    params = module.Params.model_validate({"name": name})
    return params, module.build(params)


def take_in(name, root):
    params, corpus = load(name)
    return intake.take_in(corpus.parse(root), root=root, params=params)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def root(name, tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    WRITERS[name](folder)
    return folder


def test_every_corpus_has_a_writer_of_its_smallest_tree():
    assert set(NAMES) <= set(WRITERS), "add a writer for the new corpus to WRITERS"


def test_the_params_carry_the_name_of_the_file(name):
    params, _ = load(name)
    assert params.name == name
    with pytest.raises(ValueError, match="name"):
        type(params).model_validate({"name": "another"})


def test_every_corpus_has_a_card(name):
    card = Path(__file__).parents[3] / "docs" / "corpora" / f"{name}.md"
    assert card.is_file()


def test_the_corpus_says_what_it_is(name):
    _, corpus = load(name)
    assert isinstance(corpus.synthetic, bool)
    assert corpus.licence.strip()
    assert corpus.citation.strip()


def test_folders_that_are_no_corpus_are_refused_by_their_path(name, tmp_path):
    _, corpus = load(name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for wrong in ("empty", "missing", "file"):
        with pytest.raises(CorpusError, match=wrong):
            corpus.parse(tmp_path / wrong)


def test_the_smallest_corpus_is_taken_in_whole(name, root):
    taken = take_in(name, root)
    assert taken.rejections == ()
    assert len(taken.utterances) >= 4


def test_annotations_obey_the_manifest(name, root, tmp_path):
    taken = take_in(name, root)
    manifest.validate(taken.utterances, where=name)
    manifest.write(tmp_path / "manifest.jsonl", taken.utterances)
    assert manifest.read(tmp_path / "manifest.jsonl") == list(taken.utterances)
    assert {utterance.corpus for utterance in taken.utterances} == {name}


def test_annotations_are_of_existing_files_with_canonical_emotions(name, root):
    _, corpus = load(name)
    annotations = corpus.parse(root).annotations
    assert len({item.id for item in annotations}) == len(annotations)
    for item in annotations:
        assert not isinstance(item, Utterance)
        assert not Path(item.audio).is_absolute()
        assert (root / item.audio).is_file()
        assert item.emotion is None or item.emotion in VOCABULARY
        assert item.label
        assert item.gender in ("female", "male")


def test_a_speaker_has_one_gender_and_one_session(name, root):
    _, corpus = load(name)
    facts = {(a.speaker, a.gender, a.session) for a in corpus.parse(root).annotations}
    assert len(facts) == len({speaker for speaker, _, _ in facts})
    assert len({session for _, _, session in facts}) > 1


def test_reading_twice_gives_the_same_in_the_same_order(name, root):
    _, corpus = load(name)
    assert corpus.parse(root) == corpus.parse(root)
    assert load(name)[1].parse(root) == corpus.parse(root)


def test_a_linked_root_reads_like_the_folder_itself(name, root, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(root, target_is_directory=True)
    assert take_in(name, link) == take_in(name, root)


def test_apple_double_files_beside_the_recordings_are_passed_over(name, root, tmp_path):
    before = take_in(name, root)
    for path in [path for path in root.rglob("*") if path.is_file()]:
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07\xff\xfe")
    assert take_in(name, root) == before


def test_a_recording_whose_name_means_nothing_is_rejected_not_ignored(name, tmp_path):
    recording = WRITERS[name](tmp_path)
    strange = recording.with_name("no such name.wav")
    write_wav(strange)
    rejections = take_in(name, tmp_path).rejections
    assert [item.audio for item in rejections] == [strange.relative_to(tmp_path).as_posix()]


def test_a_damaged_recording_is_rejected_and_the_others_are_kept(name, tmp_path):
    recording = WRITERS[name](tmp_path)
    before = take_in(name, tmp_path)
    recording.write_bytes(b"damaged")
    after = take_in(name, tmp_path)
    assert len(after.utterances) == len(before.utterances) - 1
    assert [item.audio for item in after.rejections] == [recording.relative_to(tmp_path).as_posix()]


def test_the_check_says_what_a_handful_of_utterances_lacks(name, root):
    _, corpus = load(name)
    utterances = take_in(name, root).utterances
    if name in WITHOUT_KNOWN_COUNTS:
        corpus.check(utterances)
    else:
        with pytest.raises(CorpusError, match=r"expected \d+"):
            corpus.check(utterances)
