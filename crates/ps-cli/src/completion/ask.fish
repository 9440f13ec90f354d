# Completion of PROGRAM in fish: the program says what may stand at the cursor.
function FUNCTION
    set --local words (commandline --current-process --tokenize --cut-at-cursor)
    set --local found (FORMATION_COMPLETE=fish command PROGRAM -- $words (commandline --current-token --cut-at-cursor) 2>/dev/null)
    if set --query found[1]
        printf '%s\n' $found
    else
        __fish_complete_path (commandline --current-token)
    end
end
complete --command PROGRAM --no-files --keep-order --arguments '(FUNCTION)'
