//! Entrypoint scripts, in three shells.

use crate::row::{InitProgram, Row, quote};

const FAMILY: &str = "shell";

/// A server as most are: it has handlers of its own, and exits on TERM.
const SERVER: &str =
    r#"perl -e '$SIG{INT} = $SIG{QUIT} = sub { exit }; $SIG{TERM} = sub { exit }; print "up\n"; sleep 1000'"#;

/// What stops under every init and without one.
const ALL: &[InitProgram] = &[InitProgram::None, InitProgram::Rinit, InitProgram::Tini];

struct Idiom {
    name: &'static str,
    script: &'static str,
    culprit: Option<&'static str>,
    certain: &'static [InitProgram],
    gate: bool,
}

/// What every shell is tried with. `SERVER` stands for [`SERVER`].
const IDIOMS: &[Idiom] = &[
    Idiom {
        name: "trap, server in the background, wait",
        script: "trap 'kill $!; exit 0' TERM; SERVER & wait",
        culprit: None,
        certain: &[],
        gate: true,
    },
    Idiom {
        name: "trap, sleep in the background, wait",
        script: "trap 'kill $!; exit 0' TERM; sleep 1000 & wait $!",
        culprit: None,
        certain: &[],
        gate: true,
    },
    Idiom {
        name: "trap, child in the foreground",
        script: "trap 'exit 0' TERM; sleep 1000; true",
        culprit: Some("trap 'exit 0' TERM; sleep 1000; true"),
        certain: &[],
        gate: true,
    },
    Idiom {
        name: "trap, polling loop",
        script: "trap 'exit 0' TERM; while :; do sleep 0.2; done",
        culprit: None,
        certain: &[],
        gate: true,
    },
    Idiom {
        name: "trap, polling loop on the server",
        script: "trap 'kill $p; exit 0' TERM; SERVER & p=$!; while kill -0 $p; do sleep 1; done",
        culprit: None,
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "no trap, child in the foreground",
        script: "sleep 1000; true",
        culprit: Some("sleep 1000; true"),
        certain: ALL,
        gate: true,
    },
    Idiom { name: "exec", script: "exec sleep 1000", culprit: Some("sleep 1000"), certain: ALL, gate: true },
    Idiom { name: "exec server", script: "exec SERVER", culprit: None, certain: &[], gate: false },
    Idiom {
        name: "trap on EXIT, child in the foreground",
        script: "trap 'echo bye' EXIT; sleep 1000; true",
        culprit: Some("trap 'echo bye' EXIT"),
        certain: &[],
        gate: true,
    },
    Idiom {
        name: "job control, trap, server in the background, wait",
        script: "set -m; trap 'kill $!; exit 0' TERM; SERVER & wait $!",
        culprit: None,
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "ignores TERM",
        script: "trap '' TERM; sleep 1000 & wait",
        culprit: Some("trap '' TERM"),
        certain: ALL,
        gate: true,
    },
    Idiom {
        name: "a trap that does nothing",
        script: "trap 'echo no' TERM; while :; do sleep 0.5; done",
        culprit: Some("trap 'echo no' TERM"),
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "trap that forwards TERM and waits",
        script: "trap 'kill -TERM $p' TERM; SERVER & p=$!; wait $p; wait $p",
        culprit: None,
        certain: &[],
        gate: true,
    },
    Idiom {
        name: "trap that forwards TERM to a server that ignores it",
        script: "trap 'kill -TERM $p; wait $p' TERM; (trap '' TERM; exec sleep 1000) & p=$!; wait $p",
        culprit: Some("sleep 1000"),
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "trap, pipeline in the foreground",
        script: "trap 'exit 0' TERM; SERVER | cat; true",
        culprit: Some("trap 'exit 0' TERM"),
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "trap, pipeline in the background, wait",
        script: "trap 'kill $!; exit 0' TERM; SERVER | cat & wait",
        culprit: None,
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "trap, command substitution",
        script: "trap 'exit 0' TERM; x=$(sleep 1000); echo $x",
        culprit: Some("trap 'exit 0' TERM"),
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "trap in a subshell, no trap in the shell",
        script: "(trap 'exit 0' TERM; sleep 1000 & wait); true",
        culprit: Some("(trap 'exit 0' TERM"),
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "trap, daemon by a double fork, endless sleep & wait",
        script: "trap 'exit 0' TERM; (setsid sleep 2000 >/dev/null 2>&1 &); sleep infinity & wait",
        culprit: None,
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "daemon by a double fork, tail -f in the foreground",
        script: "(setsid sleep 2000 >/dev/null 2>&1 &); tail -f /dev/null; true",
        culprit: Some("tail -f /dev/null"),
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "exec tail -f, as in many images",
        script: "(setsid sleep 2000 >/dev/null 2>&1 &); exec tail -f /dev/null",
        culprit: Some("tail -f /dev/null"),
        certain: ALL,
        gate: false,
    },
    Idiom {
        name: "trap kill 0, two servers, wait",
        script: "trap 'trap - TERM; kill 0; exit 0' TERM; sleep 1000 & sleep 1001 & wait",
        culprit: None,
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "trap, read from a fifo",
        script: "trap 'exit 0' TERM; mkfifo $D/fifo; read x <$D/fifo; true",
        culprit: None,
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "trap, while read from a server",
        script: "trap 'exit 0' TERM; SERVER | while read x; do echo $x; done; true",
        culprit: Some("trap 'exit 0' TERM"),
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "trap, loop that restarts the server",
        script: "trap 'kill $p; exit 0' TERM; while :; do SERVER & p=$!; wait $p; done",
        culprit: None,
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "loop that restarts the server in the foreground",
        script: "while :; do SERVER; sleep 1; done",
        culprit: Some("while :; do"),
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "a worker that ignores TERM below a shell that exits",
        script: "trap 'exit 0' TERM; (trap '' TERM; exec sleep 1000) & wait",
        culprit: Some("sleep 1000"),
        certain: &[],
        gate: true,
    },
    Idiom {
        name: "a stopped child, waited for",
        script: "trap 'kill $p; wait $p' TERM; sleep 1000 & p=$!; kill -STOP $p; wait $p; wait $p",
        culprit: None,
        certain: &[],
        gate: false,
    },
    Idiom {
        name: "nohup server in the background, wait without a trap",
        script: "nohup sleep 1000 & wait",
        culprit: Some("nohup sleep 1000 & wait"),
        certain: ALL,
        gate: false,
    },
];

const SHELLS: &[(&str, &str)] = &[("bash", "bash"), ("dash", "dash"), ("busybox sh", "busybox")];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (shell, program) in SHELLS {
        for idiom in IDIOMS {
            let name = format!("{shell}: {}", idiom.name);
            let mut row = Row::script(FAMILY, name, shell, &idiom.script.replace("SERVER", SERVER));
            row = row.needs(&[program, "perl"]).certain(idiom.certain);
            row.culprit = idiom.culprit;
            // bash waits for a foreground child as it waits for others; the other shells do not.
            if *shell != "bash" && idiom.name == "trap, child in the foreground" {
                row = row.certain(&[InitProgram::None, InitProgram::Tini]);
            }
            if idiom.script.contains("SERVER") {
                row = row.ready("pgrep perl");
            }
            // The shells differ in how they wait: the gate tries that in all, the rest in one.
            let differs =
                ["trap, server in the background, wait", "trap, child in the foreground", "trap, polling loop"];
            row.gate = idiom.gate && (*shell == "bash" || differs.contains(&idiom.name));
            rows.push(row);
        }
    }
    // The watcher of busybox is not a child of the command that it terminates.
    rows.push(
        Row::script(
            FAMILY,
            "dash: trap, busybox timeout in the foreground",
            "dash",
            "trap 'exit 0' TERM; busybox timeout 6 sleep 1000; true",
        )
        .needs(&["dash", "busybox"])
        .ready("pgrep -x sleep")
        .gate(),
    );
    rows.extend(to_the_group());
    rows.extend(bash_alone());
    rows.extend(interactive());
    rows
}

/// Inits that give the signal to the foreground child too.
fn to_the_group() -> Vec<Row> {
    let inits = [InitProgram::RinitGroup, InitProgram::RinitAll, InitProgram::TiniGroup, InitProgram::DumbInit];
    let mut rows = Vec::new();
    for (shell, program) in SHELLS {
        let mut add = |name: &str, script: &str| {
            let row = Row::script(FAMILY, format!("{shell}: {name}"), shell, script).needs(&[program]).inits(&inits);
            rows.push(if *shell == "bash" { row.gate() } else { row });
        };
        add("trap, child in the foreground, signals to the group", "trap 'exit 0' TERM; sleep 1000; true");
        add("no trap, child in the foreground, signals to the group", "sleep 1000; true");
    }
    rows
}

fn bash_alone() -> Vec<Row> {
    let bash = |name: &str, script: &str| {
        let script = script.replace("SERVER", SERVER);
        Row::script(FAMILY, format!("bash: {name}"), "bash", &script).needs(&["bash", "perl"])
    };
    let script_file = |name: &str, script: &str| {
        let setup = format!("printf '%s\\n' {} >$D/entrypoint; chmod 755 $D/entrypoint", quote(script));
        Row::new(FAMILY, name, "$D/entrypoint sleep 1000").setup(setup)
    };
    vec![
        // What yes leaves in the pipe keeps rinit from asking sleep before its last call.
        bash("a reader that does not read", "yes | sleep 1000")
            .inits(&[InitProgram::Rinit, InitProgram::RinitLate])
            .ready("pgrep -x sleep")
            .culprit("sleep 1000")
            .gate(),
        bash("wait -n for two servers", "trap 'kill $(jobs -p); exit 0' TERM; SERVER & sleep 1000 & wait -n").gate(),
        bash("trap, coprocess and read", "trap 'exit 0' TERM; coproc cat; read x <&${COPROC[0]}; true"),
        bash("trap, read from a process substitution", "trap 'exit 0' TERM; while read x; do echo $x; done < <(SERVER)"),
        bash("trap, read with a timeout in a loop", "trap 'exit 0' TERM; while ! read -t 1 x < /dev/zero; do :; done; wait; read x <> <(:)"),
        bash("polling by read -t", "exec 3<> <(:); trap 'exit 0' TERM; while :; do read -t 0.5 -u 3 x; done"),
        bash("busy loop with a trap", "trap 'exit 0' TERM; while :; do :; done"),
        bash("one command is exec'ed", "sleep 1000").culprit("sleep 1000").certain(ALL),
        script_file("entrypoint file: set -e, exec \"$@\"", "#!/bin/sh\nset -e\n: set up\nexec \"$@\"")
            .culprit("sleep 1000")
            .certain(ALL)
            .gate(),
        script_file("entrypoint file: \"$@\" without exec", "#!/bin/sh\nset -e\n\"$@\"\necho done")
            .culprit("entrypoint")
            .certain(ALL)
            .gate(),
        script_file(
            "entrypoint file: trap and \"$@\" &",
            "#!/bin/bash\nstop() { kill -TERM \"$child\"; wait \"$child\"; exit 0; }\ntrap stop TERM INT\n\"$@\" &\nchild=$!\nwait \"$child\"",
        )
        .needs(&["bash"])
        .gate(),
        bash("below sh: the inner shell has the trap", "sh -c 'trap \"exit 0\" TERM; sleep 1000 & wait'; true")
            .culprit("sh -c"),
    ]
}

fn interactive() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, command, program) in [
        ("bash: interactive on a terminal", "bash --norc -i", "bash"),
        ("dash: interactive on a terminal", "dash -i", "dash"),
        ("busybox sh: interactive on a terminal", "busybox sh -i", "busybox"),
    ] {
        let row = Row::new(FAMILY, name, command).needs(&[program]).terminal();
        rows.push(if program == "bash" { row.gate() } else { row });
    }
    rows.push(
        Row::new(FAMILY, "bash: interactive, a program in the foreground", "bash --norc -i -c 'sleep 1000; true'")
            .needs(&["bash"])
            .terminal(),
    );
    rows
}
