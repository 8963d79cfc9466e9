"""Build a recipe and run its tests: ``python -m ...realconda.rattler RECIPE CHANNEL OUTPUT``.

By py-rattler-build, as conda-forge and conda-build do; everything it needs comes
from the one channel.
"""

from __future__ import annotations

import os
import sys

from rattler_build import Package, RattlerBuildError, Stage0Recipe, VariantConfig
from rattler_build.progress import SimpleProgressCallback


def build(recipe: str, channel: str, output: str) -> list[str]:
    """Build a recipe's package in each of its variants and return their paths.

    Args:
        recipe: The directory with ``recipe.yaml`` and ``variants.yaml``.
        channel: The URL of the channel.
        output: The directory of a channel that the package is written to.

    Raises:
        RattlerBuildError: It cannot be built.
    """
    variants = VariantConfig.from_file(os.path.join(recipe, "variants.yaml"))
    parsed = Stage0Recipe.from_file(os.path.join(recipe, "recipe.yaml"))
    built = [
        variant.run_build(
            output_dir=output, channels=[channel], progress_callback=SimpleProgressCallback()
        )
        for variant in parsed.render(variants)
    ]
    return [str(path) for one in built for path in one.packages]


def failed_tests(path: str, channel: str) -> list[str]:
    """Run the tests that a package has in it and return of each that fails how it ended.

    Raises:
        RattlerBuildError: One of them could not be run.
    """
    package = Package.from_file(path)
    if not package.test_count:
        return ["there are none"]
    callback = SimpleProgressCallback()
    results = [
        package.run_test(index, channel=[channel], progress_callback=callback)
        for index in range(package.test_count)
    ]
    return [f"{one.test_index}: {one.output[-1]}" for one in results if not one.success]


def main(recipe: str, channel: str, output: str) -> int:
    """Build, test and say how it went."""
    try:
        failed = {
            os.path.basename(path): failed_tests(path, channel)
            for path in build(recipe, channel, output)
        }
    except RattlerBuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for name, tests in failed.items():
        if tests:
            sys.stderr.write(f"Failed tests of {name}:\n" + "\n".join(tests) + "\n")
    return 1 if any(failed.values()) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
