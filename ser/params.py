"""params.yaml as frozen, typed, validated sections."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainValidator,
    SerializeAsAny,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from ser import components, plain_yaml
from ser.errors import ParamsError, UnknownComponentError
from ser.wording import MAX_SHOWN, cut, meant, shown

_MAX_FAULTS = 20
_MAX_FAULT = 1200
#: What pydantic says of a value that is shown anyway.
_PYDANTIC_GOT = ", got a number with a fractional part"
#: What a message has that names the value already.
_SAYS_VALUE = re.compile(r"[,;] got ")


class Section(BaseModel):
    """A group of params: frozen, unknown keys refused, numbers finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _helpful(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Say of an unknown key which one was meant, and of a missing one what to write."""
        try:
            return handler(value)
        except ValidationError as error:
            faults = [_fault(item, cls) for item in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(error.title, faults) from error


class ComponentParams(Section):
    """The params of one component, declared in the component's own file."""


class StageParams(BaseModel):
    """What one stage reads: each field is a top-level section, the others are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


Params = TypeVar("Params", bound=BaseModel)


def _fault(item: ErrorDetails, section: type[Section]) -> InitErrorDetails:
    """Return one fault of a section, with what helps to mend it."""
    message, loc = item["msg"], item["loc"]
    key = str(loc[0]) if len(loc) == 1 else None
    field = section.model_fields.get(key) if key else None
    if item["type"] == "extra_forbidden" and key is not None:
        message = f"there is no such key{meant(key, section.model_fields)}"
    elif item["type"] == "missing" and field is not None and field.examples:
        message = f"{message}, dvc.yaml reads it; write `{key}: {field.examples[0]}`"
    said = PydanticCustomError(item["type"], "{said}", {"said": message})
    return InitErrorDetails(type=said, loc=loc, input=item["input"])


@dataclass(frozen=True, slots=True)
class Tunable:
    """Where a param may be searched; stands beside it, in its field's type.

    Args:
        low, high: Ends of the range, both included, within the field's own bounds.
        log: Search uniformly in the logarithm.
        unit: Of the range, empty for a plain number.
        published: The published study's constant, which is tried first; None where it has
            none, and then the value of params.yaml is tried first.

    Example:
        >>> class Smoothing(ComponentParams):
        ...     epsilon: Annotated[float, Tunable(0.0, 0.4)] = 0.1
        >>> tunables(Smoothing)["epsilon"].high
        0.4
    """

    low: float
    high: float
    log: bool = False
    unit: str = ""
    published: float | None = None


def tunables(params_class: type[Section]) -> dict[str, Tunable]:
    """Return the fields of a section that may be tuned, in order of declaration."""
    return {
        name: mark
        for name, field in params_class.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Tunable)
    }


def component(package: str) -> Any:
    """Return the field type of a section that chooses its component.

    Args:
        package: Dotted name of the family, e.g. `ser.data.corpora`.

    Returns:
        A type that validates `{name: emodb, ...}` with that component's `Params`; where the name
        is the user's own, `{name: helpline, parser: csv, ...}`.
    """

    def parse(value: object) -> object:
        if isinstance(value, ComponentParams):
            return value
        name = value.get("name") if isinstance(value, Mapping) else None
        if not isinstance(name, str):
            known = ", ".join(components.names(package))
            raise ValueError(f"expected a section with a name, one of: {known}")
        parser = value.get("parser") if isinstance(value, Mapping) else None
        if isinstance(parser, str):
            return _known_class(package, parser).model_validate(value)
        try:
            return _known_class(package, name).model_validate(value)
        except ValidationError:
            raise
        except ValueError as error:
            raise ValueError(f"{error}; beside a name of your own, say `parser: csv`") from error

    return Annotated[SerializeAsAny[ComponentParams], PlainValidator(parse)]


def component_map(package: str) -> Any:
    """Return the field type of a section that maps component names to their params.

    Args:
        package: Dotted name of the family, e.g. `ser.losses`.

    Returns:
        A type that validates `{focal: {gamma: 2.0}, ...}`, each entry with that
        component's `Params`; all errors of all entries are reported together.
    """

    def parse(value: object) -> object:
        if not isinstance(value, Mapping):
            raise ValueError("expected a mapping of component names")
        entries = {str(name): entry for name, entry in value.items()}
        parsed = _class_of_entries(package, tuple(entries)).model_validate(entries)
        return {name: entry for name, (_, entry) in zip(entries, parsed, strict=True)}

    return Annotated[Mapping[str, SerializeAsAny[ComponentParams]], PlainValidator(parse)]


# A class takes milliseconds to make and ends in a collection of garbage only, and params are read
# again and again.
@functools.lru_cache(maxsize=256)
def _class_of_entries(package: str, names: tuple[str, ...]) -> type[Section]:
    """Return a class with a field for each entry of a component map, in their order."""
    # The names are the user's: as aliases they can be anything, as fields they could not.
    fields: dict[str, Any] = {
        f"entry_{number}": (_entry(package, name), Field(alias=name))
        for number, name in enumerate(names)
    }
    return create_model("Components", __base__=Section, **fields)


def _entry(package: str, name: str) -> Any:
    """Return the field type of one entry of a component map."""

    def parse(value: object) -> object:
        return _known_class(package, name).model_validate({} if value is None else value)

    return Annotated[SerializeAsAny[ComponentParams], PlainValidator(parse)]


def params_class_of(package: str, name: str) -> type[ComponentParams]:
    """Return the class of a component's params.

    Args:
        package: Dotted name of its kind, e.g. `ser.losses`.
        name: The component, e.g. `focal`.

    Raises:
        UnknownComponentError: There is none; the message lists the alternatives.
        TypeError: Its file declares something else as its params.
    """
    declared = components.load(package, name).Params
    if not issubclass(declared, ComponentParams):
        raise TypeError(
            f"{components.source(package, name)}: Params must be a subclass of "
            f"ser.params.ComponentParams, got {declared!r}"
        )
    return declared


def _known_class(package: str, name: str) -> type[ComponentParams]:
    try:
        return params_class_of(package, name)
    except UnknownComponentError as error:
        raise ValueError(str(error)) from error


def load_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        ParamsError: Missing, not UTF-8, not YAML within the limits of `ser.plain_yaml`, a key
            that stands twice, or not a mapping.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(plain_yaml.MAX_BYTES + 1)
        if len(raw) > plain_yaml.MAX_BYTES:
            raise ParamsError(
                f"{path}: larger than {plain_yaml.MAX_BYTES} bytes; is it another file?"
            )
        content = plain_yaml.load(raw.decode("utf-8"))
    except FileNotFoundError as error:
        raise ParamsError(f"{path}: no such file; `make use PRESET=emodb` writes one") from error
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ParamsError(
            f"{path}: not UTF-8 text (byte {error.start}); save it in this encoding"
        ) from error
    except ValueError as error:
        raise ParamsError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        kind = "nothing" if content is None else type(content).__name__
        raise ParamsError(
            f"{path}: expected a mapping of sections, got {kind}; `make use PRESET=emodb` "
            "writes a whole one"
        )
    return content


def read(path: Path, params_class: type[Params]) -> Params:
    """Read the sections that a stage declares.

    Args:
        path: params.yaml.
        params_class: The stage's params; its fields name the sections.

    Returns:
        The validated, frozen params, defaults filled in.

    Raises:
        ParamsError: Everything that is wrong, one line each with its path.
    """
    return parse(load_mapping(path), params_class, where=str(path))


def read_entry(path: Path, section: str, package: str, name: str) -> ComponentParams:
    """Read one entry of a section that maps component names to params.

    The other entries are not touched, so a stage that runs one component imports no other.

    Args:
        path: params.yaml.
        section: E.g. `losses`.
        package: Dotted name of the family, e.g. `ser.losses`.
        name: The component, e.g. `focal`.

    Returns:
        Its validated params, defaults filled in.

    Raises:
        UnknownComponentError: There is no such component.
        ParamsError: There is no such entry, or everything that is wrong in it.
    """
    return parse_entry(load_mapping(path).get(section), section, package, name, where=str(path))


def parse_entry(
    entries: object, section: str, package: str, name: str, *, where: str
) -> ComponentParams:
    """Validate one entry of a section already read; see `read_entry`.

    Args:
        entries: The section: component name -> its params.
        section: Its name, e.g. `losses`.
        package: Dotted name of the family, e.g. `ser.losses`.
        name: The component, e.g. `focal`.
        where: The file, named first in the error message.

    Returns:
        Its validated params, defaults filled in.

    Raises:
        UnknownComponentError: There is no such component.
        ParamsError: There is no such entry, or everything that is wrong in it.
    """
    components.load(package, name)
    if not isinstance(entries, Mapping) or name not in entries:
        raise ParamsError(
            f"{where}: the section {section} has no entry {name}; `{name}: {{}}` will do"
        )
    params_class = _class_of_entries(package, (name,))
    parsed = parse({name: entries[name]}, params_class, where=f"{where}, section {section},")
    ((_, entry),) = parsed
    return cast("ComponentParams", entry)


def parse(content: Mapping[str, Any], params_class: type[Params], *, where: str) -> Params:
    """Validate sections already read; see `read`.

    Args:
        content: Section name -> section.
        params_class: What to validate them with.
        where: Named first in the error message.

    Returns:
        The validated, frozen params.

    Raises:
        ParamsError: Everything that is wrong, one line each with its path.
    """
    try:
        return params_class.model_validate(content)
    except ValidationError as error:
        raise ParamsError(f"{where} is wrong in:\n{explain(error)}") from error


def explain(error: ValidationError) -> str:
    """Return one line per error: its path, the rule, the value once; long ones are cut short."""
    found = error.errors(include_url=False)
    lines = [f"  {_explained(item)}" for item in found[:_MAX_FAULTS]]
    if len(found) > _MAX_FAULTS:
        lines.append(f"  ... and {len(found) - _MAX_FAULTS} more")
    return "\n".join(lines)


def _explained(item: ErrorDetails) -> str:
    path = ".".join(cut(str(part), MAX_SHOWN) for part in item["loc"]) or "(top level)"
    message = item["msg"].removeprefix("Value error, ").removesuffix(_PYDANTIC_GOT)
    message = cut(message, _MAX_FAULT)
    value = item["input"]
    # A whole section says nothing more than its path does.
    is_section = isinstance(value, Mapping | BaseModel)
    if item["type"] in ("missing", "extra_forbidden") or (is_section and "dict" not in message):
        return f"{path}: {message}"
    # A validator that knows which part of the value is wrong says so itself.
    if _SAYS_VALUE.search(message):
        return f"{path}: {message}"
    cure = "; put it in quotes" if item["type"] == "string_type" and _is_scalar(value) else ""
    return f"{path}: {message}, got {shown(value)}{cure}"


def _is_scalar(value: object) -> bool:
    """Return whether YAML has read a word as something else: 01 as 1, no as false."""
    return isinstance(value, bool | int | float | date)
