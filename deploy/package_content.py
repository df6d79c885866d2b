"""The packages of requirements.txt in the zip that Chalice builds.

If pip finds no wheel for the function's Python and architecture, Chalice prints that and builds the
zip without the package. Every request would fail.
"""

from __future__ import annotations

from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from deploy import chalice_config, function_settings
from deploy.errors import DeploymentError

REQUIREMENTS = Path("requirements.txt")
VALIDATOR = Requirement("jsonschema-rs")
"""The package that PROFILE_SCHEMA needs."""
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
"""platform_machine on each architecture of Lambda."""


def check(stage: str, archive: Path) -> None:
    """Refuse and delete a zip that lacks a package which the stage needs.

    Chalice would use the zip again otherwise. Raises DeploymentError.
    """
    requirements = read_requirements(REQUIREMENTS.read_text(encoding="utf-8"))
    if chalice_config.environment(stage).get("PROFILE_SCHEMA"):
        requirements.append(VALIDATOR)
    architecture = function_settings.architecture(stage)
    missing = missing_packages(archive, requirements, MACHINES[architecture])
    if not missing:
        return
    archive.unlink()
    version = function_settings.running_python()
    raise DeploymentError(
        f"the package was refused: it lacks {', '.join(missing)}, which {REQUIREMENTS} or a "
        f"package in it needs. Chalice found no wheel for Python {version} on {architecture}; "
        f"pip's reason may be above. Choose another version of the package, or set "
        f"lambda_python_version or lambda_architecture in {chalice_config.FILE} to one that has a "
        "wheel."
    )


def missing_packages(archive: Path, requirements: list[Requirement], machine: str) -> list[str]:
    """Return the packages that a zip lacks of those required, and of those that they require.

    `machine` is the function's platform_machine.
    """
    packaged = {
        canonicalize_name(found.name): found
        for found in distributions(path=[str(archive)])
        if found.read_text("METADATA")  # of the packages in vendor/, only licences are in the zip
    }
    missing: set[str] = set()
    checked: set[str] = set()
    to_check = [found for found in requirements if _applies(found, machine)]
    while to_check:
        requirement = to_check.pop()
        if str(requirement) in checked:
            continue
        checked.add(str(requirement))
        distribution = packaged.get(canonicalize_name(requirement.name))
        if distribution is None:
            missing.add(canonicalize_name(requirement.name))
        else:
            to_check += _dependencies(distribution, requirement, machine)
    return sorted(missing)


def read_requirements(text: str) -> list[Requirement]:
    """Return the packages that a requirements file names. Options, paths and URLs are left out."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        specifier = line.partition(" #")[0].partition(" --hash")[0].strip()
        if not specifier or specifier.startswith(("#", "-")):
            continue
        try:
            found.append(Requirement(specifier))
        except InvalidRequirement:
            continue  # a path or a URL, whose package's name is not known here
    return found


def _dependencies(
    distribution: Distribution, requirement: Requirement, machine: str
) -> list[Requirement]:
    """Return what a package requires on Lambda, with the extras of the requirement."""
    dependencies = [Requirement(text) for text in distribution.requires or ()]
    extras = {"", *requirement.extras}
    return [
        dependency
        for dependency in dependencies
        if any(_applies(dependency, machine, extra) for extra in extras)
    ]


def _applies(requirement: Requirement, machine: str, extra: str = "") -> bool:
    """Return whether Lambda needs a requirement, such as `x ; sys_platform == 'linux'`."""
    on_lambda = {
        "extra": extra,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_system": "Linux",
        "sys_platform": "linux",
    }
    return requirement.marker is None or requirement.marker.evaluate(on_lambda)
