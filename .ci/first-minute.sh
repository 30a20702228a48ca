#!/usr/bin/env bash
# The README's first command as a new user has it: a fresh clone, Node, npm, nothing else. Its second one, `npm test`,
# is not here: .ci/run has run it by now, itself in a clean clone.
set -euo pipefail
# Jobs get process groups of their own: a signal to the group is what a terminal sends on Ctrl-C. One to npm alone is
# passed on to its shell and need not reach the server.
set -m
here=$(pwd)
clone=$(mktemp -d)
group=

# Processes of the group that run; one that has ended and that nobody has asked about does not.
running() { ps -eo pgid=,stat=,args= | awk -v group="$group" '$1 == group && $2 !~ /^Z/'; }
stop() {
  if [ -n "$group" ]; then kill -KILL -- "-$group" 2>/dev/null || true; fi
  rm -rf "$clone"
}
trap stop EXIT
git clone -q "$here" "$clone/newel"
cd "$clone/newel"

command=$(awk '/^```sh$/ { block = 1; next } /^```$/ { if (block) exit } block' README.md)
[ "$command" = 'npm ci && npm start' ]
npm ci >"$clone/npm.log" 2>&1 || { cat "$clone/npm.log"; exit 1; }
# More log lines than by default, on stderr, to see how it ends.
NEWEL_LOG_LEVEL=info npm start >"$clone/out" 2>"$clone/err" &
group=$!
for _ in $(seq 300); do
  grep -q '^try ' "$clone/out" && break
  sleep 0.1
done
# npm says which script it runs, between empty lines; then come the six.
said=$(grep -v -e '^$' -e '^> ' "$clone/out") || { cat "$clone/err"; exit 1; }
printf '%s\n' "$said"
[ "$(printf '%s\n' "$said" | cut -d' ' -f1 | xargs)" = 'url origin vkey folder token try' ]

# The README's own blocks, as they stand there: a first event with its verified receipt, and a forged one.
block() { awk -v want="$1" '/^```sh$/ { n++; inside = 1; next } /^```$/ { inside = 0 } inside && n == want' README.md; }
block 3 >"$clone/first.sh"
block 4 >"$clone/forged.sh"
grep -q 'newel submit spec/examples/flat.json' "$clone/first.sh"
bash -eu "$clone/first.sh" | tee "$clone/first.out"
grep -q 'level: signed' "$clone/first.out"
bash -eu "$clone/forged.sh" | tee "$clone/forged.out"
grep -q 'exit code 1' "$clone/forged.out"
npx newel fsck --url "$(node -p 'JSON.parse(fs.readFileSync("data/client.json")).url')"

kill -TERM -- "-$group"
# npm exits as one that a signal has ended; how the server ended, its last line tells.
wait "$group" || true
for _ in $(seq 100); do
  [ -z "$(running)" ] && break
  sleep 0.1
done
if [ -n "$(running)" ]; then
  echo 'left behind:' && running
  exit 1
fi
group=
tail -n 1 "$clone/err" | grep -q '"level":"info".*"msg":"ended"}$' || { cat "$clone/err"; exit 1; }
npx newel fsck --data data
echo 'the first minute works'
