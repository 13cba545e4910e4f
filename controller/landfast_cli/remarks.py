"""What a reviewer should see in a policy file, beside what is wrong with it."""

import time
from collections import Counter
from typing import Any

import click
import msgspec

from landfast.policy.lint import TOLD_BY_READER, Remark, lint
from landfast.policy.model import Draft, Policy
from landfast.policy.source import Source
from landfast_cli import output

#: Of one kind that people are shown; programs get all.
_SHOWN = 10


def new(policy: Draft | Policy, before: Policy | None) -> list[Remark]:
    """Remarks that do not apply to `before` already."""
    now = time.time()
    known = set(lint(before, now)) if before else set()
    return [remark for remark in lint(policy, now) if remark not in known]


def of(source: Source, before: Policy | None = None) -> list[Remark]:
    """The same in the order of the file, without what its reader warns of."""
    found = (remark for remark in new(source.draft, before) if remark.kind not in TOLD_BY_READER)
    return sorted(found, key=lambda remark: source.finding(remark).line)


def warn(source: Source, remarks: list[Remark]) -> None:
    """Says on standard error what reading the file has found, and the first remarks of every kind."""
    for warning in source.warnings:
        click.echo(f"warning: {warning}", err=True)
    told: Counter[str] = Counter()
    for remark in remarks:
        told[remark.kind] += 1
        if told[remark.kind] <= _SHOWN:
            click.echo(f"warning: {source.finding(remark)}", err=True)
    for kind, count in told.items():
        if count > _SHOWN:
            output.note(f"{count - _SHOWN} more warnings about {kind}; --json has all")


def documents(source: Source, remarks: list[Remark]) -> list[Any]:
    """Every warning; those of reading the file are of the kind `file`."""
    read = [msgspec.to_builtins(warning) | {"kind": "file"} for warning in source.warnings]
    return read + [msgspec.to_builtins(source.finding(each)) | {"kind": str(each.kind)} for each in remarks]
