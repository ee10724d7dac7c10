#!/usr/bin/env bash
# Installs what the demo and the tests need and this machine lacks.
#   .ci/tools.sh demo    Chromium and a pinned npm client
#   .ci/tools.sh test    those, a keyring, etcd, a display, systemd, staticcheck, and
#                        the package managers of .ci/clients.txt (500 MB)
#   .ci/tools.sh bench   Chromium, and what the benchmarks stand beside: git, curl,
#                        secret-tool with a keyring, pass with GnuPG
#   .ci/tools.sh package nfpm alone
# System packages come from Debian, by root or sudo; everything else goes to
# .tools in this checkout. Where that cannot be done it names what to install.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/debian.sh

# The npm client that runs on the Node.js of Debian's and of most CI machines,
# with staged publishing and stage-only tokens (11.20 and later).
npm_version=11.21.2
staticcheck_version=v0.8.2
nfpm_version=v2.44.0

# install_go NAME VERSION MODULE puts a Go program into .tools/bin.
install_go() {
  [ -x ".tools/bin/$1-$2" ] && return
  echo "installing: $1 $2 (in .tools)" >&2
  GOBIN="$PWD/.tools/bin" GOFLAGS=-mod=mod go install "$3@$2"
  mv ".tools/bin/$1" ".tools/bin/$1-$2"
  ln -sf "$1-$2" ".tools/bin/$1"
}

# install_client NAME PACKAGE@VERSION puts a package alone into .tools/clients,
# without its install scripts, which may download. Verdaccio's node-fetch is a
# tag that a registry may lack.
install_client() {
  local dir=".tools/clients/$1-${2##*@}"
  [ -d "$dir" ] && return
  echo "installing: ${dir##*/} (in .tools/clients)" >&2
  mkdir -p "$dir.$$"
  echo '{"private":true,"overrides":{"node-fetch":"2.7.0"}}' >"$dir.$$/package.json"
  npm install --prefix "$dir.$$" --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error "$2" >/dev/null </dev/null || {
    rm -rf "$dir.$$"
    return 1
  }
  mv -T "$dir.$$" "$dir" 2>/dev/null || rm -rf "$dir.$$" # somebody else was quicker
}

want=${1:-test}
if [ "$want" = package ]; then
  install_go nfpm "$nfpm_version" github.com/goreleaser/nfpm/v2/cmd/nfpm
  exit
fi
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); } # COMMAND PACKAGE

for tool in go gcc node npm; do
  command -v "$tool" >/dev/null || { echo "missing: $tool (needed to build and try rotd)" >&2; exit 1; }
done
need chromium chromium
if [ "$want" = test ]; then
  need dbus-run-session dbus
  need gnome-keyring-daemon gnome-keyring
  need script bsdutils
  need zsh zsh
  need fish fish
  need curl curl
  need etcd etcd-server
  need etcdctl etcd-client
  need Xvfb xvfb
  need xdotool xdotool
  need ssh-keygen openssh-client
  # The tests of the service have a systemd of their own, in namespaces.
  need systemd-analyze systemd
  need plistutil libplist-utils
  need mandoc mandoc
  need rpm rpm
  need setpriv util-linux
  need useradd passwd
  compgen -G '/lib/*/security/pam_systemd.so' >/dev/null || missing+=(libpam-systemd) # users' managers
fi
if [ "$want" = bench ]; then
  need git git
  need curl curl
  need time time
  need dbus-daemon dbus-daemon
  need gnome-keyring-daemon gnome-keyring
  need secret-tool libsecret-tools
  need pass pass
  need gpg gnupg
fi
[ ${#missing[@]} -eq 0 ] || debian_install "${missing[@]}"
[ "$want" != bench ] || exit 0

installed=$(node -p "require('./.tools/npm/node_modules/npm/package.json').version" 2>/dev/null || true)
if [ "$installed" != "$npm_version" ]; then
  echo "installing: npm $npm_version (in .tools)" >&2
  mkdir -p .tools/npm
  npm install --prefix .tools/npm --no-package-lock --no-save --no-audit --no-fund --loglevel=error "npm@$npm_version" >&2
fi

if [ "$want" = test ]; then
  platform=$(node -p 'process.platform + "-" + process.arch')
  while read -r name package; do
    install_client "$name" "${package/PLATFORM/$platform}"
  done < <(grep -v '^#' .ci/clients.txt)
  install_go staticcheck "$staticcheck_version" honnef.co/go/tools/cmd/staticcheck
  install_go nfpm "$nfpm_version" github.com/goreleaser/nfpm/v2/cmd/nfpm
fi
