"""All of `andon playbook`: each module adds its commands to the one app."""

from andon import playbook_deploy_cli, playbook_dry_cli, playbook_new_cli, playbook_try_cli
from andon.playbook_cli import app

__all__ = ["app", "playbook_deploy_cli", "playbook_dry_cli", "playbook_new_cli", "playbook_try_cli"]
