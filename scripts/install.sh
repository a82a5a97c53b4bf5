#!/bin/sh
# Make .venv from a lock file: scripts/install.sh LOCK. Uses the host's own package settings; says what is missing.
set -eu
cd "$(dirname "$0")/.."
lock=$1
UV=0.13.9

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "Andon needs Python 3.11 or newer as '$python'. Install it, or name it: make PYTHON=/path/to/python3.12" >&2
    exit 1
}
if [ ! -x .venv/bin/python ]; then
    "$python" -m venv .venv 2>/dev/null || {
        rm -rf .venv
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || {
            echo "Python's venv module is not here: apt-get install python3-venv" >&2
            exit 1
        }
        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
        "$python" -m venv .venv
    }
fi
[ -x .venv/bin/uv ] || .venv/bin/python -m pip install -q "uv==$UV"
install() {
    .venv/bin/uv pip install -q -p .venv "$@" 2>.venv/uv.log || .venv/bin/python -m pip install -q "$@" || {
        cat .venv/uv.log >&2
        exit 1
    }
}
install --require-hashes -r "$lock"
install --no-deps --no-build-isolation -e .
