#!/bin/sh
# Set up galclass in a virtual environment: system packages where they are missing, pinned requirements, the package.
# Usage: sh workflow/setup.sh VENV
set -eu
venv=${1:?usage: sh workflow/setup.sh VENV}
python=${PYTHON:-python3}

say() { printf 'setup: %s\n' "$*" >&2; }

# What the machine lacks, as Debian packages: a compiler, Python's headers and its venv module.
missing_packages() {
    command -v "${FC:-gfortran}" >/dev/null 2>&1 || printf ' gfortran'
    command -v "${CC:-cc}" >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || printf ' gcc libc6-dev'
    "$python" -c 'import ensurepip' >/dev/null 2>&1 || printf ' python3-venv'
    "$python" -c 'import os, sysconfig; assert os.path.exists(sysconfig.get_path("include") + "/Python.h")' \
        >/dev/null 2>&1 || printf ' python3-dev'
}

install_packages() {
    if ! command -v apt-get >/dev/null 2>&1; then root=none
    elif [ "$(id -u)" = 0 ]; then root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then root=sudo
    else root=none
    fi
    if [ "$root" = none ]; then
        say "missing:$*; install them (Debian: apt-get install$*), or on a cluster: module load gcc python," \
            "or without root: conda install -c conda-forge gfortran gcc python=3.11, then run make again"
        exit 1
    fi
    say "installing$* with apt-get"
    $root apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $* >/dev/null
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    say "found $("$python" --version 2>&1); galclass needs Python 3.11 or newer (set PYTHON=/path/to/python3.11)"
    exit 1
}
packages=$(missing_packages)
# shellcheck disable=SC2086
[ -z "$packages" ] || install_packages "$packages"

if [ ! -x "$venv/bin/python" ]; then
    say "creating $venv"
    "$python" -m venv "$venv"
fi
say "installing the pinned requirements (a few minutes the first time)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
say "building the Fortran kernels and installing galclass"
# The build tools are pinned in the lock file, so the build takes those instead of downloading its own.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
say "done; galclass $("$venv/bin/python" -c 'import galclass; print(galclass.__version__)') is in $venv"
