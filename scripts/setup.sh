# Sourced by scripts/noren, scripts/demo and scripts/test: makes .venv on first use, and again when uv.lock changed.
# Needs a Python 3.13 (on PATH, among those of pyenv, or one that uv can find or fetch); uv comes through pip when missing.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
uv_version=0.13.8

say() { printf '%s\n' "$*" >&2; }
fail() { say "noren: $*"; exit 1; }

is_313() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in python3.13 python3 python "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python; do
        # a pyenv shim may be on PATH and refuse to run: only one that answers counts
        candidate=$(command -v "$candidate" 2>/dev/null) || continue
        if is_313 "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
    done
}

find_uv() {
    local python=$1 tools="$root/.noren/env/tools" candidate
    for candidate in "${NOREN_UV:-}" uv "$tools/bin/uv"; do
        if [ -n "$candidate" ] && candidate=$(command -v "$candidate" 2>/dev/null) && "$candidate" --version >/dev/null 2>&1
        then
            printf '%s' "$candidate"
            return
        fi
    done
    [ -n "$python" ] || python=$(command -v python3 || true)
    [ -n "$python" ] || fail "no Python found: install Python 3.13, for example from python.org or with pyenv."
    say "Installing uv $uv_version ..."
    "$python" -m venv "$tools" >&2 ||
        fail "$python cannot make a virtual environment: install its venv module (Debian: apt install python3-venv)."
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$uv_version" >&2 ||
        fail "uv could not be installed with pip: check the network or the package index, or install uv yourself."
    printf '%s' "$tools/bin/uv"
}

set_up() {
    local stamp="$root/.venv/noren.stamp" python uv
    if [ -x "$root/.venv/bin/noren" ] && cmp -s <(cat "$root/uv.lock" "$root/pyproject.toml") "$stamp"; then
        return
    fi
    python=$(find_python)
    uv=$(find_uv "$python")
    if [ -z "$python" ]; then
        python=$("$uv" python find 3.13 2>/dev/null) || {
            say "Fetching Python 3.13 ..."
            "$uv" python install --quiet 3.13 >&2 ||
                fail "Python 3.13 is missing and uv could not fetch it: install it, for example from python.org or with pyenv."
            python=$("$uv" python find 3.13)
        }
    fi
    say "Setting up .venv (first use or new dependencies) ..."
    # compiled once here, so that no command compiles a thousand modules at its first start
    (cd "$root" && UV_PROJECT_ENVIRONMENT="$root/.venv" "$uv" sync --quiet --frozen --compile-bytecode --python "$python") >&2 ||
        fail "the dependencies could not be installed: check the network or the package index, then run this again."
    # the core's inner loops too: a pipeline's first batch would wait for them
    (cd "$root" && .venv/bin/python -m dataflow.warm) >&2 || fail "the core's inner loops could not be compiled."
    cat "$root/uv.lock" "$root/pyproject.toml" >"$stamp"
}

if [ -z "${NOREN_UV:-}" ] && [ -x "$root/.noren/env/tools/bin/uv" ]; then
    export NOREN_UV="$root/.noren/env/tools/bin/uv"
fi
mkdir -p "$root/.noren"
if command -v flock >/dev/null 2>&1; then
    exec 9>"$root/.noren/setup.lock" # two first uses at once: the second waits
    flock 9
    set_up
    exec 9>&-
else
    set_up
fi
if [ -z "${NOREN_UV:-}" ] && [ -x "$root/.noren/env/tools/bin/uv" ]; then
    export NOREN_UV="$root/.noren/env/tools/bin/uv"
fi
