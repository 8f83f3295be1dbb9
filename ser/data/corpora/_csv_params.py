"""What params.yaml may say of a corpus that a table describes."""

from collections.abc import Collection
from typing import Any, ClassVar, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ser import components
from ser.components import CORPORA
from ser.data.corpora import _table
from ser.data.corpora._base import CorpusParams, inside
from ser.data.speech_kind import SpeechKind
from ser.emotion import DIMENSION_RANGE, VOCABULARY
from ser.params import Section
from ser.utterance import Gender

#: One session tests, another trains.
MIN_SESSIONS = 2


class Columns(Section):
    """The table's own names for what is read.

    Args:
        path: Of the recording, relative to the corpus' folder.
        label: The corpus' own label; needed where there are classes.
        speaker: Who speaks.
        id: Unique id; the path without its ending where there is no such column.
        gender: `female`, `f`, `male` or `m`, in any case; `other`, `diverse` or `unknown`
            where a speaker is neither, or nobody knows.
        session: Unit of the `session` protocol; dealt from speakers where absent.
        dialogue: The conversation; each utterance is its own where absent.
        scripted: `true`, `false` or nothing.
        text: The words spoken.
        valence, arousal, dominance: Means of ratings, on `rating_scale`.
        start, end: Which part of its recording an utterance is, in seconds; nothing in both for
            the whole.
        part: The corpus' own word for train, dev or test, for `split.protocol: file`.
        fold: The corpus' own fold, which tests the utterance, for `split.protocol: file`.
    """

    path: str = "path"
    label: str = "label"
    speaker: str = "speaker"
    id: str = "id"
    gender: str = "gender"
    session: str = "session"
    dialogue: str = "dialogue"
    scripted: str = "scripted"
    text: str = "text"
    valence: str = "valence"
    arousal: str = "arousal"
    dominance: str = "dominance"
    start: str = "start"
    end: str = "end"
    part: str = "part"
    fold: str = "fold"

    def read(self, ignored: Collection[str] = ()) -> dict[str, str]:
        """Return what is read -> its name in the table.

        Args:
            ignored: Names that shall not be read.

        Returns:
            Without the columns that the params do not name, and whose usual name is ignored or
            stands for something else.
        """
        said = {column: getattr(self, column) for column in self.model_fields_set}
        taken = {*said.values(), *ignored}
        usual = {column: name for column, name in self.model_dump().items() if name not in taken}
        return {**usual, **said}


class Params(CorpusParams):
    """Params of a corpus described by a table.

    Args:
        name: The corpus' own name: small letters, digits and `_`, a letter first. Its folder in
            data/raw, its experiments and registered models have it, so two corpora never share
            any. `csv` alone is the name of a table without one.
        parser: `csv`, beside a name of one's own.
        title: Of a table that is named `csv`: told apart in experiments and registered models by
            this, in words as `name`. A name does the same and has a folder of its own, too.
        table: The table's path, relative to the corpus' folder.
        encoding: Of the table.
        delimiter: Between its fields.
        columns: The table's own column names.
        ignored_columns: Names of columns that shall not be read, although their names say that
            they bound a recording or deal it to a part.
        label_map: Own label -> one of `emotions` or a canonical emotion, or null to keep the
            utterance without an emotion. Labels that already are one need no entry.
        rating_scale: Ends of the scale that the table rates on, e.g. `[1, 7]`, `[0, 1]` or
            `[-1, 1]`. Ratings are moved and stretched to the scale from 1 to 5, in which they
            are learnt and reported.
        genders: Speaker -> gender, or null, for tables without a column for it. Who has none
            here either is of unknown gender.
        num_sessions: Groups that speakers are dealt into, balanced by gender as far as it is
            known, where the table has no sessions; null leaves the corpus without sessions,
            which needs `split.protocol: random`.
        refuse_unlisted: Reject recordings in the folder that the table does not name.
        synthetic: No person spoke.
        licence: Under which terms the recordings may be used, one sentence.
        redistributable: Whether the report may hold recordings, so that whoever gets the page
            hears them. Say it only if the licence and the speakers allow it.
        citation: What to cite, one sentence.
    """

    has_own_classes: ClassVar[bool] = True

    name: str = Field("csv", pattern=r"^[a-z][a-z0-9_]*$", max_length=40)
    parser: Literal["csv"] | None = None
    title: str | None = Field(None, pattern=r"^[a-z][a-z0-9_]*$", max_length=40)
    table: str = Field("utterances.csv", min_length=1, max_length=1000)
    encoding: str = "utf-8-sig"
    delimiter: str = Field(",", min_length=1, max_length=1)
    columns: Columns = Columns()
    ignored_columns: tuple[str, ...] = ()
    label_map: dict[str, str | None] = Field(default_factory=dict)
    rating_scale: tuple[float, float] = DIMENSION_RANGE
    genders: dict[str, Gender | None] = Field(default_factory=dict)
    num_sessions: int | None = Field(5, ge=MIN_SESSIONS, le=10_000)
    refuse_unlisted: bool = True
    synthetic: bool = False
    licence: str = Field("As the owner of the recordings states.", min_length=1)
    redistributable: bool = False
    citation: str = Field("As the owner of the recordings asks.", min_length=1)

    @field_validator("name")
    @classmethod
    def _own(cls, name: str) -> str:
        if name in get_args(SpeechKind) or (name != "csv" and name in components.names(CORPORA)):
            raise ValueError("means something else here; give the corpus another name")
        return name

    @property
    def parser_name(self) -> str:
        """Name of the parser, whatever the corpus is called."""
        return "csv"

    @field_validator("title")
    @classmethod
    def _no_kind_of_speech(cls, title: str | None) -> str | None:
        if title in get_args(SpeechKind):
            raise ValueError("is a kind of speech; names of models would not tell them apart")
        return title

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that the table must have: a label where there are classes."""
        return ("path", "label", "speaker") if self.emotions else ("path", "speaker")

    @model_validator(mode="after")
    def _read_or_ignored(self) -> "Params":
        needed = {column: getattr(self.columns, column) for column in self.required}
        needed |= {
            column: getattr(self.columns, column) for column in self.columns.model_fields_set
        }
        if both := sorted(set(needed.values()) & set(self.ignored_columns)):
            raise ValueError(f"ignored_columns names {', '.join(both)}, which columns reads")
        return self

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            # Some codecs that Python knows are none of text: they make bytes of bytes.
            "a".encode(encoding)
        except (LookupError, ValueError) as error:
            raise ValueError("not an encoding of text that Python knows") from error
        return encoding

    @field_validator("delimiter")
    @classmethod
    def _delimits(cls, delimiter: str) -> str:
        if delimiter in '\r\n" \0':
            raise ValueError("not a character that can stand between fields")
        return delimiter

    @field_validator("table")
    @classmethod
    def _below_the_folder(cls, table: str) -> str:
        return inside(table)

    @field_validator("rating_scale")
    @classmethod
    def _ascending(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if not scale[0] < scale[1]:
            raise ValueError("expected the low end before the high end")
        return scale

    @field_validator("label_map", "genders")
    @classmethod
    def _composed(cls, by_name: dict[str, Any]) -> dict[str, Any]:
        return _table.composed_keys(by_name)

    @field_validator("label_map")
    @classmethod
    def _known_label_map(
        cls, label_map: dict[str, str | None], info: ValidationInfo
    ) -> dict[str, str | None]:
        known = {*info.data.get("emotions", ()), *VOCABULARY, None}
        if unknown := sorted(map(str, set(label_map.values()) - known)):
            raise ValueError(
                f"maps to unknown emotions {unknown}, which are neither in corpus.emotions nor "
                f"canonical ({', '.join(VOCABULARY)}) nor null; name a class of your own in "
                f"corpus.emotions, too"
            )
        return label_map
