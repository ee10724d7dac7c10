#!/bin/sh
# Before a removal, and not before an upgrade.
set -e
case "$1" in
remove | 0)
  if [ -d /run/systemd/system ]; then
    systemctl disable --now rotd.service rotd.socket rotd-credential.socket
  fi
  ;;
esac
