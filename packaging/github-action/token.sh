# The step of action.yml: masks the token in the job's log, and puts it into the
# environment of the steps that follow. It is in no command line and no output
# but the mask. Exits as rot does.
set -eu

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

token=$(rot get -- "$INPUT_REF") || fail "there is no token for this job; rot says why above" $?

# One word it must be: with a line end in it, it could set any variable.
case $token in
'' | *[![:graph:]]*) fail "what rot printed is not one word, and no token" ;;
esac

printf '::add-mask::%s\n' "$(printf %s "$token" | sed 's/%/%25/g')"

# The file's form for a value: a line that the value cannot have ends it.
end=rotd_$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf 'NODE_AUTH_TOKEN<<%s\n%s\n%s\n' "$end" "$token" "$end" >>"$GITHUB_ENV"
