# The step of action.yml: rot masks the token in the job's log, and puts it into
# the environment of the steps that follow. It is in no command line and no output
# but the mask. Exits as rot does.
set -eu
set +x # also where the job has its shells traced: SHELLOPTS, sh -x

fail() {
  echo "::error title=rotd::$1"
  exit "${2:-1}"
}

[ -n "${INPUT_REF:-}" ] || fail "the input ref is empty: it names a ROT, as rot ls does" 2
[ -n "${GITHUB_ENV:-}" ] || fail "GITHUB_ENV is not set: this is a step of GitHub Actions"
command -v rot >/dev/null || fail "rot is not installed on this runner, or not in its PATH" 127

# What is empty here may be set for the job.
[ -z "${INPUT_SOCKET:-}" ] || export ROTD_SOCKET="$INPUT_SOCKET"
[ -z "${INPUT_ACCESS_TOKEN:-}" ] || export ROT_ACCESS_TOKEN="$INPUT_ACCESS_TOKEN"

rot env --github --env NODE_AUTH_TOKEN -- "$INPUT_REF" || fail "there is no token for this job; rot says why above" $?
