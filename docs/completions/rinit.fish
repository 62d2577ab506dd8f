# fish completion for rinit(1); put it into ~/.config/fish/completions

# The words before the cursor without rinit and its options: the program and its arguments, or nothing.
function __rinit_program
    set --local words (commandline -opc)
    set --local valued -r -p -e --rewrite --to --forward --stop-signal --stop-delay --grace --last-call --on-main-exit --drain --user \
        --workdir --env --rlimit --umask --log-format --parent-death-signal --pid
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case '-*'
                if contains -- $words[1] $valued
                    set -e words[1]
                end
                set -q words[1]; and set -e words[1]
            case '*'
                break
        end
    end
    string join \n -- $words
end

function __rinit_before_program
    set --local words (__rinit_program)
    not set -q words[1]; and not contains -- -- (commandline -opc)
end

# The program and its own completions: those of a command line without rinit.
function __rinit_arguments
    complete -C (string join ' ' -- (string escape -- (__rinit_program)) (commandline -ct))
end

function __rinit_signals
    for name in (kill -l | string split -n ' ')
        contains -- $name KILL STOP CHLD; or echo $name
    end
end

complete -c rinit -f
complete -c rinit -n __rinit_before_program -s r -l rewrite -x -a '(__rinit_signals)=' -d 'Forward FROM as TO'
complete -c rinit -n __rinit_before_program -s g -d 'Signals go to the process group of main'
complete -c rinit -n __rinit_before_program -s c -l single-child -d 'Signals go to main alone'
complete -c rinit -n __rinit_before_program -l to -x -a 'main group all' -d 'Which processes get signals'
complete -c rinit -n __rinit_before_program -l forward -x -a 'all handled' -d 'Which signals are forwarded'
complete -c rinit -n __rinit_before_program -l stop-signal -x -a '(__rinit_signals)' -d 'Another signal that requests a stop'
complete -c rinit -n __rinit_before_program -l stop-delay -x -d 'Hold the first stop signal back'
complete -c rinit -n __rinit_before_program -l grace -x -d 'From the stop request to the kill'
complete -c rinit -n __rinit_before_program -l last-call -x -d 'From the stop request to TERM for all'
complete -c rinit -n __rinit_before_program -l on-main-exit -x -a 'drain wait finish exit' -d 'What happens to other processes'
complete -c rinit -n __rinit_before_program -l drain -x -d 'From the exit of main to the kill'
complete -c rinit -n __rinit_before_program -l user -x -a '(__fish_complete_users)' -d 'Run as this user'
complete -c rinit -n __rinit_before_program -l workdir -x -a '(__fish_complete_directories)' -d 'Start there'
complete -c rinit -n __rinit_before_program -l env -x -d 'Set a variable'
complete -c rinit -n __rinit_before_program -l rlimit -x -a '{as,core,cpu,data,fsize,locks,memlock,msgqueue,nice,nofile,nproc,rss,rtprio,rttime,sigpending,stack}=' -d 'Limit a resource'
complete -c rinit -n __rinit_before_program -l umask -x -d 'File mode creation mask'
complete -c rinit -n __rinit_before_program -l session -d 'A session of its own'
complete -c rinit -n __rinit_before_program -s p -l parent-death-signal -x -a '(__rinit_signals) KILL' -d 'Signal when the parent exits'
complete -c rinit -n __rinit_before_program -s s -l subreaper -d 'Be a subreaper'
complete -c rinit -n __rinit_before_program -l no-subreaper -d 'Do not be a subreaper'
complete -c rinit -n __rinit_before_program -s e -x -d 'Report this code as 0'
complete -c rinit -n __rinit_before_program -l mirror-signal -d 'Terminate by the signal that terminated main'
complete -c rinit -n __rinit_before_program -s v -l verbose -d 'Print more'
complete -c rinit -n __rinit_before_program -s q -l quiet -d 'Print errors only'
complete -c rinit -n __rinit_before_program -s w -l warn-on-reap -d 'Print each orphan reaped'
complete -c rinit -n __rinit_before_program -l log-format -x -a 'text json' -d 'How messages are written'
complete -c rinit -n __rinit_before_program -s P -l pause -d 'Hold the namespace open and reap'
complete -c rinit -n __rinit_before_program -l diagnose -d 'Will this container stop?'
complete -c rinit -n __rinit_before_program -l json -d 'Diagnosis for programs'
complete -c rinit -n __rinit_before_program -l pid -x -a '(__fish_complete_pids)' -d 'Diagnose the container of this process'
complete -c rinit -n __rinit_before_program -s h -l help -d 'Print the options'
complete -c rinit -n __rinit_before_program -s V -l version -d 'Print the version'
complete -c rinit -n __rinit_before_program -s l -s L -l license -d 'Print the licence'
complete -c rinit -x -a '(__rinit_arguments)'
