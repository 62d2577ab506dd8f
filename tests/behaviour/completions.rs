//! The completions, in the real shells.

use std::process::Command;
use support::running::run;
use support::{in_repository, needs, require, require_for_part, test};

/// A command line, words that must be among its completions, and words that must not be.
type Case = (&'static str, &'static [&'static str], &'static [&'static str]);

const CASES: &[Case] = &[
    ("rinit --to ", &["main", "group", "all"], &["Cargo.toml"]),
    ("rinit --forward ", &["all", "handled"], &["Cargo.toml"]),
    ("rinit --on-main-exit ", &["drain", "wait", "finish", "exit"], &["Cargo.toml"]),
    ("rinit --log-format ", &["text", "json"], &["Cargo.toml"]),
    (
        "rinit --stop-signal ",
        &["HUP", "USR1", "TERM"],
        &["DEBUG", "EXIT", "KILL", "STOP", "SIGJUNK", "ZERR", "CHLD", "Cargo.toml"],
    ),
    ("rinit -p ", &["HUP", "KILL"], &["DEBUG", "EXIT", "Cargo.toml"]),
    ("rinit --gr", &["--grace"], &["--drain"]),
    ("rinit --grace ", &[], &["Cargo.toml", "docs"]),
    ("rinit --workdir ", &["docs/"], &["Cargo.toml"]),
    ("rinit --user ro", &["root"], &["rootfs"]),
    ("rinit --rlimit nof", &["nofile="], &[]),
    ("rinit --grace 3 env", &["env"], &["--grace"]),
    // The program's own options and files.
    ("rinit -- probe-me --pro", &["--probe-option"], &["--env"]),
    ("rinit -v --to main probe-me --pro", &["--probe-option"], &["--env"]),
    ("rinit -- cat Cargo.t", &["Cargo.toml"], &[]),
];

fn check(shell: &str, command: impl Fn(&str) -> Command) {
    for (line, wanted, unwanted) in CASES {
        let finished = run(command(line));
        // zsh and fish may add a description, and bash does not mark a directory by itself.
        let offered: Vec<&str> =
            finished.out.iter().filter_map(|line| line.split(['\t', ' ']).next()).map(|word| word.trim()).collect();
        let has = |word: &&str| {
            let bare = word.trim_end_matches(['/', '=']);
            offered.iter().any(|offered| offered.trim_end_matches(['/', '=']) == bare)
        };
        let missing: Vec<_> = wanted.iter().filter(|word| !has(word)).collect();
        let surplus: Vec<_> = unwanted.iter().filter(|word| has(word)).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{shell}: {line:?}: {missing:?} {surplus:?} in {finished:#?}"
        );
    }
}

fn shell(program: &str, arguments: &[&str], line: &str) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(line).current_dir(in_repository("."));
    // fish writes its history and variables at home, where the user's own would change what is offered.
    let home = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("completions-home");
    command.env("COMPLETIONS", in_repository("docs/completions")).env("HOME", home);
    command
}

/// What readline does with the function: the words split as bash splits them, and the word list back.
const BASH: &str = r#"
    probe_me() { COMPREPLY=($(compgen -W '--probe-option' -- "$2")); }
    complete -F probe_me probe-me
    [[ $PACKAGE ]] && . "$PACKAGE"
    . "$COMPLETIONS/rinit.bash"
    COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
    read -ra COMP_WORDS <<<"$1"
    [[ $1 == *' ' ]] && COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _rinit rinit "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
    printf '%s\n' "${COMPREPLY[@]}"
"#;

#[test]
fn in_bash() {
    require(needs::programs(&["bash"]));
    let with = |package: &'static str| {
        move |line: &str| {
            let mut command = shell("bash", &["-c", BASH, "bash"], line);
            command.env("PACKAGE", package);
            command
        }
    };
    check("bash", with(""));
    let package = "/usr/share/bash-completion/bash_completion";
    if require_for_part(std::fs::metadata(package).map_err(|_| "not installed: bash-completion")).is_some() {
        check("bash with bash-completion", with(package));
    }
}

#[test]
fn in_fish() {
    require(needs::programs(&["fish"]));
    let script = "complete -c probe-me -l probe-option
        source $COMPLETIONS/rinit.fish
        complete -C $argv[1]";
    check("fish", |line| shell("fish", &["--no-config", "-c", script], line));
}

/// zsh completes only on a terminal: one is made with `zpty`, and the list is what the completion system would insert.
const ZSH: &str = r#"
    zmodload zsh/zpty
    comptest() {
        zpty z zsh -f -i
        zpty -w z "PS1=; PROMPT=; unsetopt beep prompt_cr zle_bracketed_paste; TERM=dumb"
        zpty -w z "fpath=($COMPLETIONS \$fpath); autoload -Uz compinit; compinit -u -D"
        zpty -w z '_probe_me() { _arguments --probe-option }; compdef _probe_me probe-me'
        zpty -w z 'compadd() { local -a words; builtin compadd -A words "$@"; builtin compadd "$@"; local code=$?
            print -l -- "OFFER:"${^words} >>$OFFERS; return code }'
        zpty -w z "OFFERS=$OFFERS; show() { zle complete-word; zle kill-whole-line; print END >>\$OFFERS }; zle -N show"
        zpty -w z "zle -N show; bindkey '^X' show; zstyle ':completion:*' list-prompt ''; setopt no_list_beep no_auto_menu"
        zpty -w z 'print STARTED >>$OFFERS'
        while ! grep -q STARTED $OFFERS; do sleep 0.05; done
        zpty -n -w z "$1"$'\x18'
        while ! grep -q END $OFFERS; do sleep 0.05; zpty -r -t z >/dev/null; done
        zpty -d z
    }
    OFFERS=$(mktemp)
    comptest "$1"
    sed -n 's/^OFFER://p' $OFFERS
    rm -f $OFFERS
"#;

#[test]
fn in_zsh() {
    require(needs::programs(&["zsh"]));
    check("zsh", |line| shell("zsh", &["-f", "-c", ZSH, "zsh"], line));
}
