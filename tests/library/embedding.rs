//! The library as a host uses it: `Init` with observers, `Reaper` with children, in processes of their own.
//!
//! Each test has a process of its own with one thread, because it reaps every child and receives every signal of the process.

use rinit_core::diagnose::Reason;
use rinit_core::init::{Event, NextStep};
use rinit_core::policy::OnMainExit;
use rinit_core::reaper::ReapedChild;
use rinit_core::signal::ReceivedSignal;
use rinit_core::{
    Child, ChildSpec, ExitStatus, Inherited, Init, Reaper, Recipient, Report, Signal, SignalForwarder, SignalSet,
    Stdio, become_subreaper,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;
use support::running::kill;
use support::{needs, probe_path, procfs, require, test, wait_for, wait_until};

fn shell(script: &str) -> ChildSpec {
    ChildSpec::new("sh").args(["-c", script])
}

fn init(script: &str) -> Init {
    Init::new(Inherited::capture().expect("signals"), shell(script))
}

fn run(init: Init) -> Report {
    init.run().expect("main starts")
}

/// A shell that main leaves behind, which ignores TERM; main waits until it does.
const STUBBORN_HELPER: &str =
    "f=$(mktemp -u); mkfifo $f; (trap '' TERM; echo > $f; exec sleep 1000) & read r < $f; rm $f; exit 4";

#[test(own_process)]
fn events_come_in_order() {
    let events = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&events);
    let observer = move |event: &Event| {
        seen.borrow_mut().push(match event {
            Event::Spawned { .. } => "spawned".to_owned(),
            Event::Received(received) => format!("received {}", received.signal()),
            Event::Forwarded { signal, .. } => format!("forwarded {signal}"),
            Event::Adopted { .. } => "adopted".to_owned(),
            Event::Reaped { status, main, .. } => format!("reaped {main} {}", status.exit_code()),
            other => format!("{other:?}"),
        });
    };
    // The orphan has exited, and was reaped, before main exits.
    let script = "trap 'exit 7' TERM; (true &); until [ \"$(cat /proc/$PPID/task/*/children)\" = \"$$ \" ]; do :; done
        kill -TERM $PPID; while :; do sleep 0.01; done";
    let report = run(init(script).observe(observer));
    assert_eq!((report.exit_code(), report.stop_signal), (7, Some(Signal::TERM)));
    assert!(report.stop_took.is_some());
    let events = events.borrow();
    let expected = ["spawned", "adopted", "reaped false 0", "received SIGTERM", "forwarded SIGTERM", "reaped true 7"];
    let mut rest = events.iter();
    for step in expected {
        assert!(rest.any(|event| event == step), "no {step} in its place: {events:?}");
    }
}

#[test(own_process)]
fn a_panicking_observer_stops_nothing() {
    std::panic::set_hook(Box::new(|_| {}));
    let report = run(init("(true &); exit 5").observe(|_| panic!("observer")));
    assert_eq!((report.exit_code(), report.reaped), (5, 2));
    let report = run(init("(true &); exit 6").observe(|_| panic!("observer")));
    assert_eq!((report.exit_code(), report.reaped), (6, 2));
}

#[test(own_process)]
fn a_slow_reader_of_events_stops_nothing() {
    // The observer runs in the loop of the init. Slow work is behind a channel, and reads nothing while the init runs.
    let (events, unread) = mpsc::channel();
    let report = run(init("for i in 1 2 3 4 5 6 7 8 9; do (true &); done; exit 5").observe(move |event| {
        let _ = events.send(format!("{event:?}"));
    }));
    assert_eq!((report.exit_code(), report.reaped), (5, 10));
    assert_eq!(unread.iter().filter(|event| event.starts_with("Reaped")).count(), 10);
}

#[test(own_process)]
fn the_report_names_killed_processes() {
    let report = run(init(STUBBORN_HELPER).drain(Duration::from_millis(200)));
    assert_eq!(report.main, Some(ExitStatus::Code(4)));
    assert_eq!((report.asked, report.killed.len(), report.left_behind.len()), (1, 1, 0));
    let killed = &report.killed[0];
    assert_eq!((killed.reason.clone(), killed.command.as_str()), (Reason::Ignores(Signal::TERM), "sleep 1000"));
}

#[test(own_process)]
fn the_report_names_processes_left_behind() {
    let report = run(init("sleep 1000 & exit 4").on_main_exit(OnMainExit::Exit));
    assert_eq!(report.exit_code(), 4);
    let left: Vec<_> = report.left_behind.iter().map(|process| process.command.as_str()).collect();
    assert!(matches!(left[..], ["sleep 1000" | "sh -c sleep 1000 & exit 4"]), "{left:?}");
    let pid = rustix::process::Pid::from_raw(report.left_behind[0].pid.get()).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kill");
}

/// A debugger that lets go of main in the very moment in which the init leaves.
#[test(own_process)]
fn a_main_that_is_let_go_late_keeps_its_status() {
    require(needs::root());
    let directory = tempfile::tempdir().expect("directory");
    let fifo = |name: &str| {
        let path = directory.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).expect("fifo");
        path.display().to_string()
    };
    let (to_trace, go_on) = (fifo("to-trace"), fifo("go-on"));
    // Not a child: this init would stop it.
    let tracer = format!("(read pid < {to_trace}; exec {} trace $pid) > /dev/null &", probe_path());
    assert!(Command::new("sh").args(["-c", &tracer]).status().expect("sh").success());
    let script = format!("read line < {go_on}; exit 3");
    let mut tracer = 0;
    let left = Rc::new(Cell::new(false));
    let seen = Rc::clone(&left);
    let init = init(&script).grace(Duration::from_millis(100)).observe(move |event| match event {
        Event::Spawned { pid } => {
            let main = pid.get();
            std::fs::write(&to_trace, format!("{main}\n")).expect("tracer");
            tracer = wait_for("the tracer", || {
                let tracer = procfs::field(main, "TracerPid")?.parse().ok()?;
                (tracer != 0).then_some(tracer)
            });
            std::fs::write(&go_on, "\n").expect("main");
            wait_until("a zombie", || procfs::read(main).is_some_and(|process| process.state == 'Z'));
            kill(std::process::id() as i32, 15);
        }
        Event::Remaining { next: NextStep::Leave, .. } => {
            kill(tracer, 9);
            wait_until("the debugger to let go", || !procfs::is_alive(tracer));
            seen.set(true);
        }
        _ => {}
    });
    let report = run(init);
    assert!(left.get(), "main was not left");
    assert_eq!(report.main, Some(ExitStatus::Code(3)), "{report:?}");
}

#[test(own_process)]
fn a_start_that_fails_is_an_error() {
    let inherited = Inherited::capture().expect("signals");
    let failed = |spec: ChildSpec| Init::new(inherited, spec).run().expect_err("does not start");
    assert_eq!(failed(ChildSpec::new("/no/such")).exit_code(), 127);
    assert_eq!(failed(ChildSpec::new("/")).exit_code(), 126);
    let error = failed(ChildSpec::new("true").current_dir("/no/such"));
    assert!(error.to_string().contains("/no/such") && error.exit_code() == 125, "{error}");
    assert!(failed(ChildSpec::new("true").arg("a\0b")).to_string().contains("NUL"));
    assert!(rustix::process::waitpid(None, rustix::process::WaitOptions::NOHANG).is_err(), "a child is left");
}

/// Sleeps until one of the descriptors is readable.
fn poll_on(fds: &[BorrowedFd<'_>]) {
    let mut fds: Vec<_> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let timeout = rustix::event::Timespec { tv_sec: 60, tv_nsec: 0 };
    assert!(rustix::event::poll(&mut fds, Some(&timeout)).expect("poll") > 0, "nothing within a minute");
}

#[test(own_process)]
fn a_reaper_by_poll() {
    let _subreaper = become_subreaper().expect("subreaper");
    let reaper = Reaper::exclusive().expect("reaper");
    let child = reaper.spawn(&shell("(true &); (exit 1 &); exit 9")).expect("spawn");
    let mut ended: Vec<ReapedChild> = Vec::new();
    while ended.len() < 3 {
        poll_on(&[reaper.as_fd()]);
        while let Some(one) = reaper.try_next().expect("next") {
            ended.push(one);
        }
    }
    let own: Vec<_> = ended.iter().filter(|one| one.spawned_here).collect();
    assert_eq!(own.len(), 1);
    assert_eq!((own[0].pid, own[0].status), (child.pid(), ExitStatus::Code(9)));
}

#[test(own_process)]
fn children_by_poll() {
    let reaper = Reaper::exclusive().expect("reaper");
    let mut slow = reaper.spawn(&ChildSpec::new("sleep").arg("1000")).expect("spawn");
    let quick = reaper.spawn(&shell("exit 3")).expect("spawn");
    poll_on(&[slow.as_fd(), quick.as_fd()]);
    assert_eq!(quick.try_wait().expect("wait"), Some(ExitStatus::Code(3)));
    assert_eq!(slow.try_wait().expect("wait"), None);
    slow.signal(Signal::KILL).expect("kill");
    poll_on(&[slow.as_fd()]);
    assert_eq!(slow.wait().expect("wait").signal(), Some(Signal::KILL));
    slow.signal(Signal::KILL).expect("to no process, and no error");
}

#[test(own_process)]
fn a_status_is_kept_until_it_is_asked_for() {
    let reaper = Reaper::exclusive().expect("reaper");
    let mut child = reaper.spawn(&shell("exit 8")).expect("spawn");
    poll_on(&[child.as_fd()]);
    let ended = reaper.try_next().expect("next").expect("it has ended");
    assert_eq!((ended.pid, ended.spawned_here), (child.pid(), true));
    assert_eq!(child.wait().expect("kept"), ExitStatus::Code(8));
    // Dropped before it was asked for its status: reaped all the same.
    drop(reaper.spawn(&shell("exit 1")).expect("spawn"));
    poll_on(&[reaper.as_fd()]);
    while let Some(ended) = reaper.try_next().expect("next") {
        assert!(!ended.spawned_here);
    }
}

#[test(own_process)]
fn a_forwarder_of_all_signals_hides_no_exit_from_a_reaper() {
    let forwarder = SignalForwarder::new(SignalSet::all()).expect("forwarder");
    let reaper = Reaper::exclusive().expect("reaper");
    let child = reaper.spawn(&ChildSpec::new("sh").args(["-c", "exit 4"])).expect("spawn");
    wait_until("the exit by the reaper's descriptor", || {
        assert_eq!(forwarder.try_next().expect("next"), None, "SIGCHLD is not to be forwarded");
        let mut fds = [PollFd::new(&reaper, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut fds, Some(&now)).expect("poll") == 1
    });
    let exited = reaper.try_next().expect("next").expect("the child");
    assert_eq!((exited.pid, exited.status), (child.pid(), ExitStatus::Code(4)));
}

#[test(own_process)]
fn a_forwarder_rewrites_and_restores() {
    let reaper = Reaper::exclusive().expect("reaper");
    let mut rewrite = rinit_core::signal::Rewrite::default();
    rewrite.set(Signal::USR1, Some(Signal::TERM));
    let forwarder = SignalForwarder::new(SignalSet::only(Signal::USR1)).expect("forwarder").rewrite(rewrite);
    let mut child = reaper.spawn(&ChildSpec::new("sleep").arg("1000")).expect("spawn");
    let me = rustix::process::getpid();
    rustix::process::kill_process(me, rustix::process::Signal::USR1).expect("kill");
    poll_on(&[forwarder.as_fd()]);
    let received = forwarder.try_next().expect("next").expect("a signal");
    assert_eq!((received.signal(), received.sender().map(|pid| pid.get())), (Signal::USR1, Some(me.as_raw_pid())));
    forwarder.forward(&received, child.pid()).expect("forward");
    assert_eq!(child.wait().expect("wait").signal(), Some(Signal::TERM));
    let blocked = |what: &str| {
        let status = std::fs::read_to_string("/proc/self/status").expect("status");
        let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).expect("SigBlk").trim().to_owned();
        assert_eq!(u64::from_str_radix(&line, 16).expect("hexadecimal") & (1 << 9) != 0, what == "blocked");
    };
    blocked("blocked");
    drop(forwarder);
    blocked("restored");
}

/// A process group of two, whose helper's pid is returned; a line tells that both run.
fn pair(reaper: &Reaper) -> (Child, i32) {
    let spec = shell("sleep 1000 >/dev/null & echo $!; wait").stdout(Stdio::piped());
    let mut child = reaper.spawn(&spec).expect("spawn");
    let mut line = String::new();
    BufReader::new(child.take_stdout().expect("a pipe")).read_line(&mut line).expect("read");
    (child, line.trim().parse().expect("a pid"))
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// One signal that this process sends itself, as the forwarder receives it.
fn received(forwarder: &SignalForwarder) -> ReceivedSignal {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).expect("kill");
    poll_on(&[forwarder.as_fd()]);
    forwarder.try_next().expect("next").expect("a signal")
}

#[test(own_process)]
fn a_forwarder_reaches_each_recipient() {
    let _subreaper = become_subreaper().expect("subreaper");
    let forwarder = SignalForwarder::new(SignalSet::only(Signal::TERM)).expect("forwarder");
    let reaper = Reaper::exclusive().expect("reaper");
    let mut by_whom = Vec::new();
    for recipient in ["child", "process", "group", "process group", "descendants"] {
        let (mut child, helper) = pair(&reaper);
        let to = match recipient {
            "child" => Recipient::Child(&child),
            "process" => child.pid().into(),
            "group" => Recipient::Group(&child),
            "process group" => Recipient::ProcessGroup(child.pid()),
            _ => Recipient::Descendants,
        };
        forwarder.forward(&received(&forwarder), to).expect("forward");
        assert_eq!(child.wait().expect("wait").signal(), Some(Signal::TERM), "{recipient}");
        if ["child", "process"].contains(&recipient) {
            assert!(is_alive(helper), "{recipient}");
            let pid = rustix::process::Pid::from_raw(helper).expect("a pid");
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kill");
        }
        wait_until("the helper's end", || !is_alive(helper));
        by_whom.push(child);
    }
    // They have exited: no process gets the signal, and that is not an error.
    for child in &by_whom {
        for to in
            [Recipient::Child(child), Recipient::Group(child), Recipient::Process(child.pid()), Recipient::Descendants]
        {
            forwarder.forward(&received(&forwarder), to).expect("to no process");
        }
    }
}

#[test(own_process)]
fn a_forwarder_keeps_queued_values() {
    let forwarder = SignalForwarder::new(realtime()).expect("forwarder");
    let reaper = Reaper::exclusive().expect("reaper");
    let mut child = reaper.spawn(&role("receiver").stdout(Stdio::piped())).expect("spawn");
    let mut lines = BufReader::new(child.take_stdout().expect("a pipe")).lines();
    assert_eq!(lines.next().expect("a line").expect("read"), "ready");
    let sent = reaper.spawn(&role("sender")).expect("spawn");
    poll_on(&[forwarder.as_fd()]);
    let received = forwarder.try_next().expect("next").expect("a signal");
    assert_eq!((received.value(), received.sender()), (Some(77), Some(sent.pid())));
    forwarder.forward(&received, &child).expect("forward");
    assert_eq!(lines.next().expect("a line").expect("read"), "Some(77)");
    assert!(child.wait().expect("wait").success());
}

fn realtime() -> SignalSet {
    SignalSet::only(Signal::new(40).expect("a signal"))
}

/// This program in another role, in a process of its own.
fn role(name: &str) -> ChildSpec {
    ChildSpec::new(std::env::current_exe().expect("the path of this program")).env("RINIT_TEST_ROLE", name)
}

/// Queues a signal for its parent, with a value.
pub(crate) fn sender() {
    let parent = rustix::process::getppid().expect("a parent").as_raw_pid();
    support::running::queue(parent, 40, 77);
}

/// Says with which value a signal came.
pub(crate) fn receiver() {
    let forwarder = SignalForwarder::new(realtime()).expect("forwarder");
    println!("ready");
    poll_on(&[forwarder.as_fd()]);
    println!("{:?}", forwarder.try_next().expect("next").expect("a signal").value());
}

#[test(own_process)]
fn a_forwarder_covers_threads_that_come_later() {
    let forwarder = SignalForwarder::new(SignalSet::only(Signal::TERM)).expect("forwarder");
    // Idle threads. A signal that is not blocked in them would terminate this process.
    let (hold, held) = mpsc::channel::<()>();
    let worker = std::thread::spawn(move || held.recv().is_err());
    for _ in 0..100 {
        assert_eq!(received(&forwarder).signal(), Signal::TERM);
    }
    drop(hold);
    assert!(worker.join().expect("no panic"));
}

#[test(own_process)]
fn the_subreaper_attribute_is_given_back() {
    let is_one = || rustix::process::child_subreaper().expect("prctl").is_some();
    assert!(!is_one());
    // In whatever order they are dropped.
    for order in [[0, 1], [1, 0]] {
        let mut both = [become_subreaper(), become_subreaper()].map(|one| Some(one.expect("subreaper")));
        assert_eq!(both.each_ref().map(|one| one.as_ref().expect("it").was_set()), [false, true]);
        for index in order {
            assert!(is_one());
            both[index] = None;
        }
        assert!(!is_one());
    }
    // What other code has set stays set.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("prctl");
    let ours = become_subreaper().expect("subreaper");
    assert!(ours.was_set());
    drop(ours);
    assert!(is_one());
}
