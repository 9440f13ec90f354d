# Completion of PROGRAM in bash: the program says what may stand at the cursor.
FUNCTION() {
    local words=("${COMP_WORDS[@]:0:COMP_CWORD+1}")
    # Only what stands before the cursor counts.
    if [[ -n $2 && ${words[COMP_CWORD]} == "$2"* ]]; then words[COMP_CWORD]=$2; fi
    mapfile -t COMPREPLY < <(FORMATION_COMPLETE=bash command PROGRAM -- "${words[@]}" 2>/dev/null)
    if [[ ${COMPREPLY[0]-} == *= ]]; then compopt -o nospace; fi
}
complete -o bashdefault -o default -F FUNCTION PROGRAM
