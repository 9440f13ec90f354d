#compdef PROGRAM
# Completion of PROGRAM in zsh: the program says what may stand at the cursor.
local -a found more
found=(${(f)"$(FORMATION_COMPLETE=zsh command PROGRAM -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)"})
if (( ! $#found )); then
    _files
    return
fi
if [[ ${found[1]%%:*} == *= ]]; then more=(-S ''); fi
_describe PROGRAM found "${more[@]}"
