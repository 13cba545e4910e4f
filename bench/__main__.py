"""python -m bench [--quick] [--json] [--write]: what `make bench` runs."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from bench import conditions, stage
from bench.contest import contestants
from bench.measure import Plan, measure, prove
from bench.ours import Ours
from bench.replacement import replace_nftables, replace_ours
from bench.report import Report, as_json, as_markdown, show
from bench.rivals import Rivals
from bench.targets import targets
from landfast_agent.instance import Instance
from tests.testbed import owned
from tests.testbed.leftovers import mine, remove_leftovers
from tests.testbed.processes import end_on_sigterm

_INSTANCE = "bench"
_PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_QUICK, _FULL = Plan(rounds=2, slices=40, replacements=2), Plan(rounds=15, slices=200, replacements=7)


@click.command()
@click.option("--quick", is_flag=True, help="A rough look in a minute or two, for development; never rejected.")
@click.option("--json", "as_data", is_flag=True, help="Print the results as JSON.")
@click.option("--write", is_flag=True, help=f"Write docs/{_PAGE.name}, unless the run is rejected.")
def main(quick: bool, as_data: bool, write: bool) -> None:
    """Measures what Landfast costs, beside nothing, programs that do nothing, nftables and ipset.

    Exit status: 0 measured (targets may be missed), 1 the run was disturbed and is rejected.
    """
    if os.geteuid() != 0:
        raise click.ClickException("must be root: sudo make bench")
    if quick and write:
        raise click.UsageError("--quick measures too little to be written down: leave one of --quick and --write out")
    remove_leftovers(stage.NAME, _INSTANCE)
    end_on_sigterm()
    try:
        sys.exit(_bench(_QUICK if quick else _FULL, as_data, write, lenient=quick))
    finally:
        remove_leftovers(stage.NAME, _INSTANCE, mine)


def _bench(plan: Plan, as_data: bool, write: bool, lenient: bool) -> int:
    progress = Console(stderr=True, highlight=False)
    with progress.status("setting up") as status:
        report = _measure(plan, status.update)
    if as_data:
        click.echo(json.dumps(as_json(report), indent=2))
    else:
        show(report)
    if report.disturbances and not lenient:
        return 1
    if write:
        _PAGE.write_text(as_markdown(report))
        progress.print(f"written: {_PAGE}")
    return 0


def _measure(plan: Plan, say: Callable[[str], None]) -> Report:
    observed = conditions.observe()
    name = owned(_INSTANCE)
    directory = Instance(name).run  # removed with the instance, also when this run is killed
    directory.mkdir(parents=True, mode=0o700)
    with stage.Stage(directory) as made:
        ours, rivals = Ours(name), Rivals(made, directory)
        configurations = contestants(made, ours, rivals)
        prove(made, configurations)
        results = measure(made, configurations, plan, say)
        disturbances = [*results.disturbances(), *ours.disturbances()]
        say("replacing 100,000 prefixes")
        replacements = [replace_ours(made, ours, plan.replacements), replace_nftables(made, rivals, plan.replacements)]
    return Report(observed, plan, results, replacements, targets(results, replacements), disturbances)


if __name__ == "__main__":
    main()
