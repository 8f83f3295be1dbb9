"""params.yaml as frozen, typed, validated sections."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    PlainValidator,
    SerializeAsAny,
    ValidationError,
    create_model,
)

from ser import components
from ser.errors import ParamsError, UnknownComponentError


class Section(BaseModel):
    """A group of params: frozen, unknown keys refused, numbers finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ComponentParams(Section):
    """The params of one component, declared in the component's own file."""


class StageParams(BaseModel):
    """What one stage reads: each field is a top-level section, the others are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


Params = TypeVar("Params", bound=BaseModel)


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
    """Return the field type of a section that chooses its component by `name`.

    Args:
        package: Dotted name of the family, e.g. `ser.data.corpora`.

    Returns:
        A type that validates `{name: emodb, ...}` with that component's `Params`.
    """

    def parse(value: object) -> object:
        if isinstance(value, ComponentParams):
            return value
        name = value.get("name") if isinstance(value, Mapping) else None
        if not isinstance(name, str):
            known = ", ".join(components.names(package))
            raise ValueError(f"expected a section with a name, one of: {known}")
        return _known_class(package, name).model_validate(value)

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
            raise ValueError(f"expected a mapping of component names, got {value!r}")
        fields: dict[str, Any] = {str(name): (_entry(package, str(name)), ...) for name in value}
        model = create_model("Components", __base__=Section, **fields)
        parsed = model.model_validate({str(name): entry for name, entry in value.items()})
        return {name: getattr(parsed, name) for name in fields}

    return Annotated[Mapping[str, SerializeAsAny[ComponentParams]], PlainValidator(parse)]


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


def _refuse_duplicates(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    """Build a mapping, refusing a key that stands twice (PyYAML would silently keep the last)."""
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} stands twice", key_node.start_mark
            )
        seen.add(key)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that refuses duplicate keys; in C where PyYAML was built with libyaml."""


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _refuse_duplicates)


def load_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        ParamsError: Missing, not YAML, a key that stands twice, or not a mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    except FileNotFoundError as error:
        raise ParamsError(f"{path}: no such file; `make use PRESET=emodb` writes one") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: expected a mapping of sections, got {type(content).__name__}")
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
    params_class = create_model("Entry", __base__=Section, **{name: (_entry(package, name), ...)})  # type: ignore[call-overload]
    parsed = parse({name: entries[name]}, params_class, where=f"{where}, section {section},")
    entry: ComponentParams = getattr(parsed, name)
    return entry


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
    """Return one line per error: its path, the rule, the value."""
    lines = []
    for item in error.errors(include_url=False):
        path = ".".join(str(part) for part in item["loc"]) or "(top level)"
        message = item["msg"].removeprefix("Value error, ")
        shown = "" if item["type"] == "missing" else f", got {item['input']!r}"
        lines.append(f"  {path}: {message}{shown}")
    return "\n".join(lines)
