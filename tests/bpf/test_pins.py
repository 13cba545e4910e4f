"""Directories of pins: whose they are, and what is done when somebody takes their place."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from landfast_agent import pins
from landfast_agent.errors import Unavailable
from landfast_agent.instance import Instance
from tests.testbed.leftovers import remove_instance
from tests.testbed.names import owned


@pytest.fixture
def instance() -> Iterator[Instance]:
    made = Instance(owned("t"))
    yield made
    remove_instance(made.name)


def test_pins_belong_to_nobody(instance: Instance) -> None:
    pins.make(instance.pins / "links", instance)
    for directory, mode in ((instance.pins, 0o755), (instance.pins / "links", 0o700)):
        found = directory.stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (pins.NOBODY, pins.NOBODY, mode)


def test_a_symbolic_link_is_not_followed(instance: Instance, tmp_path: Path) -> None:
    os.symlink(tmp_path, instance.pins)
    with pytest.raises(Unavailable, match="is a symbolic link"):
        pins.make(instance.pins / "links", instance)
    instance.pins.unlink()
    assert not list(tmp_path.iterdir())
    assert tmp_path.stat().st_uid == os.getuid()


def test_what_was_renamed_is_brought_back_and_an_impostor_makes_room(instance: Instance) -> None:
    pins.make(instance.pins / "links", instance)
    assert pins.moved(instance) is None
    away = instance.pins.parent.with_name(f"{instance.name}-away")
    away.mkdir()
    os.chown(away, pins.NOBODY, pins.NOBODY)
    instance.pins.rename(away / instance.name)
    (instance.pins / "links" / "impostor").mkdir(parents=True)
    assert pins.moved(instance) == away / instance.name
    pins.bring_back(away / instance.name, instance)
    assert pins.moved(instance) is None
    assert (instance.pins / "links").is_dir()
    assert not away.exists()
    (impostor,) = instance.pins.parent.glob(f"{instance.name}-*")
    assert list(impostor.glob("*/*")) == [impostor / "links" / "impostor"]
    remove_instance(impostor.name)
