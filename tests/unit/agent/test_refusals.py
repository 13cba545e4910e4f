"""Refused policies as events."""

from landfast_agent.refusals import Refusals


def test_each_reason_is_told_once_and_then_counted() -> None:
    told: list[dict[str, str]] = []
    refusals = Refusals(lambda _kind, _text, fields: told.append(fields))
    for why in ["too old", *["unsigned"] * 23, "too old"]:
        refusals.add(why)
    assert told == [{"reason": "too old"}, {"reason": "unsigned"}]
    refusals.settle()
    assert told[2:] == [{"reason": "too old", "times": "1"}, {"reason": "unsigned", "times": "22"}]
    refusals.settle()
    refusals.add("unsigned")
    assert told[4:] == [{"reason": "unsigned"}]


def test_whoever_invents_reasons_does_not_fill_the_memory() -> None:
    told: list[dict[str, str]] = []
    refusals = Refusals(lambda _kind, _text, fields: told.append(fields))
    for number in range(1000):
        refusals.add(str(number))
    assert [each["reason"] for each in told] == list(map(str, range(1000))), "every attempt is an event"
    assert len(refusals._again) <= 64
