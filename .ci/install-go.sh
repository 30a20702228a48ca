#!/bin/sh
# Makes `go` available for test/interop where it is missing; where it is there, does nothing. Safe to run again.
#
#   .ci/install-go.sh [BIN]      BIN: a folder early on the PATH, for links to a newer Go (default /usr/local/bin)
#
# The distribution's Go is enough from 1.21 on: with GOTOOLCHAIN=auto it fetches what go.mod asks for. An older one
# cannot, and does not even read such a go.mod, so it is told to fetch that toolchain as the module that it is.
set -eu

bin=${1:-/usr/local/bin}
go_mod=$(dirname "$0")/../test/interop/go/go.mod

if [ ! -d "$bin" ]; then
  echo "usage: install-go.sh [BIN], a folder" >&2
  exit 2
fi

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Whether the Go on the PATH reads every go.mod: 1.21 or newer. (The shell forgets where it found an older one.)
has_go() {
  hash -r
  command -v go >/dev/null 2>&1 || return 1
  minor=$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
  [ "${minor:-0}" -ge 21 ]
}

if has_go; then exit 0; fi

if ! command -v go >/dev/null 2>&1; then
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "install-go: there is no go, and no apt-get to install it with: install Go 1.21 or newer" >&2
    exit 1
  fi
  as_root apt-get update -qq
  # What is there already stays as it is.
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends --no-upgrade golang-go ca-certificates
fi

if ! has_go; then
  version=$(sed -n 's/^go \([0-9.]*\)$/\1/p' "$go_mod")
  module=golang.org/toolchain@v0.0.1-go$version.$(go env GOOS)-$(go env GOARCH)
  # Away from any go.mod, which this Go might not be able to read.
  root=$(cd / && go mod download -json "$module" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p')
  if [ ! -d "$root" ]; then
    echo "install-go: $(go env GOVERSION) is too old, and $module cannot be had: install Go $version" >&2
    exit 1
  fi
  # Modules are unpacked without the permission to run anything.
  chmod u+w,a+x "$root/bin" "$root"/bin/* "$root"/pkg/tool/*/*
  as_root ln -sf "$root/bin/go" "$root/bin/gofmt" "$bin/"
fi

if ! has_go; then
  echo "install-go: installed, but the go on the PATH is $(command -v go || echo missing)" >&2
  exit 1
fi
go version
