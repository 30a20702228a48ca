#!/bin/sh
# Makes a Python environment with the packages of test/interop/requirements.txt and prints the path of its interpreter,
# for NEWEL_PYTHON; where it is there already, only that. Safe to run again.
#
#   .ci/install-python.sh [FOLDER]      where the environment lies (default node_modules/.cache/python)
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$here/node_modules/.cache/python}
requirements=$here/test/interop/requirements.txt

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian's python3 comes without what fills a new environment.
can_make() {
  command -v python3 >/dev/null 2>&1 && python3 -c 'import ensurepip, venv' 2>/dev/null
}

# What is installed is what is asked for: pip would only say that it is satisfied.
if [ -x "$folder/bin/python" ] && cmp -s "$requirements" "$folder/requirements.txt"; then
  echo "$folder/bin/python"
  exit 0
fi

if ! can_make; then
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "install-python: there is no python3 with venv, and no apt-get to install it with" >&2
    exit 1
  fi
  as_root apt-get update -qq >&2
  # What is there already stays as it is.
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends --no-upgrade python3 python3-venv ca-certificates >&2
  hash -r
  if ! can_make; then
    echo "install-python: installed, but the python3 on the PATH is $(command -v python3 || echo missing)" >&2
    exit 1
  fi
fi

rm -rf "$folder"
python3 -m venv "$folder" >&2
"$folder/bin/python" -m pip install --quiet --no-input --disable-pip-version-check --requirement "$requirements" >&2
cp "$requirements" "$folder/requirements.txt"
echo "$folder/bin/python"
