#!/usr/bin/env bash
# Makes `chromium` available where it is missing; for the browser tests of CI.
set -euo pipefail
command -v chromium >/dev/null && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium >/dev/null
