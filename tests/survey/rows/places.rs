//! A container that shares its PID namespace with others, and real containers of Docker's.

use crate::row::{InitProgram, Row, Space, quote};

const FAMILY: &str = "place";

const ALL: &[InitProgram] = &[InitProgram::None, InitProgram::Rinit, InitProgram::Tini];

/// A neighbour that refuses: a diagnosis of it instead of the container itself is seen.
const REFUSES: &str = "sh -c \"trap '' TERM; sleep 1000 & wait\"";

/// A pod's sandbox.
const PAUSE: &str = "rinit --pause";

struct Program {
    name: &'static str,
    command: String,
    culprit: Option<&'static str>,
    certain: &'static [InitProgram],
}

fn programs() -> Vec<Program> {
    let shell = |script: &str| format!("bash -c {}", quote(script));
    vec![
        Program { name: "sleep", command: "sleep 1000".to_owned(), culprit: None, certain: ALL },
        Program {
            name: "a program that ignores TERM",
            command: shell("trap '' TERM; sleep 1000 & wait"),
            culprit: Some("trap '' TERM"),
            certain: ALL,
        },
        Program {
            name: "trap, server in the background, wait",
            command: shell("trap 'kill $!; exit 0' TERM; sleep 1000 & wait"),
            culprit: None,
            certain: &[],
        },
        Program {
            name: "trap, child in the foreground",
            command: shell("trap 'exit 0' TERM; sleep 1000; true"),
            culprit: Some("trap 'exit 0' TERM"),
            certain: &[],
        },
    ]
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (what, space, neighbour) in [
        ("in a pod with a pause process", Space::Shared, PAUSE),
        ("in a pod whose first process refuses", Space::Shared, REFUSES),
        ("in the host's PID namespace", Space::Host, PAUSE),
        ("by Docker", Space::Docker, PAUSE),
        ("by Docker, --pid=container: of one that refuses", Space::DockerShared, REFUSES),
        ("by Docker, --pid=host", Space::DockerHost, PAUSE),
    ] {
        for program in programs() {
            let mut row = Row::new(FAMILY, format!("{}, {what}", program.name), program.command)
                .needs(&["bash"])
                .certain(program.certain)
                .spaces(&[space])
                .neighbour(neighbour);
            row.culprit = program.culprit;
            // PID 1 without a handler is another matter where it is PID 1.
            if space == Space::Docker && program.name == "sleep" {
                row = row.culprit("sleep 1000");
            }
            row.gate = match space {
                Space::Shared => neighbour == PAUSE || program.name == "sleep",
                Space::Host => program.name.contains("TERM") || program.name == "sleep",
                Space::DockerHost => false,
                _ => program.name == "sleep",
            };
            rows.push(row);
        }
    }
    rows.extend(as_an_ordinary_user());
    rows
}

/// Without CAP_SYS_PTRACE root may not read all of `/proc` of another uid's processes.
fn as_an_ordinary_user() -> Vec<Row> {
    let row = |row: Row| row.user("1000").spaces(&[Space::Own, Space::Docker]);
    let mut rows = vec![
        row(Row::new(FAMILY, "sleep, as an ordinary user", "sleep 1000").culprit("sleep 1000")),
        row(Row::script(
            FAMILY,
            "trap, sleep & wait, as an ordinary user",
            "bash",
            "trap 'exit 0' TERM; sleep 1000 & wait",
        ))
        .gate(),
        row(Row::script(FAMILY, "ignores TERM, as an ordinary user", "bash", "trap '' TERM; sleep 1000 & wait")
            .culprit("trap '' TERM")),
    ];
    for (at, one) in rows.iter_mut().enumerate() {
        one.inits = if at == 0 {
            vec![
                InitProgram::None,
                InitProgram::Rinit,
                InitProgram::Tini,
                InitProgram::DumbInit,
                InitProgram::Catatonit,
            ]
        } else {
            ALL.to_vec()
        };
    }
    rows
}
