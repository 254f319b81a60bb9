"""Synthesis and deployment to a running local AWS, by the CDK's own command line and the very stacks of production."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from local import tools
from local.console import Failure, step
from local.ministack import ACCOUNT, CREDENTIALS, REGION, Instance

STAGE: Final = "local"
STACKS: Final = ("regulars-local-state", "regulars-local-service")
MAIL_DOMAIN: Final = "regulars.example"
"""Tenants of a local stage may send e-mail from every address of this domain and of those below it."""
_ASSEMBLIES: Final = tools.HOME / "assemblies"
_KEPT_ASSEMBLIES: Final = 3
_SOURCES: Final = ("app.py", "cdk.json", "requirements.txt", "requirements-media.txt", "requirements-snapshots.txt")
_SOURCE_FOLDERS: Final = ("infra", "functions", "shared")


def fingerprint() -> str:
    """Of everything that a deployment is made from. Equal means that there is nothing to deploy."""
    digest = hashlib.sha256(sys.version.encode())
    files = [tools.ROOT / name for name in _SOURCES]
    for folder in _SOURCE_FOLDERS:
        files += sorted(file for file in (tools.ROOT / folder).rglob("*") if file.suffix in {".py", ".json"})
    for file in files:
        digest.update(f"{file.relative_to(tools.ROOT)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def synthesise() -> Path:
    """The cloud assembly of the local stage, made once per content."""
    with _locked("synth"):
        assembly = _ASSEMBLIES / fingerprint()
        if (assembly / "manifest.json").exists():
            assembly.touch()
            return assembly
        unfinished = assembly.with_name("unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        context = json.dumps({"stage": STAGE})
        # The template's rules are checked by the infra tests; here they would be most of the time.
        env = tools.environment(CDK_OUTDIR=str(unfinished), CDK_CONTEXT_JSON=context, CDK_VALIDATION="false")
        done = subprocess.run([str(tools.venv_python()), "app.py"], cwd=tools.ROOT, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            remedy = "The last lines above name the construct. `make infra` tells more."
            raise Failure(f"the stacks do not synthesise:\n{_tail(done.stderr)}", remedy)
        unfinished.rename(assembly)
        for old in sorted(_ASSEMBLIES.iterdir(), key=lambda folder: folder.stat().st_mtime)[:-_KEPT_ASSEMBLIES]:
            shutil.rmtree(old, ignore_errors=True)
        return assembly


def deploy(instance: Instance) -> dict[str, str]:
    """Make the instance run what the sources say. The stacks' outputs, with ``ApiUrl`` as it is reached here.

    Seconds when there is nothing to do: then neither synthesis nor CDK is started.
    """
    verify_sender(instance.client("sesv2"))
    record = instance.home / "outputs.json"
    wanted = fingerprint()
    if _is_deployed(instance, record, wanted):
        return outputs_of(instance)
    with step("synthesise the stacks"):
        assembly = synthesise()
    if not _stacks_exist(instance, ("CDKToolkit",)):
        with step("prepare the account (cdk bootstrap)"):
            _cdk(instance, "bootstrap", f"aws://{ACCOUNT}/{REGION}", "--app", "")
    raw = instance.home / "cdk-outputs.json"
    with step("deploy the stacks (cdk deploy)"):
        options = ("--require-approval", "never", "--method", "direct", "--outputs-file", str(raw))
        _cdk(instance, "deploy", "--all", "--app", str(assembly), *options)
    outputs: dict[str, str] = {}
    for stack in json.loads(raw.read_text()).values():
        outputs |= {name: value for name, value in stack.items() if not name.startswith("ExportsOutput")}
    record.write_text(json.dumps({"fingerprint": wanted, "outputs": outputs}, indent=2))
    return outputs_of(instance)


def verify_sender(ses: Any, domain: str = MAIL_DOMAIN) -> None:
    """Verify the domain that e-mail comes from, which SES of a new account asks for, too. Where it is verified, nothing changes."""
    if domain not in {each["IdentityName"] for each in ses.list_email_identities()["EmailIdentities"]}:
        ses.create_email_identity(EmailIdentity=domain)


def outputs_of(instance: Instance) -> dict[str, str]:
    """What the last deployment to the instance gave, without deploying."""
    try:
        outputs: dict[str, str] = json.loads((instance.home / "outputs.json").read_text())["outputs"]
    except FileNotFoundError:
        raise Failure("nothing is deployed yet", "Run `make up`.") from None
    return {**outputs, "ApiUrl": f"{instance.endpoint}/_aws/execute-api/{outputs['ApiId']}", "Endpoint": instance.endpoint}


def operator_key(instance: Instance, outputs: dict[str, str]) -> str:
    """The operator's API key in its printable form, read from the deployed secret."""
    secret: Any = instance.client("secretsmanager")
    value = secret.get_secret_value(SecretId=outputs["OperatorSecretArn"])["SecretString"]
    return f"lyk_operator-root_{value}"


def _is_deployed(instance: Instance, record: Path, wanted: str) -> bool:
    if not record.exists() or json.loads(record.read_text())["fingerprint"] != wanted:
        return False
    return _stacks_exist(instance, STACKS)


def _stacks_exist(instance: Instance, names: tuple[str, ...]) -> bool:
    cloudformation: Any = instance.client("cloudformation")
    stacks = cloudformation.describe_stacks()["Stacks"]
    complete = {stack["StackName"] for stack in stacks if stack["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}}
    return complete.issuperset(names)


def _cdk(instance: Instance, *arguments: str) -> None:
    env = tools.environment(
        **CREDENTIALS,
        AWS_ENDPOINT_URL=instance.endpoint,
        AWS_EC2_METADATA_DISABLED="true",
        CDK_DISABLE_CLI_TELEMETRY="1",
        CI="true",
    )
    if not tools.CDK_SCRIPT.exists():
        raise Failure("the tools of this checkout are not installed", "Run `make setup` (`make up` and `make demo` do it by themselves).")
    log = instance.home / "cdk.log"
    command = [*tools.cdk(), *arguments, "--no-notices", "--no-color", "--output", str(instance.home / "cdk.out")]
    with log.open("a") as sink:
        done = subprocess.run(
            command, cwd=instance.home, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        text = _tail(log.read_text())
        raise Failure(f"cdk {arguments[0]} failed:\n{text}", f"Whole log: {log}\nLog of the local AWS: {instance.log}")


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-15:])


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """One at a time on this machine: two runs may share the folders of the build."""
    _ASSEMBLIES.mkdir(parents=True, exist_ok=True)
    with (tools.HOME / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
