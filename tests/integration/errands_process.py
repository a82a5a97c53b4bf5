"""The process errands by itself, for tests that kill it: errands_process.py INSTANCE_HOME HOME PORT_BASE. It logs in to
the broker of the instance, and keeps its own files in HOME."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from andon import instance as instances
from errands.main import run

if __name__ == "__main__":
    instance_home, home, port_base = sys.argv[1:]
    instance = instances.load(Path(instance_home))
    run(replace(instance, home=Path(home), port_base=int(port_base)))
