# shellcheck shell=bash
# Sourced: installs Debian packages, or says which ones to install.

# debian_install PACKAGE… installs them as root or by sudo.
debian_install() {
  local as=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "missing: $* (install them as root: apt-get install $*)" >&2
      return 1
    fi
    as=(sudo)
  fi
  if ! command -v apt-get >/dev/null; then
    echo "missing: $* (those are Debian's names; install them with this system's package manager)" >&2
    return 1
  fi
  echo "installing: $*" >&2
  { "${as[@]}" apt-get update -q &&
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"; } >"${TMPDIR:-/tmp}/rotd-apt.$$" 2>&1 || {
    tail -n 20 "${TMPDIR:-/tmp}/rotd-apt.$$" >&2
    return 1
  }
  rm -f "${TMPDIR:-/tmp}/rotd-apt.$$"
}
