#!/usr/bin/env bash
# The README's first command as a new user has it: a fresh clone, Node, npm, nothing else.
set -euo pipefail
here=$(pwd)
clone=$(mktemp -d)
server=
stop() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; fi
  rm -rf "$clone"
}
trap stop EXIT
git clone -q "$here" "$clone/newel"
cd "$clone/newel"

command=$(awk '/^```sh$/ { block = 1; next } /^```$/ { if (block) exit } block' README.md)
[ "$command" = 'npm ci && npm start' ]
npm ci >"$clone/npm.log" 2>&1 || { cat "$clone/npm.log"; exit 1; }
# `exec`, so that the signal at the end reaches the server and not only npm.
(exec node dist/cli/main.js dev) >"$clone/out" 2>"$clone/err" &
server=$!
for _ in $(seq 100); do
  [ "$(wc -l <"$clone/out")" -ge 6 ] && break
  sleep 0.1
done
cat "$clone/out"
[ "$(wc -l <"$clone/out")" -eq 6 ]

url=$(node -p 'JSON.parse(fs.readFileSync("data/client.json")).url')
token=$(node -p 'JSON.parse(fs.readFileSync("data/client.json")).token')
[ "$(curl -sS -H "Authorization: Bearer $token" --data-binary 'hello, log' "$url/add")" = 0 ]
sleep 1.5
npx newel fsck --url "$url"
kill -TERM "$server"
wait "$server"
server=
echo 'the first minute works'
