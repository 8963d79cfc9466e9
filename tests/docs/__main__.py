"""``python -m tests.docs``: write anew what the documents show, from real runs.

The outputs below the commands in the documents, and the pictures in docs/images. It takes some
minutes. Look at what has changed before you commit it.
"""

from __future__ import annotations

import os
import sys
import tempfile

from tests.docs.blocks import as_built, documents, place_for_demo, read, rewritten, run, steps_of
from tests.docs.comparing import difference, is_laid_out_alike
from tests.docs.map_picture import draw_map
from tests.docs.sessions import printed_by, shown_in, with_outputs
from tests.docs.sets_picture import build_example, draw_sets
from tests.docs.terminal_picture import draw_terminal
from tests.support.realconda import demo
from tests.support.repository import TOP

PICTURES = {"report": "conda hardlinks report"}


def main() -> int:
    """Build a demo, run everything, and write the files."""
    with place_for_demo() as directory:
        built = demo.build(directory)
        for name, command in PICTURES.items():
            with as_built(built, []):
                printed = run(built, command, colour=True)
            _write(f"docs/images/{name}.svg", draw_terminal(name, command, printed))
        with as_built(built, []):
            _write("docs/images/map.svg", draw_map(built))
        for document in documents():
            if steps := steps_of(read(document)):
                with as_built(built, steps):
                    _rewrite(document, built)
            if shown := shown_in(read(document)):
                with as_built(built, []):
                    _rewrite_session(document, shown, printed_by(built, read(document)))
    with tempfile.TemporaryDirectory() as directory:
        _write("docs/images/accounting.svg", draw_sets(build_example(f"{directory}/example")))
    return 0


def _rewrite(document: str, built: demo.Installation) -> None:
    """Write the outputs of a document anew where they are not near enough to what is there."""
    shown = iter(steps_of(read(document)))

    def output_of(command: str) -> str:
        printed = run(built, command)
        before = next(shown).output
        is_the_same = not difference(before, printed) and is_laid_out_alike(before, printed)
        return before if is_the_same else printed

    _write(document, rewritten(read(document), output_of))


def _rewrite_session(document: str, shown: list[str], printed: list[str]) -> None:
    pairs = zip(shown, printed, strict=True)
    outputs = [now if difference(before, now) else before for before, now in pairs]
    _write(document, with_outputs(read(document), outputs))


def _write(path: str, text: str) -> None:
    with open(os.path.join(TOP, path), "w", encoding="utf-8") as file:
        file.write(text)
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    sys.exit(main())
