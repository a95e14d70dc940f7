"""`mlworkflow review [BASE] [CANDIDATE]`: one page that says whether the model got better, for people and for CI."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlworkflow.core import io
from mlworkflow.measures.compare import BETTER, WORSE
from mlworkflow.reviewing.compared import NOT_COMPARABLE
from mlworkflow.reviewing.files import Files
from mlworkflow.reviewing.review import Review, review
from mlworkflow.reviewing.revisions import WORKSPACE, Revision, base_of, revision

tell = partial(print, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Wanted:
    """What is to become of a review.

    Attributes:
        markdown: the file for a pull request's comment.
        html: the file for the page.
        json: whether to print JSON instead of text.
        fail_on: when the exit code is 1: worse, not-better, never.
        reproduce: whether a side without predictions is run again, in a worktree of its own.
        time: whether both models are timed here.
    """

    markdown: Path | None = None
    html: Path | None = None
    json: bool = False
    fail_on: str = "worse"
    reproduce: bool = False
    time: bool = False


def command(base: str | None, candidate: str | None, wanted: Wanted) -> int:
    """Show the review; return 0, 1 where the policy says so, 2 where nothing can be compared.

    Raises:
        ReviewError: a revision is not there, or its results are not to be had.
    """
    made = reviewed(base, candidate, reproduce=wanted.reproduce, time=wanted.time)
    _write(made, wanted)
    if made.word == NOT_COMPARABLE:
        return 2
    failing = {"worse": made.word == WORSE, "not-better": made.word != BETTER, "never": False}
    return int(failing[wanted.fail_on])


def reviewed(base: str | None, candidate: str | None, *, reproduce: bool = False, time: bool = False) -> Review:
    """Return the review of two revisions; by default of the workspace against the recorded baseline."""
    from mlworkflow.reviewing.side import side
    from mlworkflow.reviewing.timing import timed

    root = Path.cwd()
    revisions = [
        base_of(root) if base is None else revision(root, base),
        revision(root, WORKSPACE if candidate is None else candidate),
    ]
    with _files(root, revisions, reproduce) as files:
        sides = [side(each) for each in files]
        made = review(sides[0], sides[1], root)
        return timed(made, sides[0], sides[1]) if time else made


def first_lines(base: str, candidate: str) -> str:
    """Return the word with the metric, and below it the sentence of a review, for a commit's message."""
    made = reviewed(base, candidate)
    line = made.lines[0] if made.lines else None
    told = f", {line.name} {line.base:.4g} -> {line.candidate:.4g}" if line and line.difference else ""
    return f"{made.word}{told}\n\n{made.sentence}"


@contextmanager
def _files(root: Path, revisions: list[Revision], reproduce: bool) -> Iterator[list[Files]]:
    from contextlib import ExitStack

    from mlworkflow.reviewing.again import run_again

    with ExitStack() as stack:
        found = []
        for each in revisions:
            files = Files(root, each, tell)
            if reproduce and not files.complete():
                files = stack.enter_context(run_again(files, tell))
            found.append(files)
        yield found


def _write(made: Review, wanted: Wanted) -> None:
    from mlworkflow.reviewing import words

    print(json.dumps(made.to_dict(), indent=2, default=str) if wanted.json else words.text(made), flush=True)
    if wanted.markdown:
        io.write_text(words.markdown(made), wanted.markdown)
    if wanted.html:
        from mlworkflow.reviewing import page  # with its charts, which take time to import

        io.write_text(page.page(made), wanted.html)
