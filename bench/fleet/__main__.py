"""python -m bench.fleet [--hosts N] [--prefixes N] [--rounds N] [--json] [--write]: what `make bench-fleet` runs."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from bench import conditions
from bench.fleet.contest import Plan, measure
from bench.fleet.report import Report, as_json, as_markdown, show
from tests.testbed.processes import end_on_sigterm

_PAGE = Path(__file__).parents[2] / "docs" / "benchmarks-fleet.md"


@click.command()
@click.option("--hosts", type=click.IntRange(min=1), default=1000, show_default=True, help="How many are simulated.")
@click.option("--prefixes", type=click.IntRange(min=2), default=1000, show_default=True, help="Of each policy.")
@click.option("--rounds", type=click.IntRange(min=2), default=20, show_default=True, help="Policies to be proved.")
@click.option("--json", "as_data", is_flag=True, help="Print the results as JSON.")
@click.option("--write", is_flag=True, help=f"Write docs/{_PAGE.name}, unless the run is rejected.")
def main(*, hosts: int, prefixes: int, rounds: int, as_data: bool, write: bool) -> None:
    """Measures how soon a fleet has proved a new policy, beside a bare broadcast of the same bytes.

    Exit status: 0 measured (the target may be missed), 1 the run was disturbed and is rejected.
    """
    end_on_sigterm()
    plan, observed, progress = Plan(hosts, prefixes, rounds), conditions.observe(), Console(stderr=True)
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
