"""`make conformance`: runs techniques under runners, and reports what got out.

Exit status 0 when nothing escaped Landfast that is not documented, 1 when something did or a trial was broken,
2 usage.
"""

import argparse
import json
import sys
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from tests.conformance import build, report
from tests.conformance.campaign import Campaign
from tests.conformance.lab import PREFIX
from tests.conformance.results import Store, commit, gather, kernel
from tests.conformance.runners import INSTANCES, RUNNERS
from tests.conformance.technique import Technique, discover
from tests.conformance.trial import Outcome, Result
from tests.testbed.leftovers import remove_leftovers

_ROOT = Path(__file__).parents[2]

_EXAMPLES = """\
examples:
  python -m tests.conformance                                 everything, and docs/conformance.{md,json}
  python -m tests.conformance --runners landfast --only 'udp*' 'raw*'
  python -m tests.conformance --resume --slow 10 --results /vmout
  python -m tests.conformance --merge DIR                     results of other kernels into docs/
"""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tests.conformance", description=__doc__, epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("--only", nargs="+", metavar="GLOB", default=["*"], help="techniques to try, by name")
    add("--runners", type=_runners, metavar="R[,R...]", default=list(RUNNERS), help=f"of {', '.join(RUNNERS)}")
    add("--jobs", type=int, default=4, metavar="N", help="techniques side by side (default 4)")
    add("--slow", type=float, default=1, metavar="N", help="multiplies limits of time, for emulated machines")
    add(
        "--results",
        type=Path,
        default=_ROOT / "build/conformance/results",
        metavar="DIR",
        help="where results are kept",
    )
    add(
        "--resume",
        action="store_true",
        help="leave out what has a result for this kernel and commit, or is unchanged and has one for `none`",
    )
    add("--commit", default="", help="the commit that results are kept under, where git cannot tell")
    add("--json", type=Path, metavar="FILE", help="write the results of this kernel as JSON")
    add("--merge", type=Path, metavar="DIR", help="run nothing: take results from DIR into docs/conformance.{md,json}")
    add("--build", action="store_true", help="run nothing: compile the techniques")
    add("--list", action="store_true", help="run nothing: list the techniques")
    return parser.parse_args()


def _runners(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in RUNNERS:
            raise argparse.ArgumentTypeError(f"unknown runner {name!r}: use some of {', '.join(RUNNERS)}")
    return names


def _selected(globs: list[str]) -> list[Technique]:
    chosen = [each for each in discover() if any(fnmatch(each.name, glob) for glob in globs)]
    if not chosen:
        sys.exit(f"no technique is called {' or '.join(globs)}: --list tells the names")
    return chosen


def _try_all(args: argparse.Namespace, techniques: list[Technique], store: Store) -> None:
    """`none` first: only what escapes with nothing to confine it is tried under the others."""
    if args.resume:
        store.adopt("none", {each.name: build.digest(each) for each in techniques})
    for name in dict.fromkeys(["none", *args.runners]):
        free = store.of("none")
        wanted = techniques if name == "none" else [each for each in techniques if _escapes(free.get(each.name))]
        if args.resume or (name == "none" and name not in args.runners):
            wanted = [each for each in wanted if each.name not in store.of(name)]
        if wanted:
            _try(name, wanted, store, args)


def _escapes(result: Result | None) -> bool:
    return result is not None and result.outcome is Outcome.ESCAPED


def _try(name: str, techniques: list[Technique], store: Store, args: argparse.Namespace) -> None:
    print(f"\n{name}: {len(techniques)} techniques", flush=True)
    programs = {each.name: build.digest(each) for each in techniques}

    def tell(result: Result) -> None:
        kept = replace(_cannot(result) if name == "none" else result, program=programs.get(result.technique, ""))
        store.add(name, kept)
        if kept.outcome is not Outcome.WORKS:
            print(f"  {kept.technique:44} {kept.outcome:8} {kept.seconds:5.1f} s  {kept.said[:60]}", flush=True)

    Campaign(RUNNERS[name], store.where, tell, store.describe, args.jobs, args.slow).run(techniques)


def _cannot(result: Result) -> Result:
    """With nothing to confine it, a technique that does not get out cannot be judged here."""
    return replace(result, outcome=Outcome.CANNOT) if result.outcome is Outcome.HELD else result


def _report(args: argparse.Namespace, techniques: list[Technique], store: Store) -> int:
    facts = gather(args.results)[store.where.parent.name]
    outcomes = report.Outcomes(facts, techniques)
    print(f"\nLinux {facts['kernel']}, commit {facts['commit']}\n{report.table(outcomes)}")
    if args.json:
        args.json.write_text(json.dumps(facts, indent=1))
    if args.only == ["*"] and set(facts["runners"]) == set(RUNNERS):
        report.write(_ROOT / "docs", {facts["kernel"]: facts}, discover())
    failed = [line for line in report.failures(outcomes) if line.partition(":")[0] in ["none", *args.runners]]
    print("\n".join(["", *failed]) if failed else "")
    return 1 if failed else 0


def main() -> int:
    args = _arguments()
    techniques = _selected(args.only)
    if args.list:
        print("\n".join(f"{technique.name:44} {technique.title}" for technique in techniques))
        return 0
    if args.merge:
        report.write(_ROOT / "docs", gather(args.merge), discover())
        return 0
    build.build_all(techniques)
    if args.build:
        return 0
    remove_leftovers(PREFIX, INSTANCES)
    store = Store(args.results, kernel(), args.commit or commit())
    _try_all(args, techniques, store)
    return _report(args, techniques, store)


if __name__ == "__main__":
    sys.exit(main())
