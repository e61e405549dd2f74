#!/bin/sh
# Says in one line what a fresh machine lacks, before anything else happens.
python=$1
missing() {
    echo "rules-service needs $1" >&2
    exit 1
}
[ -n "$python" ] ||
    missing "Python 3.11, 3.12 or 3.13 as python3 (Debian: apt-get install python3 python3-venv python3-dev)"
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null ||
    missing "Python 3.11, 3.12 or 3.13; $python is $("$python" --version 2>/dev/null || echo "none of them")"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    missing "Python's venv module (Debian: apt-get install python3-venv)"
include=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
[ -f "$include/Python.h" ] || missing "Python's headers (Debian: apt-get install python3-dev)"
# What builds extensions is $CC, or else the compiler that Python itself was built with.
compiler=${CC:-$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("CC") or "cc")')}
command -v "${compiler%% *}" >/dev/null 2>&1 ||
    missing "a C compiler, ${compiler%% *} (Debian: apt-get install gcc); CC=NAME names another"
