"""Entry of the CDK's command line: ``cdk deploy --all -c stage=prod`` (the default), see README."""

from infra.application import build

build().synth()
