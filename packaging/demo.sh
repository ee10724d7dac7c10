#!/usr/bin/env bash
# Plays rotd's main dialogue against npm-sandbox, offline: an npm account with a
# security key is connected, its token rotated, read by a reference, published
# with by the real npm client, and rotated again. A real Chromium passes the
# security-key check each time. Everything is in one temporary directory, which
# is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
dir=$(mktemp -d)
export HOME=$dir/home XDG_RUNTIME_DIR=$dir/run ROTD_SOCKET=$dir/run/s
mkdir -m 700 "$HOME" "$XDG_RUNTIME_DIR" "$dir/package" "$dir/bin"
export PATH=$root/bin:$dir/bin:$PATH npm_config_update_notifier=false npm_config_loglevel=error
ln -s "$root/.tools/npm/node_modules/npm/bin/npm-cli.js" "$dir/bin/npm"

pids=()
finish() {
  local status=$?
  [ $status -eq 0 ] || { echo; echo "the daemon's log ends:"; tail -n 15 "$dir/rotd.log" 2>/dev/null; } >&2
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$dir"
}
trap finish EXIT

# An escape for a terminal only, and only where colours are welcome.
bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; fi
say() { printf '\n# %s\n' "$*"; }
type_() { printf '%s$ %s%s\n' "$bold" "$*" "$plain"; }
step() { type_ "$*"; "$@"; }

say 'a stand-in for npm, with an account that has a security key'
printf 'correct horse' >"$dir/password"
npm-sandbox --listen 127.0.0.1:0 --user ada --password-file "$dir/password" --security-key >"$dir/sandbox.json" 2>"$dir/sandbox.log" &
pids+=($!)
for _ in $(seq 100); do [ -s "$dir/sandbox.json" ] && break; sleep 0.05; done
registry=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).registry' "$dir/sandbox.json")
cat "$dir/sandbox.json"
node -e 'fetch(process.argv[1]).then(r => r.text()).then(t => process.stdout.write(t))' "$registry/-/sandbox/security-key" >"$dir/passkey"

say 'the daemon'
flags=(--state-dir "$dir/state" --key "file:$dir/key")
[ "$(id -u)" -ne 0 ] || flags+=(--browser-no-sandbox)
rotd run "${flags[@]}" 2>"$dir/rotd.log" &
pids+=($!)
for _ in $(seq 200); do [ -S "$ROTD_SOCKET" ] && break; sleep 0.05; done
rot version

say 'connect the account: Chromium signs in and passes the security-key check'
step rot connect npm --terminal --registry "$registry" --username ada --password-file "$dir/password" \
  --passkey-file "$dir/passkey" --remember password,passkey
pas=$(rot ls --json | node -p 'JSON.parse(require("fs").readFileSync(0)).passcards[0].ref')

say 'rotate: a new token, behind a reference that stays'
step rot rotate "$pas" --for publish
ref=$(rot ls --json | node -p 'JSON.parse(require("fs").readFileSync(0)).rots[0].ref')
step rot get "$ref"
first=$(rot get "$ref")

say 'publish with it, by the real npm client'
cd "$dir/package"
printf '{"name": "rotd-demo", "version": "1.0.0"}\n' >package.json
step rot exec "$ref" -- npm publish
type_ "npm view rotd-demo version"
npm view rotd-demo version --registry "$registry"

say 'leaked? rotate: the value changes, the reference does not'
step rot rotate "$pas"
step rot get "$ref"
second=$(rot get "$ref")
[ "$first" != "$second" ] || { echo "the value did not change" >&2; exit 1; }

say 'the first value is refused by the registry now, the second is not'
whoami() {
  node -e '
    const [url, token] = require("fs").readFileSync(0, "utf8").split("\n")
    fetch(url + "/-/whoami", { headers: { authorization: "Bearer " + token } })
      .then(async r => console.log(r.status, await r.text()))' <<<"$registry"$'\n'"$1"
}
old=$(whoami "$first") new=$(whoami "$second")
echo "first:  $old"
echo "second: $new"
case "$old $new" in 401*200*ada*) ;; *) echo "that is not as it should be" >&2; exit 1 ;; esac

say 'what there is'
step rot status
say 'done: nothing of it is left'
