#!/bin/sh
# What set-up needs, said in one line each before anything starts. Usage: check.sh PYTHON
python=$1
fail() {
    echo "cannot set up: $1" >&2
    exit 1
}

command -v "$python" >/dev/null || fail "no $python on the PATH; install Python 3.11 or newer"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old; install 3.11 or newer and run make PYTHON=python3.11"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "$python has no venv module; install it (Debian: apt-get install python3-venv)"
free_gib=$("$python" -c 'import shutil; print(shutil.disk_usage(".").free >> 30)')
# While packages are installed, 9.1 GiB are taken; 7 of them remain.
[ "$free_gib" -ge 10 ] || fail "$free_gib GiB of free disk here; 10 are needed"
