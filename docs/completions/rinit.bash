# bash completion for rinit(1); source it, or install it as /usr/share/bash-completion/completions/rinit
_rinit_signals() {
    local name
    # What kill -l prints, without those that no process can catch and bash's own DEBUG, EXIT and others.
    for name in $(compgen -A signal); do
        case $name in
        SIGKILL | SIGSTOP | SIGCHLD | SIGJUNK*) ;;
        SIG*) printf '%s\n' "${name#SIG}" ;;
        esac
    done
}
_rinit() {
    local current=${COMP_WORDS[COMP_CWORD]} previous= word index skip= prefix=
    COMPREPLY=()
    ((COMP_CWORD > 0)) && previous=${COMP_WORDS[COMP_CWORD - 1]}
    # Everything from the program on is the program's own.
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if [[ $skip ]]; then
            skip=
            # --to=all is three words to bash; the equals sign is not the value.
            [[ $word == = ]] && skip=yes
            continue
        fi
        case $word in
        -r | -p | -e | --rewrite | --to | --forward | --stop-signal | --stop-delay | --grace | --last-call | --on-main-exit | \
            --drain | --user | --workdir | --env | --rlimit | --umask | --log-format | --parent-death-signal | --pid) skip=yes ;;
        --)
            ((index++))
            ;;&
        -- | [!-]*)
            _rinit_program "$index"
            return
            ;;
        esac
    done
    if [[ $previous == = ]] && ((COMP_CWORD > 1)); then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $current == = ]]; then
        current=
    elif [[ $current == --*=* ]]; then
        # Where the equals sign does not separate words.
        previous=${current%%=*} prefix=${current%%=*}= current=${current#*=}
    fi
    case $previous in
    --to) mapfile -t COMPREPLY < <(compgen -P "$prefix" -W 'main group all' -- "$current") ;;
    --forward) mapfile -t COMPREPLY < <(compgen -P "$prefix" -W 'all handled' -- "$current") ;;
    --on-main-exit) mapfile -t COMPREPLY < <(compgen -P "$prefix" -W 'drain wait finish exit' -- "$current") ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -P "$prefix" -W 'text json' -- "$current") ;;
    --help) mapfile -t COMPREPLY < <(compgen -P "$prefix" -W 'all' -- "$current") ;;
    --stop-signal) mapfile -t COMPREPLY < <(compgen -P "$prefix" -W "$(_rinit_signals)" -- "$current") ;;
    --parent-death-signal | -p) mapfile -t COMPREPLY < <(compgen -P "$prefix" -W "$(_rinit_signals) KILL" -- "$current") ;;
    --rewrite | -r)
        mapfile -t COMPREPLY < <(compgen -P "$prefix" -S = -W "$(_rinit_signals)" -- "$current")
        compopt -o nospace 2>/dev/null
        ;;
    --rlimit)
        mapfile -t COMPREPLY < <(compgen -P "$prefix" -S = -W 'as core cpu data fsize locks memlock msgqueue nice nofile nproc rss
            rtprio rttime sigpending stack' -- "$current")
        compopt -o nospace 2>/dev/null
        ;;
    --user) mapfile -t COMPREPLY < <(compgen -P "$prefix" -u -- "$current") ;;
    --workdir)
        mapfile -t COMPREPLY < <(compgen -P "$prefix" -d -- "$current")
        compopt -o filenames 2>/dev/null
        ;;
    --env)
        mapfile -t COMPREPLY < <(compgen -P "$prefix" -v -S = -- "$current")
        compopt -o nospace 2>/dev/null
        ;;
    -e | --stop-delay | --grace | --last-call | --drain | --umask | --pid) ;;
    *)
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W '-r --rewrite -g -c --single-child --to --forward --stop-signal --stop-delay
                --grace --last-call --on-main-exit --drain --user --workdir --env --rlimit --umask --session -p --parent-death-signal
                -s --subreaper --no-subreaper -e --mirror-signal -v --verbose -q --quiet -w --warn-on-reap --log-format -P --pause
                --diagnose --json --pid -h --help -V --version -l -L --license --' -- "$current")
        else
            _rinit_program "$COMP_CWORD"
        fi
        ;;
    esac
}
# The program and its arguments, from the word of this index on: completed as if they stood alone.
_rinit_program() {
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif (($1 == COMP_CWORD)); then
        if [[ $current == */* ]]; then
            mapfile -t COMPREPLY < <(compgen -A file -- "$current")
            compopt -o filenames 2>/dev/null
        else
            mapfile -t COMPREPLY < <(compgen -A command -- "$current")
        fi
    else
        _rinit_alone "$1"
    fi
}
# Without the bash-completion package: calls the program's own completion, if one is loaded, and completes files if none is.
_rinit_alone() {
    local spec function
    spec=$(complete -p "${COMP_WORDS[$1]##*/}" 2>/dev/null)
    if [[ $spec =~ \ -F\ ([^ ]+) ]]; then
        function=${BASH_REMATCH[1]}
        COMP_WORDS=("${COMP_WORDS[@]:$1}")
        COMP_CWORD=$((COMP_CWORD - $1))
        COMP_LINE="${COMP_WORDS[*]}" COMP_POINT=${#COMP_LINE}
        "$function" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    else
        mapfile -t COMPREPLY < <(compgen -A file -- "$current")
        compopt -o filenames 2>/dev/null
    fi
}
complete -F _rinit rinit
