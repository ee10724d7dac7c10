#!/bin/sh
# Before a removal, and not before an upgrade.
set -e
case "$1" in
remove | 0)
  if [ -d /run/systemd/system ]; then
    units='rotd.service rotd.socket rotd-credential.socket'
    systemctl disable --now $units || true
    systemctl reset-failed $units 2>/dev/null || true
  fi
  ;;
esac
