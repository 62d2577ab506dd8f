//! What a hostile main, a hostile helper or a hostile directory cannot do: docs/threat-model.md.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::rinit::Rinit;
use support::running::{Running, number_in, run};
use support::{
    is_root, namespace, needs, probe_path, procfs, require, require_for_part, rinit, rinit_path, test, wait_until,
};
use tempfile::TempDir;

/// A name that tries everything: a line of its own, an escape, a title, a bell, a byte that is no UTF-8, a text that runs
/// backwards, quotes.
const HOSTILE: &[u8] = b"x\nrinit: FORGED\r\x1b[2J\x1b]0;t\x07\x7f\xff\xc2\x9b'\" \xe2\x80\xae(\\";

/// The persona, and how each of its lines begins.
const PERSONAS: &[(&str, &[&str])] = &[
    ("rinit", &["rinit: "]),
    ("tini", &["[", "rinit: "]),
    ("dumb-init", &["[dumb-init] ", "rinit: "]),
    ("catatonit", &["DEBUG (", "WARN (", "ERROR (", "FATAL (", "catatonit: ", "rinit: ", "<"]),
    ("pidunu", &["pidunu: ", "failed to exec ", "rinit: "]),
];

/// A directory with the probe under a hostile name, and rinit under each of its names.
struct Hostile {
    directory: TempDir,
}

impl Hostile {
    fn new() -> Self {
        let hostile = Self { directory: tempfile::tempdir().expect("a directory") };
        symlink(probe_path(), hostile.program()).expect("a link to the probe");
        for (name, _) in PERSONAS {
            symlink(rinit_path(), hostile.path(name)).expect("a link to rinit");
        }
        hostile
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The probe under a hostile name, which the kernel takes for the process's.
    fn program(&self) -> PathBuf {
        self.directory.path().join(OsStr::from_bytes(HOSTILE))
    }
}

/// No byte drives a terminal, and every line begins as one of these.
#[track_caller]
fn assert_harmless(output: &[u8], beginnings: &[&str]) {
    let text = std::str::from_utf8(output).unwrap_or_else(|_| panic!("no UTF-8: {}", output.escape_ascii()));
    for line in text.lines() {
        let bad = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!line.chars().any(bad), "{line:?}");
        assert!(!line.starts_with("rinit: FORGED"), "{text}");
        assert!(beginnings.iter().any(|beginning| line.starts_with(beginning)), "{line:?} in {text}");
    }
}

#[test]
fn a_hostile_name_forges_no_line_of_a_stop() {
    require(namespace::available());
    let hostile = Hostile::new();
    for (name, beginnings) in PERSONAS {
        let mut inner = Command::new(hostile.path(name));
        match *name {
            "rinit" => _ = inner.arg("-vvvw"),
            "tini" => _ = inner.arg("-vvvw"),
            "dumb-init" => _ = inner.arg("-v"),
            "pidunu" => {}
            _ => _ = inner.args(["--"]),
        }
        // Every message about a process is printed about it: terminated, waited for, killed.
        inner.env("RINIT_GRACE", "300ms").arg(hostile.program()).args(["ignore", "TERM"]);
        let mut command = namespace::as_pid_1(&inner);
        let (errors, out) = (hostile.path("err"), hostile.path("out"));
        let file = |path: &Path| Stdio::from(std::fs::File::create(path).expect("a file"));
        command.stdin(Stdio::null()).stdout(file(&out)).stderr(file(&errors));
        let mut running = Running::start_bare(command);
        let read = |path: &Path| std::fs::read(path).expect("what was said");
        wait_until("main", || read(&out).windows(5).any(|word| word == b"ready"));
        namespace::find_init(&mut running);
        running.signal(15);
        assert_eq!(running.wait(), 137, "{name}: {}", read(&errors).escape_ascii());
        let said = read(&errors);
        assert!(String::from_utf8_lossy(&said).contains("ignores SIGTERM"), "{name}: {}", said.escape_ascii());
        assert_harmless(&said, beginnings);
    }
}

#[test]
fn a_hostile_name_forges_no_line_of_an_error() {
    let hostile = Hostile::new();
    let name = OsStr::from_bytes(HOSTILE);
    let nowhere = OsString::from_vec([b"/nowhere/", HOSTILE].concat());
    let script = hostile.path("script");
    std::fs::write(&script, [b"#!", HOSTILE].concat()).expect("a script");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("its mode");
    for (persona, beginnings) in PERSONAS {
        for words in [&[name][..], &[&nowhere], &[script.as_os_str()]] {
            let output = Command::new(hostile.path(persona)).args(words).stdin(Stdio::null()).output().expect("run");
            assert!(!output.status.success(), "{persona} {words:?}");
            assert!(*persona == "pidunu" || !output.stderr.is_empty(), "{persona} {words:?} says nothing");
            assert_harmless(&output.stderr, beginnings);
            assert_harmless(&output.stdout, &["Usage", " ", "tini", "catatonit", "dumb-init"]);
        }
    }
    let with = |option: &str| OsString::from_vec([option.as_bytes(), b"=", HOSTILE].concat());
    for option in ["--user", "--workdir", "--env", "--rewrite", "--grace", "--to", "--stop-signal", "--no-such"] {
        let output = Command::new(hostile.path("rinit")).arg(with(option)).arg("true").output().expect("run rinit");
        assert_eq!(output.status.code(), Some(125), "{option}");
        assert_harmless(&output.stderr, &["rinit: "]);
    }
    let output = Command::new(hostile.path("rinit")).env("RINIT_GRACE", name).arg("true").output().expect("run rinit");
    assert_harmless(&output.stderr, &["rinit: RINIT_GRACE: "]);
    // The name under which it is started may be hostile, too.
    for words in [&["--help"][..], &[], &["--no-such"], &["true", "--no-such"]] {
        for file in ["tini", "dumb-init", "catatonit"] {
            use std::os::unix::process::CommandExt;
            let mut command = Command::new(hostile.path(file));
            let called = OsString::from_vec([HOSTILE, b"/", file.as_bytes()].concat());
            let output = command.arg0(called).args(words).stdin(Stdio::null()).output().expect("run");
            let said = [output.stdout, output.stderr].concat();
            let bad = |byte: &u8| byte.is_ascii_control() && *byte != b'\n' && *byte != b'\t';
            assert!(!said.iter().any(bad), "{file} {words:?}: {}", said.escape_ascii());
        }
    }
}

#[test]
fn a_hostile_name_forges_no_line_of_a_diagnosis() {
    require(namespace::available());
    let hostile = Hostile::new();
    for json in [false, true] {
        // A process that does not stop, and a zombie whose parent has become a program that never waits: both of that name. The
        // shell finds it by a pattern, since the probe takes no argument that is not UTF-8.
        let script = "for it in \"$1\"/x*; do program=$it; done; \"$program\" ignore TERM & \
                      (\"$program\" exit 0 & exec sleep 1000) & \
                      until [ -e \"$1/go\" ]; do sleep 0.05; done; \"$2\" --diagnose $3; exit 0";
        let mut inner = Command::new(hostile.program());
        inner.args(["launch", "--ignore", "USR1", "--", "sh", "-c", script, "sh"]);
        inner.arg(hostile.directory.path()).arg(rinit_path());
        if json {
            inner.arg("--json");
        }
        let out = hostile.path("diagnosis");
        let mut command = namespace::as_pid_1(&inner);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command.stdout(Stdio::from(std::fs::File::create(&out).expect("a file")));
        let mut running = Running::start_bare(command);
        let read = || std::fs::read(&out).expect("what was said");
        wait_until("the helper", || read().starts_with(b"ready"));
        wait_until("the zombie", || {
            procfs::descendants(running.outer_pid()).iter().any(|process| process.state == 'Z')
        });
        std::fs::write(hostile.path("go"), "").expect("a file");
        assert_eq!(running.wait(), 0);
        std::fs::remove_file(hostile.path("go")).expect("remove it");
        let said = read();
        let begin = said.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
        let said = &said[begin..];
        assert!(String::from_utf8_lossy(said).contains("FORGED"), "{}", said.escape_ascii());
        let verdicts = ["will stop: ", "will not stop: ", "cannot be told: ", "{\"schema\""];
        let lines =
            ["PID ", "Keeps it from", "Depends on:", "Does not act", "  pid ", "  what helps: ", "    what helps: "];
        let zombies = ["1 zombie ", "2 zombies ", "3 zombies ", "4 zombies "];
        let beginnings = [&verdicts[..], &lines, &zombies].concat();
        assert_harmless(said, &beginnings);
    }
}

/// The paths that a traced program has named to the kernel, as `strace` writes them.
fn named_paths(trace: &str) -> Vec<String> {
    let calls = trace.lines().filter(|line| !line.contains("+++") && !line.contains("---"));
    let first_text = |line: &str| line.split('"').nth(1).map(str::to_owned);
    calls.filter_map(first_text).collect()
}

#[test]
fn nothing_is_read_from_the_working_directory() {
    require(needs::programs(&["strace"]));
    let directory = tempfile::tempdir().expect("a directory");
    // What a program might look for where it stands.
    for name in ["passwd", "group", "sh", "true", "rinit", "rinit.toml", ".env", "libc.so.6", "libgcc_s.so.1", "core"] {
        std::fs::write(directory.path().join(name), "#!/bin/false\n").expect("a file");
        std::fs::set_permissions(directory.path().join(name), PermissionsExt::from_mode(0o755)).expect("its mode");
    }
    let hostile = Hostile::new();
    let user: &[&str] = if is_root() { &["--user", "nobody", "true"] } else { &["true"] };
    for (persona, words) in [
        ("rinit", &["true"][..]),
        ("rinit", user),
        (
            "rinit",
            &["-vvv", "-w", "--grace", "1s", "--workdir", "/", "--env", "A=B", "--session", "sh", "-c", "true & true"],
        ),
        ("rinit", &["no-such-program"]),
        ("rinit", &["--diagnose"]),
        ("rinit", &["--help"]),
        ("tini", &["-s", "true"]),
        ("dumb-init", &["true"]),
        ("catatonit", &["true"]),
        ("pidunu", &["/bin/true"]),
    ] {
        let trace = directory.path().join("trace");
        let mut strace = Command::new("strace");
        // Only rinit and its child up to its execve: what main opens does not matter.
        strace.args(["-f", "-qq", "-e", "trace=%file", "-o"]).arg(&trace).arg(hostile.path(persona)).args(words);
        // Empty entries, which execvp(3) takes for the working directory.
        strace.env("PATH", ":/usr/bin:/bin:").current_dir(directory.path());
        strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        strace.status().expect("run strace");
        let text = std::fs::read_to_string(&trace).expect("the trace");
        let own = text.lines().next().and_then(|line| line.split(' ').next()).expect("rinit's pid").to_owned();
        let rinits: String =
            text.lines().filter(|line| line.starts_with(&own)).map(|line| format!("{line}\n")).collect();
        let mut paths = named_paths(&rinits);
        // In the other processes only up to their own execve, which replaces rinit's code.
        let execs = text.lines().filter(|line| !line.starts_with(&own) && line.contains("execve("));
        paths.extend(named_paths(&execs.map(|line| format!("{line}\n")).collect::<String>()));
        assert!(paths.len() > 1, "{text}");
        // "" with AT_EMPTY_PATH means the descriptor.
        let relative: BTreeSet<_> = paths.iter().filter(|path| !path.is_empty() && !path.starts_with('/')).collect();
        // A shell's own words are not rinit's: `true` of `sh -c 'true & true'` is found in PATH by the shell.
        assert_eq!(relative, BTreeSet::new(), "{persona} {words:?}: {text}");
    }
}

#[test]
fn no_variable_changes_the_user() {
    let names = [
        "RINIT_USER",
        "RINIT_GROUP",
        "RINIT_UID",
        "RINIT_WORKDIR",
        "RINIT_ENV",
        "RINIT_SESSION",
        "RINIT_PROGRAM",
        "RINIT_SUBREAPER",
        "RINIT_MIRROR_SIGNAL",
        "RINIT_PAUSE",
        "RINIT_DIAGNOSE",
        "RINIT_E",
        "TINI_USER",
        "DUMB_INIT_USER",
        "USER",
        "LOGNAME",
        "SUDO_UID",
        "UID",
    ];
    let plain = Rinit::new().probe(&["state"]).run();
    let mut command = rinit(["--", probe_path(), "state"]);
    for name in names {
        command.env(name, "nobody");
    }
    let told = run(command);
    let same = |lines: &[String]| {
        let differs = ["pid=", "ppid=", "pgid=", "fds="];
        lines.iter().filter(|line| !differs.iter().any(|name| line.starts_with(name))).cloned().collect::<Vec<_>>()
    };
    assert_eq!(same(&told.out), same(&plain.out));
    assert_eq!((told.code, told.err), (0, vec![]));
}

#[test]
fn main_has_no_descriptor_of_rinits_whatever_the_options() {
    let numbers = |line: &str| -> Vec<i32> {
        let words = line.trim_start_matches("fds=").split(' ');
        words.filter_map(|word| word.split(':').next()?.parse().ok()).collect()
    };
    let descriptors = |command| {
        let out = run(command).out;
        numbers(out.iter().find(|line| line.starts_with("fds=")).expect("descriptors"))
    };
    let without_rinit = descriptors(support::probe(["state"]));
    let root: &[&str] = if is_root() { &["--user", "0:0"] } else { &["--env", "A=B"] };
    for options in [
        &[][..],
        &["-vvv", "-w"],
        &["--session", "-g"],
        &["--grace", "1h", "--stop-delay", "1s", "--forward", "handled", "--to", "all"],
        &["-p", "TERM", "--mirror-signal", "--workdir", "/"],
        root,
    ] {
        let words = [options, &["--", probe_path(), "state"]].concat();
        assert_eq!(descriptors(rinit(&words)), without_rinit, "{options:?}");
        if require_for_part(namespace::available()).is_some() {
            assert_eq!(descriptors(namespace::as_pid_1(&rinit(&words))), without_rinit, "{options:?} as PID 1");
        }
    }
}

/// A directory that a user may write to: the program is found in it, and the directory is exchanged for a link at any time.
#[test]
fn files_that_the_user_may_replace_are_checked_as_the_user() {
    require(needs::root());
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).expect("its mode");
    let secret = directory.path().join("secret");
    std::fs::create_dir(&secret).expect("a directory");
    std::fs::copy("/bin/true", secret.join("program")).expect("a program");
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o700)).expect("its mode");
    // The user's own, with links to what only root may enter.
    let own = directory.path().join("own");
    std::fs::create_dir(&own).expect("a directory");
    symlink(&secret, own.join("link")).expect("a link");
    symlink(secret.join("program"), own.join("program")).expect("a link");
    std::os::unix::fs::chown(&own, Some(65534), Some(65534)).expect("chown");
    let own = own.to_str().expect("UTF-8");
    let as_nobody =
        |options: &[&str], program: &str| run(rinit([&["--user", "65534:65534"], options, &["--", program]].concat()));
    // By its path, by PATH, and as the working directory: refused for the user, although root could.
    assert_eq!(as_nobody(&[], &format!("{own}/program")).code, 126);
    assert_eq!(as_nobody(&[], &format!("{own}/link/program")).code, 126);
    assert_eq!(as_nobody(&["--env", &format!("PATH={own}/link:{own}")], "program").code, 126);
    assert_eq!(as_nobody(&["--workdir", &format!("{own}/link")], "/bin/true").code, 125);
    assert_eq!(Rinit::new().program(&[&format!("{own}/program")]).run().code, 0, "as root it runs");
}

/// Where main may not signal, trace or look into rinit by the kernel's own rules, rinit has opened no other door.
#[test]
fn a_main_of_another_user_cannot_touch_rinit() {
    require(needs::root());
    let script = "kill -TERM $PPID && echo killed; cat /proc/$PPID/environ >/dev/null && echo environ; \
                  cat /proc/$PPID/mem >/dev/null && echo mem; ls /proc/$PPID/fd && echo fd; \
                  ls -l /proc/$PPID/cwd/ /proc/$PPID/root/ && echo cwd; echo end";
    let mut command = rinit(["--user", "65534:65534", "--", "sh", "-c", script]);
    command.env("SECRET", "of root's");
    let finished = run(command);
    assert_eq!((finished.code, finished.out), (0, vec!["end".to_owned()]), "{:?}", finished.err);
}

/// A helper that forges a line with its pid in the log can be recognised: pids are the kernel's.
#[test]
fn the_pid_in_a_line_is_the_kernels() {
    let hostile = Hostile::new();
    let mut command = Command::new(rinit_path());
    command.args(["-v", "--grace", "200ms", "--"]).arg(hostile.program()).args(["ignore", "TERM"]);
    let mut running = Running::start(command);
    let main = number_in(&running.out.wait("ready"), "pid");
    running.signal(15);
    let finished = running.finished();
    let named = finished.err.iter().filter(|line| line.starts_with(&format!("rinit:   pid {main} (ppid "))).count();
    assert!(named >= 1, "{:#?}", finished.err);
}
