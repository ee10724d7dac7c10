#!/bin/sh
# After a removal. The state stays, unless it is a purge; the user stays, so
# that its number is never somebody else's.
set -e
if [ "$1" = purge ]; then
  rm -rf /var/lib/rotd /run/rotd
  rm -f /etc/rotd/rotd.conf
  rmdir /etc/rotd 2>/dev/null || true # somebody else's is in it
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
