# bash completion for rinit(1); source it, or install it as /usr/share/bash-completion/completions/rinit
_rinit() {
    local current=${COMP_WORDS[COMP_CWORD]} previous= word index skip=
    COMPREPLY=()
    ((COMP_CWORD > 0)) && previous=${COMP_WORDS[COMP_CWORD - 1]}
    # Behind the program everything is the program's own.
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if [[ $skip ]]; then
            skip=
            continue
        fi
        case $word in
        -r | -p | -e | --rewrite | --to | --forward | --stop-signal | --stop-delay | --grace | --last-call | --on-main-exit | --drain | --user | \
            --workdir | --env | --parent-death-signal) skip=yes ;;
        --)
            ((index++))
            ;;&
        -- | [!-]*)
            if declare -F _command_offset >/dev/null; then
                _command_offset $index
            else
                mapfile -t COMPREPLY < <(compgen -A command -A file -- "$current")
            fi
            return
            ;;
        esac
    done
    case $previous in
    --to) mapfile -t COMPREPLY < <(compgen -W 'main group all' -- "$current") ;;
    --forward) mapfile -t COMPREPLY < <(compgen -W 'all handled' -- "$current") ;;
    --on-main-exit) mapfile -t COMPREPLY < <(compgen -W 'drain wait finish exit' -- "$current") ;;
    --stop-signal | --parent-death-signal | -p) mapfile -t COMPREPLY < <(compgen -A signal -- "$current") ;;
    --user) mapfile -t COMPREPLY < <(compgen -u -- "$current") ;;
    --workdir) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    --env) mapfile -t COMPREPLY < <(compgen -v -S = -- "$current") ;;
    --pid) mapfile -t COMPREPLY < <(compgen -W "$(ps -eo pid=)" -- "$current") ;;
    -r | -e | --rewrite | --stop-delay | --grace | --last-call | --drain) ;;
    *)
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W '-r --rewrite -g -c --single-child --to --forward --stop-signal --stop-delay
                --grace --last-call --on-main-exit --drain --user --workdir --env --session -p --parent-death-signal -s --subreaper
                --no-subreaper -e --mirror-signal -v --verbose -w --warn-on-reap -P --pause --diagnose --json --pid -h --help -V
                --version -l -L --license --' -- "$current")
        else
            mapfile -t COMPREPLY < <(compgen -A command -- "$current")
        fi
        ;;
    esac
}
complete -F _rinit -o default rinit
