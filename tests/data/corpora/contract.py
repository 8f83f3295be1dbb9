"""What every corpus parser must do; each parser's test file runs it on its smallest corpus."""

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
RATE = 16000


def write_wav(path):
    """Write half a second of noise that no other path has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([ord(character) for character in path.stem])
    soundfile.write(path, rng.uniform(-0.5, 0.5, RATE // 2), RATE, subtype="PCM_16")


def load(name):
    """Return a corpus' params, as params.yaml gives them, and its parser."""
    module = components.load(PACKAGE, name)
    params = module.Params.model_validate({"name": name})
    return params, module.build(params)


def take_in(name, root):
    params, corpus = load(name)
    return intake.take_in(corpus.parse(root), root=root, params=params)


class CorpusContract:
    """A subclass `Test...` in the parser's test file says which parser, and writes its corpus.

    Attributes:
        name: The parser.
        is_named_by_its_user: Whether `corpus.name` is of the user's choice, as a table's is.
        has_known_counts: Whether its size is published; of a table's corpus nobody knows it.
    """

    name: str
    is_named_by_its_user = False
    has_known_counts = True

    def write(self, root: Path) -> Path:
        """Write the smallest corpus of its kind below a folder; return one recording."""
        raise NotImplementedError

    @pytest.fixture
    def root(self, tmp_path):
        folder = tmp_path / "corpus"
        folder.mkdir()
        self.write(folder)
        return folder

    def test_the_params_carry_the_name_of_the_file(self):
        """Unless the corpus is a table: it has a name of the user's."""
        params, _ = load(self.name)
        assert params.name == self.name
        if self.is_named_by_its_user:
            assert type(params).model_validate({"name": "another"}).name == "another"
            return
        with pytest.raises(ValueError, match="name"):
            type(params).model_validate({"name": "another"})

    def test_the_corpus_says_what_it_is(self):
        _, corpus = load(self.name)
        assert isinstance(corpus.synthetic, bool)
        assert corpus.licence.strip()
        assert isinstance(corpus.redistributable, bool)
        assert corpus.citation.strip()

    def test_folders_that_are_no_corpus_are_refused_by_their_path(self, tmp_path):
        _, corpus = load(self.name)
        (tmp_path / "empty").mkdir()
        (tmp_path / "file").touch()
        for wrong in ("empty", "missing", "file"):
            with pytest.raises(CorpusError, match=wrong):
                corpus.parse(tmp_path / wrong)

    def test_the_smallest_corpus_is_taken_in_whole(self, root):
        taken = take_in(self.name, root)
        assert taken.rejections == ()
        assert len(taken.utterances) >= 4

    def test_annotations_obey_the_manifest(self, root, tmp_path):
        taken = take_in(self.name, root)
        manifest.validate(taken.utterances, where=self.name)
        manifest.write(tmp_path / "manifest.jsonl", taken.utterances)
        assert manifest.read(tmp_path / "manifest.jsonl") == list(taken.utterances)
        assert {utterance.corpus for utterance in taken.utterances} == {self.name}

    def test_annotations_are_of_existing_files_with_canonical_emotions(self, root):
        _, corpus = load(self.name)
        annotations = corpus.parse(root).annotations
        assert len({item.id for item in annotations}) == len(annotations)
        for item in annotations:
            assert not isinstance(item, Utterance)
            assert not Path(item.audio).is_absolute()
            assert (root / item.audio).is_file()
            assert item.emotion is None or item.emotion in VOCABULARY
            assert item.label
            assert item.gender in ("female", "male")

    def test_a_speaker_has_one_gender_and_one_session(self, root):
        _, corpus = load(self.name)
        facts = {(a.speaker, a.gender, a.session) for a in corpus.parse(root).annotations}
        assert len(facts) == len({speaker for speaker, _, _ in facts})
        assert len({session for _, _, session in facts}) > 1

    def test_reading_twice_gives_the_same_in_the_same_order(self, root):
        _, corpus = load(self.name)
        assert corpus.parse(root) == corpus.parse(root)
        assert load(self.name)[1].parse(root) == corpus.parse(root)

    def test_a_linked_root_reads_like_the_folder_itself(self, root, tmp_path):
        link = tmp_path / "link"
        link.symlink_to(root, target_is_directory=True)
        assert take_in(self.name, link) == take_in(self.name, root)

    def test_apple_double_files_beside_the_recordings_are_passed_over(self, root):
        before = take_in(self.name, root)
        for path in [path for path in root.rglob("*") if path.is_file()]:
            path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07\xff\xfe")
        assert take_in(self.name, root) == before

    def test_a_recording_whose_name_means_nothing_is_rejected_not_ignored(self, tmp_path):
        recording = self.write(tmp_path)
        strange = recording.with_name("no such name.wav")
        write_wav(strange)
        rejections = take_in(self.name, tmp_path).rejections
        assert [item.audio for item in rejections] == [strange.relative_to(tmp_path).as_posix()]

    def test_a_damaged_recording_is_rejected_and_the_others_are_kept(self, tmp_path):
        recording = self.write(tmp_path)
        before = take_in(self.name, tmp_path)
        recording.write_bytes(b"damaged")
        after = take_in(self.name, tmp_path)
        assert len(after.utterances) == len(before.utterances) - 1
        assert [item.audio for item in after.rejections] == [
            recording.relative_to(tmp_path).as_posix()
        ]

    def test_the_check_says_what_a_handful_of_utterances_lacks(self, root):
        _, corpus = load(self.name)
        utterances = take_in(self.name, root).utterances
        if not self.has_known_counts:
            corpus.check(utterances)
        else:
            with pytest.raises(CorpusError, match=r"expected \d+"):
                corpus.check(utterances)
