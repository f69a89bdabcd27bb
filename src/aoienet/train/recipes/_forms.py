"""Other forms of a Recipe: overrides in words, plain values, a TOML file."""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aoienet.train.recipes._flat import is_flat, nested
from aoienet.train.recipes._groups import Recipe, flat, hint

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SWITCH = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}


def override(recipe: Recipe, overrides: Iterable[str]) -> Recipe:
    """Replace fields; the type of the field decides how the text is read. Raises ValueError: unknown key, unreadable value."""
    values: dict[str, Any] = {}
    known = [key for key in flat(recipe) if key not in ("name", "classes")]
    for item in overrides:
        key, equals, text = item.partition("=")
        if not equals:
            raise ValueError(f"an override is written key=value, got {item!r}")
        if key not in known:
            raise ValueError(f"unknown recipe key {key!r}{hint(key, known)}")
        values[key] = _read(key, _type_of(recipe, key), text)
    return _replaced(recipe, values)


def recipe_dict(recipe: Recipe) -> dict:
    """A Recipe as plain values, nested as it is."""
    return typing.cast(dict, _plain(dataclasses.asdict(recipe)))


def recipe_from(document: Mapping[str, Any]) -> Recipe:
    """A Recipe out of its plain form; keys that are younger than the document have their defaults.

    Raises    ValueError: keys that this version does not know.
    """
    return _built(Recipe, nested(document) if is_flat(document) else document, "")


def same_recipe(before: Recipe, now: Recipe) -> None:
    """Raises ValueError with what differs; a recipe may have another name."""
    old, new = flat(before), flat(now)
    changed = [key for key in new if old[key] != new[key] and key != "name"]
    if changed:
        how = "; ".join(f"{k}: {old[k]} before, {new[k]} now" for k in changed)
        advice = "the run would not be the same; give the same recipe or another --out"
        raise ValueError(f"another recipe than that of the stored run: {', '.join(changed)} differ ({how}): {advice}")


def to_toml(recipe: Recipe) -> str:
    """Everything that the recipe says; what is None is left out."""
    values, groups = [], []
    for key, value in recipe_dict(recipe).items():
        if isinstance(value, dict):
            lines = [f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in value.items() if v is not None]
            groups += ["", f"[{key}]", *lines]
        else:
            values.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join([*values, *groups, ""])


def read_toml(path: Path) -> Recipe:
    """The recipe that `to_toml` wrote, or that a person did. Raises ValueError: no TOML, unknown keys, values of another type."""
    if path.is_dir():
        raise IsADirectoryError(
            f"--config names a file; received the folder {path}; next: --config {path / 'recipe.toml'}"
        )
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; --config names a recipe.toml, as every run folder has one")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is no TOML file: {error}; next: --config with the recipe.toml of a run folder"
        ) from error
    missing = [key for key in ("name", "model", "classes", "data") if key not in document]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}; a run folder's recipe.toml has all that a recipe needs")
    try:
        return recipe_from(document)
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from error


def _type_of(recipe: Any, key: str) -> Any:
    *groups, name = key.split(".")
    for group in groups:
        recipe = getattr(recipe, group)
    return typing.get_type_hints(type(recipe))[name]


def _read(key: str, kind: Any, text: str) -> Any:
    """The text as a value of that type; "none" where None is allowed; a tuple is written with commas."""
    if isinstance(kind, types.UnionType):
        if text.lower() == "none":
            return None
        (kind,) = (k for k in typing.get_args(kind) if k is not types.NoneType)
    try:
        if kind is bool:
            return SWITCH[text.lower()]
        if typing.get_origin(kind) is tuple:
            item = typing.get_args(kind)[0]
            return tuple(item(part) for part in text.split(",") if part)
        return kind(text)
    except (ValueError, KeyError) as error:
        name = getattr(kind, "__name__", str(kind))
        wanted = {"bool": "on or off", "tuple": "values with commas between them"}.get(name, f"a value of type {name}")
        raise ValueError(f"{key} takes {wanted}, got {text!r}") from error


def _replaced(part: Any, values: Mapping[str, Any]) -> Any:
    """A copy with other values, keys as in `flat`; checked once, when all are in place."""
    own = {key: value for key, value in values.items() if "." not in key}
    for group in {key.partition(".")[0] for key in values if "." in key}:
        inner = {key.partition(".")[2]: v for key, v in values.items() if key.startswith(f"{group}.")}
        own[group] = _replaced(getattr(part, group), inner)
    return dataclasses.replace(part, **own)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _built(kind: Any, document: Mapping[str, Any], prefix: str) -> Any:
    types_of = typing.get_type_hints(kind)
    unknown = sorted(prefix + key for key in set(document) - set(types_of))
    if unknown:
        raise ValueError(
            f"the stored recipe has unknown keys ({', '.join(unknown)}): another version of aoienet wrote it; use that one"
        )
    values = {}
    for key, value in document.items():
        if dataclasses.is_dataclass(types_of[key]):
            value = _built(types_of[key], value, f"{prefix}{key}.")
        values[key] = _checked(prefix + key, types_of[key], value)
    return kind(**values)


def _checked(key: str, kind: Any, value: Any) -> Any:
    """A stored value as the field has it: lists become tuples, whole numbers may stand for floats. Raises ValueError."""
    if dataclasses.is_dataclass(kind):
        return value
    allowed = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if typing.get_origin(kind) is tuple and isinstance(value, (list, tuple)):
        item = typing.get_args(kind)[0]
        return tuple(_checked(f"{key}[{i}]", item, v) for i, v in enumerate(value))
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) not in allowed:
        wanted = " or ".join(getattr(k, "__name__", str(k)) for k in allowed)
        raise ValueError(f"{key} is a {wanted}; received {value!r}")
    return value
