"""`make tour`: twelve simulated months of a model in use, in a clone of this repository; a timeline and a page."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from mlworkflow.core import io
from mlworkflow.core.errors import ProjectError
from mlworkflow.core.processes import stoppable
from mlworkflow.touring.page import named, page
from mlworkflow.touring.story import Event, Told, Year, cloned
from mlworkflow.touring.world import Setting

FOLDER = Path(".mlworkflow/tour")
PAGE = "tour.html"


def tour(setting: Setting, folder: Path) -> Told:
    """Live through a year, tell it as it goes, and write the page. Raises TourError: a step ended as it must not."""
    began = time.monotonic()

    def tell(event: Event) -> None:
        print(f"{event.month}  {event.kind:<11}  {event.words}  [{time.monotonic() - began:.0f} s]", flush=True)

    print(f"A clone of this repository is made in {folder}; all that is typed there is in {folder / 'typed.txt'}.")
    year = Year(setting, cloned(Path(), folder), tell)
    told = year.live()
    turned = None if setting.turn is None else year.world.label(setting.turn)
    io.write_text(page(told, setting, turned), folder / PAGE)
    print(f"\nThe page: {folder / PAGE}")
    if turned:
        print(f"Customers began to leave for other reasons in {turned}; the monitor named {named(told)}.")
    return told


def main() -> int:
    """Run the tour; return the exit code."""
    parser = argparse.ArgumentParser(prog="make tour", description=__doc__)
    parser.add_argument("--customers", type=int, default=Setting.customers, help="a month")
    parser.add_argument("--months", type=int, default=Setting.months, help="that the model is in use")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the clone and the page are made")
    arguments = parser.parse_args()
    try:
        with stoppable():
            tour(Setting(customers=arguments.customers, months=arguments.months), arguments.folder.absolute())
    except ProjectError as error:
        print(f"make tour: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make tour: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
