"""Frozen values that are quick to make are as any other dataclass."""

import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from crmbridge.engine.rules.case import Case
from crmbridge.engine.subject import Subject
from crmbridge.model.findings import Evaluation, Visit
from crmbridge.model.quick import quick
from crmbridge.model.records import Move, Record
from crmbridge.services.evaluating import Evaluated


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """A value as Python makes it."""

    one: int
    two: str = "two"
    many: list[int] = field(default_factory=list)
    own: dict[str, int] = field(default_factory=dict, init=False, compare=False)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """The same."""

    one: int
    two: str = "two"
    many: list[int] = field(default_factory=list)
    own: dict[str, int] = field(default_factory=dict, init=False, compare=False)


@pytest.mark.parametrize("given", [{"one": 1}, {"two": "b", "one": 2}, {"one": 3, "many": [4]}])
def test_it_holds_what_the_usual_one_holds(given: dict[str, object]) -> None:
    """With defaults, and with what is made anew for each."""
    usual, made, another = Usual(**given), Quick(**given), Quick(**given)  # type: ignore[arg-type]

    assert [getattr(usual, each.name) for each in fields(usual)] == [getattr(made, each.name) for each in fields(made)]
    assert repr(usual).replace("Usual", "Quick") == repr(made)
    assert (made, hash_of(usual)) == (another, hash_of(made))
    assert made.own is not another.own


def hash_of(value: object) -> str:
    """Say whether a value has a hash, which one with a list has not."""
    try:
        return type(hash(value)).__name__
    except TypeError as error:
        return str(error)


@pytest.mark.parametrize("given", [{}, {"one": 1, "three": 3}, {"one": 1, "own": {}}])
def test_it_refuses_what_the_usual_one_refuses(given: dict[str, object]) -> None:
    """What is missing, what there is no field for, and what can't be given."""
    with pytest.raises(TypeError) as usual:
        Usual(**given)  # type: ignore[arg-type]
    with pytest.raises(TypeError) as made:
        Quick(**given)  # type: ignore[arg-type]

    assert str(usual.value).replace("Usual", "Quick") == str(made.value)


def test_it_stays_as_it_is() -> None:
    """It can't be changed; it can be replaced and pickled."""
    made = Quick(one=1, many=[2])

    with pytest.raises(FrozenInstanceError):
        made.one = 2  # type: ignore[misc]
    assert Quick(one=1, two="b", many=[2]) == replace(made, two="b")
    assert made == pickle.loads(pickle.dumps(made))  # noqa: S301  our own


@pytest.mark.parametrize("known", [Record, Move, Visit, Evaluation, Case, Subject, Evaluated])
def test_every_field_is_given_by_name(known: type) -> None:
    """`quick` takes no other ones, and does nothing after a value is made."""
    of: object = known
    named = {each.name for each in fields(of) if each.init}  # type: ignore[arg-type]
    parameters = inspect.signature(known).parameters

    assert named == parameters.keys()
    assert {inspect.Parameter.KEYWORD_ONLY} == {each.kind for each in parameters.values()}
    assert not hasattr(known, "__post_init__")
