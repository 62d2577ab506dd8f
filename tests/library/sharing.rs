//! Libraries that share one process: several reapers, claims from anywhere, forwarders beside threads.
//!
//! Each test changes what belongs to its process, so it has a process of its own. This program is also the host that is
//! stopped (`stopped_host`).

use rinit_core::cooperative::{self, CooperativeReaper};
use rinit_core::process::{Process, signal_process};
use rinit_core::{
    ChildSpec, Error, ExitStatus, Pid, Reaper, Signal, SignalForwarder, SignalSet, WaitStatus, become_subreaper, claim,
};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use support::{test, wait_until};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command
}

fn is_zombie(child: &Child) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
}

/// Makes an orphan and waits until it was reaped: whatever was a zombie before and counts as an orphan is reaped, too.
#[track_caller]
fn an_orphan_comes_and_goes() {
    let reaped = cooperative::stats().reaped;
    assert!(shell("(exit 0 &)").status().expect("a status").success());
    wait_until("the orphan is reaped", || cooperative::stats().reaped > reaped);
}

fn reaper() -> CooperativeReaper {
    Reaper::cooperative().expect("a reaper")
}

#[test(own_process)]
fn a_claim_holds_against_every_reaper() {
    let _subreaper = become_subreaper().expect("subreaper");
    // Before there is any reaper: a library need not know.
    let mut early = claim(|| shell("exit 6").spawn()).expect("spawn");
    let one = reaper().settle(SHORT).start().expect("a thread");
    let two = reaper().settle(SHORT).start().expect("a thread");
    let mut late = claim(|| shell("exit 7").spawn()).expect("spawn");
    wait_until("both are zombies", || is_zombie(&early) && is_zombie(&late));
    an_orphan_comes_and_goes();
    drop(one);
    an_orphan_comes_and_goes();
    assert_eq!(early.wait().expect("its status").code(), Some(6));
    assert_eq!(late.wait().expect("its status").code(), Some(7));
    drop(two);
    assert_eq!(cooperative::stats().reapers, 0);
}

#[test(own_process)]
fn a_pipeline_is_one_claim() {
    let _subreaper = become_subreaper().expect("subreaper");
    let _reaper = reaper().settle(SHORT).start().expect("a thread");
    let stages = || (1..=3).map(|code| shell(&format!("exit {code}")).spawn()).collect::<Result<Vec<_>, _>>();
    let mut pipeline = claim(stages).expect("spawn");
    wait_until("all are zombies", || pipeline.iter().all(is_zombie));
    an_orphan_comes_and_goes();
    let codes: Vec<_> = pipeline.iter_mut().map(|child| child.wait().expect("its status").code()).collect();
    assert_eq!(codes, [Some(1), Some(2), Some(3)]);
}

#[test(own_process)]
fn the_longest_settling_time_holds() {
    let _subreaper = become_subreaper().expect("subreaper");
    let _hasty = reaper().settle(Duration::from_millis(50)).start().expect("a thread");
    let patient = reaper().settle(Duration::from_secs(3600)).start().expect("a thread");
    let mut child = shell("exit 8").spawn().expect("spawn");
    wait_until("it settles", || cooperative::stats().settling == 1);
    let checks = cooperative::stats().checks;
    wait_until("it was checked again and again", || cooperative::stats().checks > checks + 8);
    assert_eq!(child.wait().expect("its status").code(), Some(8));
    drop(patient);
    an_orphan_comes_and_goes();
}

#[test(own_process)]
fn every_reaper_returns_every_orphan() {
    let _subreaper = become_subreaper().expect("subreaper");
    let one = reaper().settle(SHORT).start().expect("a thread");
    let two = reaper().settle(SHORT).start().expect("a thread");
    assert!(shell("(exit 41 &)").status().expect("a status").success());
    for reaper in [&one, &two] {
        let orphan = reaper.next(LONG).expect("no failure").expect("an orphan");
        assert_eq!(orphan.status, ExitStatus::Code(41));
    }
    assert_eq!(cooperative::stats().reaped, 1);
}

#[test(own_process)]
fn a_detached_reaper_goes_on() {
    become_subreaper().expect("subreaper").keep();
    reaper().settle(SHORT).start().expect("a thread").detach();
    an_orphan_comes_and_goes();
    let again = become_subreaper().expect("subreaper");
    assert!(again.was_set());
    drop(again);
    an_orphan_comes_and_goes();
}

#[test(own_process)]
fn exclusive_and_cooperative_exclude_each_other() {
    let cooperative = reaper();
    let error = Reaper::exclusive().expect_err("a cooperative reaper runs");
    assert!(matches!(error, Error::OtherReaper { running: "Reaper::cooperative", .. }), "{error}");
    drop(cooperative);
    let exclusive = [Reaper::exclusive().expect("a reaper"), Reaper::exclusive().expect("another one")];
    let error = Reaper::cooperative().expect_err("an exclusive reaper runs");
    let message = "cannot start Reaper::cooperative: Reaper::exclusive runs in this process already";
    assert!(error.to_string().starts_with(message), "{error}");
    drop(exclusive);
    drop(reaper());
}

#[test(own_process)]
fn children_of_an_exclusive_reaper_keep_their_status() {
    let _subreaper = become_subreaper().expect("subreaper");
    let exclusive = Reaper::exclusive().expect("a reaper");
    let mut child = exclusive.spawn(&ChildSpec::new("sh").args(["-c", "exit 9"])).expect("spawn");
    drop(exclusive);
    let _reaper = reaper().settle(SHORT).start().expect("a thread");
    an_orphan_comes_and_goes();
    an_orphan_comes_and_goes();
    assert_eq!(child.wait().expect("its status"), ExitStatus::Code(9));
}

/// The host is stopped for longer than the settling time, right after its reaper has seen a zombie.
#[test(own_process)]
fn a_stopped_process_loses_no_settling_time() {
    let this = std::env::current_exe().expect("this program");
    let mut host = Command::new(this)
        .env("RINIT_TEST_ROLE", "stopped_host")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(host.stdout.take().expect("a pipe")).lines();
    assert_eq!(lines.next().expect("a line").expect("text"), "seen");
    let process = Process::read(Pid::try_from(host.id()).expect("a pid")).expect("/proc").expect("it lives");
    signal_process(&process, Signal::STOP).expect("STOP");
    std::thread::sleep(Duration::from_secs(3));
    signal_process(&process, Signal::CONT).expect("CONT");
    writeln!(host.stdin.take().expect("a pipe")).expect("a line");
    assert!(host.wait().expect("its status").success(), "the status was taken");
}

pub(crate) fn stopped_host() {
    let _subreaper = become_subreaper().expect("subreaper");
    let _reaper = reaper().start().expect("a thread");
    let mut child = shell("exit 7").spawn().expect("spawn");
    wait_until("it settles", || cooperative::stats().settling == 1);
    println!("seen");
    std::io::stdin().read_line(&mut String::new()).expect("a line");
    // Time for the reaper to make a mistake, and well within the settling time.
    std::thread::sleep(SHORT);
    assert_eq!(child.wait().expect("its status").code(), Some(7));
}

/// A flood rule is in force only if every reaper has one; by default none has.
#[test(own_process)]
fn a_flood_shortens_nothing_by_itself() {
    let _subreaper = become_subreaper().expect("subreaper");
    let long = Duration::from_secs(225);
    let plain = reaper().settle(long).start().expect("a thread");
    let _hasty = reaper().settle(long).flood(1, Duration::from_millis(1)).start().expect("a thread");
    let flood = shell("i=0; while [ $i -lt 50 ]; do (exit 5 &); i=$((i+1)); done").status();
    assert!(flood.expect("a status").success());
    let mut child = shell("exit 7").spawn().expect("spawn");
    wait_until("a flood of zombies", || cooperative::stats().settling == 51);
    let checks = cooperative::stats().checks;
    wait_until("many checks", || cooperative::stats().checks > checks + 8);
    assert_eq!(cooperative::stats().settling, 51);
    assert_eq!(child.wait().expect("its status").code(), Some(7));
    // Without the other reaper the rule holds, and shortens 225 s to 4.5.
    drop(plain);
    wait_until("all to be reaped", || cooperative::stats().reaped == 50);
}

/// What the front page recommends where nothing can be claimed.
#[test(own_process)]
fn a_main_thread_that_is_left_idle_loses_nothing() {
    let _subreaper = become_subreaper().expect("subreaper");
    let _reaper = reaper().settle(SHORT).start().expect("a thread");
    let body = || {
        let mut child = shell("exit 7").spawn().expect("spawn");
        wait_until("it is a zombie", || is_zombie(&child));
        an_orphan_comes_and_goes();
        an_orphan_comes_and_goes();
        child.wait().expect("its status").code()
    };
    assert_eq!(std::thread::spawn(body).join().expect("no panic"), Some(7));
}

#[test(own_process)]
fn a_forwarder_refuses_a_thread_that_would_receive_its_signals() {
    let signals = SignalSet::from_iter([Signal::TERM, Signal::HUP]);
    let (end, ended) = mpsc::channel::<()>();
    let thread = std::thread::Builder::new().name("greedy".to_owned()).spawn(move || ended.recv()).expect("a thread");
    wait_until("it has its name", || {
        let tasks = std::fs::read_dir("/proc/self/task").expect("the threads").flatten();
        tasks
            .into_iter()
            .any(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name == "greedy\n"))
    });
    let error = SignalForwarder::new(signals).expect_err("a thread would take the signals");
    assert!(
        matches!(&error, Error::SignalNotBlocked { signals: open, thread } if *open == signals && thread == "greedy")
    );
    assert!(error.to_string().contains("greedy"), "{error}");
    drop(end);
    thread.join().expect("no panic").expect_err("its sender is gone");
    // Threads that inherit the mask, and those of this crate, receive nothing.
    let first = SignalForwarder::new(signals).expect("a single thread");
    let (end, ended) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || ended.recv());
    let _reaper = reaper().start().expect("a thread");
    let second = SignalForwarder::new(signals).expect("all threads block them");
    drop((end, second, first));
    thread.join().expect("no panic").expect_err("its sender is gone");
}

#[test(own_process)]
fn a_forwarded_signal_reaches_a_child_of_std() {
    let forwarder = SignalForwarder::new(SignalSet::only(Signal::TERM)).expect("a forwarder");
    let mut child = forwarder.unblock_in(Command::new("sleep").arg("60")).spawn().expect("spawn");
    signal_process(&Process::read(Pid::this()).expect("/proc").expect("this"), Signal::TERM).expect("TERM");
    let mut received = None;
    wait_until("it has come", || {
        received = forwarder.try_next().expect("no failure");
        received.is_some()
    });
    let pid = Pid::try_from(child.id()).expect("a pid");
    forwarder.forward(&received.expect("TERM"), pid).expect("forwarded");
    assert_eq!(child.wait().expect("its status").signal(), Some(15));
}

#[test(own_process)]
fn a_stop_and_a_continuation_are_seen() {
    let reaper = Reaper::exclusive().expect("a reaper");
    let mut child = reaper.spawn(&ChildSpec::new("sleep").arg("60")).expect("spawn");
    assert_eq!(child.try_wait_change().expect("no failure"), None);
    child.signal(Signal::STOP).expect("STOP");
    // A reaper that is driven meanwhile leaves the news to the handle.
    wait_until("it is stopped", || {
        assert_eq!(reaper.try_next().expect("no failure"), None);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.pid())).expect("it lives");
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    });
    assert_eq!(reaper.try_next().expect("no failure"), None);
    assert_eq!(child.wait_change().expect("no failure"), WaitStatus::Stopped(Signal::STOP));
    assert_eq!(child.try_wait().expect("no failure"), None);
    child.signal(Signal::CONT).expect("CONT");
    assert_eq!(child.wait_change().expect("no failure"), WaitStatus::Continued);
    child.kill().expect("KILL");
    let killed = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
    assert_eq!(child.wait_change().expect("no failure"), WaitStatus::Exited(killed));
    assert_eq!(child.wait_change().expect("no failure"), WaitStatus::Exited(killed));
}
