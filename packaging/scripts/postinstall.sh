#!/bin/sh
# After an installation or an upgrade. It starts nothing that did not run; a rotd
# that does not start again is for systemctl status to tell, and no reason to
# leave the package half installed.
set -e
if command -v systemd-sysusers >/dev/null; then
  systemd-sysusers /usr/lib/sysusers.d/rotd.conf
fi
if [ -d /run/systemd/system ]; then
  systemd-tmpfiles --create /usr/lib/tmpfiles.d/rotd.conf
  systemctl daemon-reload
  systemctl try-restart rotd.service || true
fi
