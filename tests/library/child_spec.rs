//! `ChildSpec`: a started program checks its own state.
//!
//! Each test has a process of its own, because the exclusive mode reaps every child of the process.
#![allow(unsafe_code)] // To close standard descriptors.

use rinit_core::{ChildSpec, Error, ExitStatus, ProcessGroup, Reaper, Signal, Stdio, User, WaitStatus};
use rustix::fs::MemfdFlags;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use support::{needs, require, require_for_part, test};

fn shell(script: &str) -> ChildSpec {
    ChildSpec::new("sh").args(["-c", script])
}

/// What the child writes to standard output, and how it exits.
fn output(spec: &ChildSpec) -> (String, ExitStatus) {
    let mut child = Reaper::exclusive().expect("reaper").spawn(&spec.clone().stdout(Stdio::piped())).expect("spawn");
    let mut said = String::new();
    child.take_stdout().expect("a pipe").read_to_string(&mut said).expect("read");
    (said, child.wait().expect("wait"))
}

/// A file with this content, read from the start.
fn file(content: &str) -> File {
    let mut file = File::from(rustix::fs::memfd_create("test", MemfdFlags::CLOEXEC).expect("memfd"));
    file.write_all(content.as_bytes()).expect("write");
    file.rewind().expect("rewind");
    file
}

fn is_close_on_exec(fd: impl AsFd) -> bool {
    rustix::io::fcntl_getfd(fd).expect("fcntl").contains(rustix::io::FdFlags::CLOEXEC)
}

#[test(own_process)]
fn standard_descriptors() {
    let reaper = Reaper::exclusive().expect("reaper");
    let spec = shell("cat; echo complaint >&2; exit 3");
    let spec = spec.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = reaper.spawn(&spec).expect("spawn");
    child.take_stdin().expect("a pipe").write_all(b"said").expect("write");
    let (mut said, mut complaint) = (String::new(), String::new());
    child.take_stdout().expect("a pipe").read_to_string(&mut said).expect("read");
    child.take_stderr().expect("a pipe").read_to_string(&mut complaint).expect("read");
    assert_eq!((said.as_str(), complaint.as_str()), ("said", "complaint\n"));
    assert_eq!(child.wait().expect("wait"), ExitStatus::Code(3));
    assert!(child.take_stdin().is_none() && child.take_stdout().is_none() && child.take_stderr().is_none());

    // A pipe that was not taken is closed by the wait: `cat` would read for ever.
    let mut child = reaper.spawn(&ChildSpec::new("cat").stdin(Stdio::piped())).expect("spawn");
    assert_eq!(child.wait().expect("wait"), ExitStatus::Code(0));

    let (said, _) =
        output(&shell("readlink /proc/self/fd/0 /proc/self/fd/2").stdin(Stdio::null()).stderr(Stdio::null()));
    assert_eq!(said, "/dev/null\n/dev/null\n");
    let own = std::fs::read_link("/proc/self/fd/2").expect("standard error").display().to_string();
    let (said, _) = output(&shell("readlink /proc/self/fd/2").stderr(Stdio::inherit()));
    assert_eq!(said.trim_end(), own);
}

#[test(own_process)]
fn one_file_for_two_descriptors() {
    let mut log = file("");
    let to_log = Stdio::fd(log.try_clone().expect("duplicate"));
    let spec = shell("echo one; echo two >&2; echo three").stdout(to_log.clone()).stderr(to_log);
    let reaper = Reaper::exclusive().expect("reaper");
    // A specification can be started again.
    for _ in 0..2 {
        reaper.spawn(&spec).expect("spawn").wait().expect("wait");
    }
    let mut written = String::new();
    log.rewind().expect("rewind");
    log.read_to_string(&mut written).expect("read");
    assert_eq!(written, "one\ntwo\nthree\none\ntwo\nthree\n");
}

#[test(own_process)]
fn two_descriptors_change_places() {
    let (a, b) = (file("a"), file("b"));
    let (at_a, at_b) = (a.as_raw_fd(), b.as_raw_fd());
    // By number the shell could only name 0 to 9.
    let script = format!("cat /proc/self/fd/{at_a} /proc/self/fd/{at_b}");
    let (said, _) = output(&shell(&script).pass_fd(a, at_b).pass_fd(b, at_a));
    assert_eq!(said, "ba");
    // A ring of three, of which the standard output is one.
    let (x, y) = (file("x"), file("y"));
    let (at_x, at_y) = (x.as_raw_fd(), y.as_raw_fd());
    let script = format!("cat /proc/self/fd/{at_x} <&0");
    let (said, _) = output(&shell(&script).pass_fd(y, at_x).pass_fd(x, 0));
    assert_eq!(said, "y");
    let (said, _) = output(&ChildSpec::new("cat").pass_fd(file("first"), 0).stdin(Stdio::fd(file("last"))));
    assert_eq!(said, "last", "the last call counts");
    assert!(at_y > 2);
}

#[test(own_process)]
fn many_descriptors_over_everything_that_is_open() {
    // Whatever this process has open, the pipe by which the child reports included, lies at one of these numbers.
    let mut files: Vec<(i32, File)> = (3..40).map(|number| (number, file(&format!("{number} ")))).collect();
    files.reverse();
    let mut spec = shell("for fd in $(seq 3 39); do cat /proc/self/fd/$fd; done");
    for (number, file) in files {
        spec = spec.pass_fd(file, number);
    }
    let expected: Vec<String> = (3..40).map(|number| number.to_string()).collect();
    let (said, status) = output(&spec);
    assert_eq!((said.trim_end(), status), (expected.join(" ").as_str(), ExitStatus::Code(0)));
}

#[test(own_process)]
fn a_descriptor_under_its_own_number() {
    let file = file("mine");
    let number = file.as_raw_fd();
    let kept = file.as_fd().try_clone_to_owned().expect("duplicate");
    let spec = shell(&format!("cat /proc/self/fd/{number}")).pass_fd(file, number);
    assert_eq!(output(&spec).0, "mine");
    assert!(is_close_on_exec(&kept), "a duplicate for this process");
    let reopened = File::open(format!("/proc/self/fd/{number}")).expect("still open: the specification lives");
    drop(spec);
    assert!(File::open(format!("/proc/self/fd/{number}")).is_err(), "closed with the specification");
    drop(reopened);
    // Another child, of the same moment, would not have got it.
    let (said, _) = output(&shell(&format!("test -e /proc/self/fd/{number} || echo none")));
    assert_eq!(said, "none\n");
}

#[test(own_process)]
fn nothing_else_is_passed() {
    let spec = ChildSpec::new("ls").arg("/proc/self/fd").stdin(Stdio::null()).stderr(Stdio::null());
    let lines = |text: String| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    // Whoever runs the tests may have left descriptors open that are not close-on-exec: they are inherited as ever.
    let mut expected = lines(output(&spec).0);
    let _open = file("not for the child");
    let with_two = spec.pass_fd(file("7"), 47).pass_fd(file("9"), 49);
    expected.extend(["47".to_owned(), "49".to_owned()]);
    assert_eq!(lines(output(&with_two).0), expected);
}

#[test(own_process)]
fn nothing_is_written_to_closed_standard_descriptors() {
    for number in [0, 1] {
        // SAFETY: nothing in this process uses them; the scenario reports by its panic, on standard error.
        assert_eq!(unsafe { libc::close(number) }, 0);
    }
    let reaper = Reaper::exclusive().expect("reaper");
    let mut child = reaper.spawn(&ChildSpec::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped())).expect("spawn");
    let (mut stdin, mut stdout) = (child.take_stdin().expect("a pipe"), child.take_stdout().expect("a pipe"));
    assert!(stdin.as_raw_fd() > 2 && stdout.as_raw_fd() > 2);
    stdin.write_all(b"through").expect("write");
    drop(stdin);
    let mut said = String::new();
    stdout.read_to_string(&mut said).expect("read");
    assert_eq!((said.as_str(), child.wait().expect("wait")), ("through", ExitStatus::Code(0)));
    // What is opened for the child may get one of them here, and must not keep it there.
    let (said, _) =
        output(&shell("readlink /proc/self/fd/2; test -e /proc/self/fd/1 && echo open").stderr(Stdio::null()));
    assert_eq!(said, "/dev/null\nopen\n");
}

#[test(own_process)]
fn an_impossible_number_is_an_error() {
    let reaper = Reaper::exclusive().expect("reaper");
    for number in [-1, i32::MAX] {
        let error = reaper.spawn(&ChildSpec::new("true").pass_fd(file(""), number)).expect_err("no such number");
        assert!(matches!(error, Error::Descriptor { number: told, .. } if told == number), "{error:?}");
        assert_eq!(error.exit_code(), 125);
    }
    assert!(rustix::process::waitpid(None, rustix::process::WaitOptions::NOHANG).is_err(), "a child is left");
}

#[test(own_process)]
fn a_failed_start_is_reported_beside_passed_descriptors() {
    let mut spec = ChildSpec::new("/no/such/program");
    for number in 0..20 {
        let null = OwnedFd::from(File::open("/dev/null").expect("/dev/null"));
        spec = spec.pass_fd(null, number);
    }
    let before = std::fs::read_dir("/proc/self/fd").expect("descriptors").count();
    let error = Reaper::exclusive().expect("reaper").spawn(&spec).expect_err("not there");
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    assert_eq!(std::fs::read_dir("/proc/self/fd").expect("descriptors").count(), before, "a descriptor is left");
}

#[test(own_process)]
fn an_environment_from_nothing() {
    let spec = ChildSpec::new("/usr/bin/env").env("LOST", "1").env_clear().env("A", "1").env("B", "2").env_remove("B");
    assert_eq!(output(&spec).0, "A=1\n");
    let spec = ChildSpec::new("/usr/bin/env").env_clear().user(User::resolve("0").expect("root"));
    if require_for_part(needs::root()).is_some() {
        assert_eq!(output(&spec).0, "", "no HOME either");
    }
}

#[test(own_process)]
fn a_std_command_becomes_the_same_child() {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "echo $A $B $PWD \"$@\"", "sh", "x y", "z"]).env("A", "1").env_remove("HOME").current_dir("/");
    let spec = ChildSpec::from(&command).env("B", "2");
    assert_eq!(output(&spec), ("1 2 / x y z\n".to_owned(), ExitStatus::Code(0)));
}

fn pseudoterminal() -> (File, OwnedFd) {
    let pty = rustix_openpty::openpty(None, None).expect("a pseudoterminal");
    (File::from(pty.controller), pty.user)
}

/// The specification with the terminal as its three standard descriptors, and as what `terminal` makes of it.
fn at_terminal(spec: ChildSpec, terminal: OwnedFd) -> ChildSpec {
    let at = || Stdio::fd(terminal.try_clone().expect("duplicate"));
    let spec = spec.stdin(at()).stdout(at()).stderr(at());
    spec.terminal(terminal)
}

#[test(own_process)]
fn a_session_with_a_terminal() {
    let (mut keyboard, terminal) = pseudoterminal();
    let spec = shell("trap 'exit 7' INT; echo ready >/dev/tty; while :; do sleep 0.01; done")
        .process_group(ProcessGroup::Session);
    let mut child = Reaper::exclusive().expect("reaper").spawn(&at_terminal(spec, terminal)).expect("spawn");
    let mut shown = [0; 5];
    keyboard.read_exact(&mut shown).expect("read");
    assert_eq!(&shown, b"ready");
    // The terminal's ^C reaches its session's foreground, which is the child.
    keyboard.write_all(b"\x03").expect("type");
    assert_eq!(child.wait().expect("wait"), ExitStatus::Code(7));
}

#[test(own_process)]
fn the_foreground_of_a_terminal() {
    let (mut screen, terminal) = pseudoterminal();
    let this = std::env::current_exe().expect("the path of this program");
    let spec = ChildSpec::new(this).env("RINIT_TEST_ROLE", "shell").process_group(ProcessGroup::Session);
    let mut child = Reaper::exclusive().expect("reaper").spawn(&at_terminal(spec, terminal)).expect("spawn");
    let (mut shown, mut part) = (Vec::new(), [0; 4096]);
    // Until the last process at the terminal has closed it.
    while let Ok(count @ 1..) = rustix::io::read(&screen, &mut part[..]) {
        shown.extend_from_slice(&part[..count]);
        if part[..count].windows(4).any(|word| word == b"^Z?\r") {
            screen.write_all(b"\x1a").expect("type");
        }
    }
    assert_eq!(child.wait().expect("wait"), ExitStatus::Code(0), "{}", String::from_utf8_lossy(&shown));
}

/// Runs a job as a shell does, at its own controlling terminal.
pub(crate) fn as_a_shell() {
    let tty = || OwnedFd::from(File::options().read(true).write(true).open("/dev/tty").expect("a terminal"));
    let reaper = Reaper::exclusive().expect("reaper");
    // The third field after the name is the process group, the sixth the terminal's foreground group (proc_pid_stat(5)).
    let fields = "set -- $(sed 's/.*) //' /proc/$$/stat);";
    // A background process's read would stop it: the job has the foreground from its first instruction.
    let foreground = format!("{fields} test $6 -eq $3 && exit 3");
    let mut job = reaper.spawn(&shell(&foreground).terminal(tty())).expect("spawn");
    assert_eq!(job.wait().expect("wait"), ExitStatus::Code(3));
    // Without it the job is in the background.
    let mut job = reaper.spawn(&shell(&format!("{fields} test $6 -ne $3"))).expect("spawn");
    assert_eq!(job.wait().expect("wait"), ExitStatus::Code(0));
    // There a read stops it, which `wait` would never tell.
    let mut job = reaper.spawn(&shell("read line </dev/tty")).expect("spawn");
    assert_eq!(job.wait_change().expect("wait"), WaitStatus::Stopped(Signal::TTIN));
    job.kill().expect("kill");
    job.wait().expect("wait");
    // ^Z stops only a job in the foreground, not this shell.
    let mut job = reaper.spawn(&shell("echo '^Z?'; exec sleep 1000").terminal(tty())).expect("spawn");
    assert_eq!(job.wait_change().expect("wait"), WaitStatus::Stopped(Signal::TSTP));
    job.signal(Signal::CONT).expect("CONT");
    assert_eq!(job.wait_change().expect("wait"), WaitStatus::Continued);
    job.kill().expect("kill");
    job.wait().expect("wait");
}

#[test(own_process)]
fn no_terminal_is_an_error() {
    let reaper = Reaper::exclusive().expect("reaper");
    for group in [ProcessGroup::Own, ProcessGroup::Session] {
        let spec = ChildSpec::new("true").process_group(group).terminal(File::open("/dev/null").expect("/dev/null"));
        let error = reaper.spawn(&spec).expect_err("no terminal");
        assert!(matches!(error, Error::Terminal(_)), "{error:?}");
    }
    assert!(rustix::process::waitpid(None, rustix::process::WaitOptions::NOHANG).is_err(), "a child is left");
}

#[test(own_process)]
fn a_user_by_numbers() {
    require(needs::root());
    let user = User::from_ids(4321, 4322, [4323, 4324]).expect("a user");
    let (said, _) = output(&shell("echo $(id -u) $(id -g) $(id -G) $HOME").user(user));
    assert_eq!(said, "4321 4322 4322 4323 4324 /\n");
}

#[test(own_process)]
fn a_parent_death_signal_survives_a_change_of_user() {
    require(needs::root());
    require(needs::programs(&["python3"]));
    // A change of user clears the request, so that it must come after it. What was asked for can be seen by the process
    // alone: PR_GET_PDEATHSIG.
    let user = User::from_ids(65534, 65534, [65534]).expect("nobody");
    let script = "import ctypes; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n)); print(n.value)";
    let python = ChildSpec::new("python3").args(["-c", script]).current_dir("/");
    assert_eq!(output(&python.clone().user(user.clone())).0, "0\n");
    assert_eq!(output(&python.user(user).parent_death_signal(Signal::TERM)).0, "15\n");
}
