#!/usr/bin/env bash
# Runs govulncheck where its database can be reached, and says so where not.
set -euo pipefail
cd "$(dirname "$0")/.."
version=v1.9.0
if [ ! -x ".tools/bin/govulncheck" ]; then
  GOBIN="$PWD/.tools/bin" GOFLAGS=-mod=mod go install "golang.org/x/vuln/cmd/govulncheck@$version" >&2
fi
out=$(.tools/bin/govulncheck ./... 2>&1) && { echo "govulncheck: nothing found"; exit 0; }
if grep -qE 'fetching vulnerabilities|dial tcp|no such host|connection refused' <<<"$out"; then
  echo "govulncheck: its database cannot be reached from here; not checked"
  exit 0
fi
echo "$out"
exit 1
