"""Tools for a developer's machine: the local AWS, deployment to it, the demo. Nothing here is deployed.

``python -m local --help`` lists the commands.
"""
