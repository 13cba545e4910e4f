"""python -m bench.log [--quick] [--json] [--write]: what `make bench-log` runs."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from bench import conditions
from bench.log.contest import Plan, measure
from bench.log.report import Report, as_json, as_markdown, show
from tests.testbed.processes import end_on_sigterm

_PAGE = Path(__file__).parents[2] / "docs" / "benchmarks-log.md"
_WHOLE, _QUICK = Plan(rounds=16, seconds=12, verifications=5), Plan(rounds=4, seconds=4, verifications=2)


@click.command()
@click.option("--quick", is_flag=True, help="A rough look in less than a minute.")
@click.option("--json", "as_data", is_flag=True, help="Print the results as JSON.")
@click.option("--write", is_flag=True, help=f"Write docs/{_PAGE.name}, unless the run is rejected.")
def main(*, quick: bool, as_data: bool, write: bool) -> None:
    """Measures what the log costs, beside a server that keeps nothing, and how soon it proves.

    Exit status: 0 measured (targets may be missed), 1 the run was disturbed and is rejected.
    """
    end_on_sigterm()
    plan, observed, progress = _QUICK if quick else _WHOLE, conditions.observe(), Console(stderr=True)
    with progress.status("setting up") as status:
        results = measure(plan, status.update)
    report = Report(observed, plan, results, results.disturbances())
    if as_data:
        click.echo(json.dumps(as_json(report), indent=2))
    else:
        show(report)
    if report.disturbances:
        sys.exit(1)
    if write:
        _PAGE.write_text(as_markdown(report))
        progress.print(f"written: {_PAGE}")


if __name__ == "__main__":
    main()
