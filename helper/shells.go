package helper

// shells are those that there is a completion for. The scripts are as small as
// can be, and the same for every version of rot: what there is to complete with
// is asked of the rot on the command line.
var shells = []struct{ name, script string }{
	{"bash", `# Completion of rot in bash: rot completion bash.
_rot() {
  local words out cur part word what i IFS=$' \t\n'
  # Not COMP_WORDS: there bash has taken words apart at : and =.
  read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
  while ((${#words[@]} > 1)) && [[ ${words[0]} != "$1" ]]; do words=("${words[@]:1}"); done
  [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=('')
  cur=${words[${#words[@]}-1]} part=$cur
  for i in : =; do [[ $COMP_WORDBREAKS == *$i* ]] && part=${part##*"$i"}; done
  out=$("$1" completion words -- "${words[@]:1}" 2>/dev/null)
  COMPREPLY=()
  case ${out%%$'\n'*} in
  words)
    while IFS=$'\t' read -r word what; do # only what is behind the last : or =
      [[ $word ]] && COMPREPLY+=("${word:${#cur}-${#part}}")
    done < <(tail -n +2 <<<"$out")
    ;;
  files)
    compopt -o filenames 2>/dev/null
    while read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$part")
    ;;
  command)
    for ((i = 1; i < COMP_CWORD; i++)); do [[ ${COMP_WORDS[i]} == -- ]] && break; done
    if declare -F _command_offset >/dev/null; then
      _command_offset $((i + 1))
    else
      compopt -o filenames 2>/dev/null
      ((COMP_CWORD == i + 1)) && what=-c || what=-f
      while read -r word; do COMPREPLY+=("$word"); done < <(compgen $what -- "$cur")
    fi
    ;;
  esac
}
complete -F _rot rot
`},
	{"zsh", `#compdef rot
# Completion of rot in zsh: rot completion zsh.
_rot() {
  local -a out values lines
  local line
  out=("${(@f)$("$words[1]" completion words -- "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
  case $out[1] in
  words)
    for line in "${(@)out[2,-1]}"; do
      values+=("${line%%$'\t'*}")
      lines+=("${line/$'\t'/  }")
    done
    compadd -l -d lines -a values
    ;;
  files)
    compset -P '--*='
    _files
    ;;
  command)
    (( CURRENT -= words[(i)--] ))
    shift ${words[(i)--]} words
    _normal
    ;;
  esac
}
if [[ ${funcstack[1]} == _rot ]]; then _rot "$@"; else compdef _rot rot; fi
`},
	{"fish", `# Completion of rot in fish: rot completion fish.
function __rot_complete
    set -l words (commandline -opc)
    set -l cur (commandline -ct)
    set -l out ($words[1] completion words -- $words[2..-1] "$cur" 2>/dev/null)
    switch "$out[1]"
        case words
            printf '%s\n' $out[2..-1]
        case files
            __fish_complete_path (string replace -r -- '^--[^=]*=' '' "$cur")
        case command
            set -e words[1..(contains -i -- -- $words)]
            complete -C (string join -- ' ' $words "$cur")
    end
end
complete -c rot -f -a '(__rot_complete)'
`},
}
