//! Signals reach the right processes, each once.

use support::rinit::Rinit;
use support::running::{Running, number_in};
use support::{namespace, needs, probe_path, procfs, require, rinit, test, wait_until};

/// What main got, as numbers, from `got …` lines of that pid.
fn got(running: &Running, pid: i32) -> Vec<i32> {
    let own = format!("pid={pid}");
    let lines = running.out.all();
    let mine = lines.iter().filter(|line| line.starts_with("got ") && line.ends_with(&own));
    mine.filter_map(|line| line.split(' ').nth(1)?.parse().ok()).collect()
}

/// Sends each signal that can be sent, one after the other, and ends it with two TERM.
#[track_caller]
fn every_signal(mut running: Running) {
    let main = number_in(&running.out.wait("ready"), "pid");
    // CHLD is rinit's own; KILL and STOP never arrive; TERM comes last.
    let sent: Vec<i32> = (1..=64).filter(|signal| ![9, 15, 17, 19].contains(signal)).collect();
    for signal in &sent {
        running.signal(*signal);
        running.out.wait(&format!("got {signal} "));
    }
    running.signal(15);
    running.out.wait("got 15 ");
    running.signal(15);
    assert_eq!(running.wait(), 0);
    wait_until("the end of the output", || running.out.ended());
    assert_eq!(got(&running, main), [&sent[..], &[15, 15]].concat());
}

#[test]
fn every_signal_arrives_once_under_pid_1() {
    require(namespace::available());
    every_signal(Rinit::new().probe(&["signals"]).as_pid_1().start());
}

#[test]
fn every_signal_arrives_once_under_a_subreaper() {
    every_signal(Rinit::new().probe(&["signals"]).start());
}

#[test]
fn every_signal_arrives_once_at_a_group() {
    every_signal(Rinit::with(&["-g"]).probe(&["signals"]).start());
}

#[test]
fn real_time_signals_queue_and_none_is_lost() {
    let mut running = Rinit::new().probe(&["signals"]).start();
    let main = number_in(&running.out.wait("ready"), "pid");
    // While rinit stands still they pile up. rinit takes one of each kind in a round, so that a flood of one hides no stop; which
    // of several kinds main takes first depends on when it gets its turn.
    running.signal(libc::SIGSTOP);
    wait_until("rinit to stand still", || procfs::read(running.pid()).is_some_and(|process| process.state == 'T'));
    for signal in [64, 40, 34, 40, 50, 34, 40] {
        running.signal(signal);
    }
    running.signal(libc::SIGCONT);
    running.out.wait("got 64 ");
    running.signal(15);
    running.out.wait("got 15 ");
    running.signal(15);
    assert_eq!(running.wait(), 0);
    let mut all = got(&running, main);
    all.retain(|signal| *signal >= 34);
    all.sort_unstable();
    assert_eq!(all, [34, 34, 40, 40, 40, 50, 64]);
}

/// Main and a helper of its process group or, with `setsid`, of another session: both say what they get.
struct Pair {
    running: Running,
    main: i32,
    helper: i32,
}

impl Pair {
    #[track_caller]
    fn start(options: &[&str], helper: &str) -> Self {
        let script = format!("{helper} \"$0\" signals --exit-on 15:0 & exec \"$0\" signals --exit-on 15:0");
        let words = [options, &["--", "sh", "-c", &script, probe_path()]].concat();
        let running = Running::start(rinit(words));
        running.out.wait_nth("ready", 2);
        let lines = running.out.all();
        let of_rinit = |line: &&String| number_in(line, "ppid") == running.pid();
        let main = number_in(lines.iter().find(of_rinit).expect("main"), "pid");
        let helper = number_in(lines.iter().find(|line| !of_rinit(line)).expect("the helper"), "pid");
        Self { running, main, helper }
    }

    /// Sends USR1, stops both, and returns how often each got USR1: main first.
    #[track_caller]
    fn usr1(mut self) -> (usize, usize) {
        self.running.signal(10);
        self.running.out.wait("got 10 ");
        // Main ends by it, and rinit then tells the helper. Lower numbers come first, so that each has said all of its
        // USR1 before its TERM.
        self.running.signal(15);
        assert_eq!(self.running.wait(), 0);
        wait_until("the end of the output", || self.running.out.ended());
        let count = |pid| got(&self.running, pid).iter().filter(|signal| **signal == 10).count();
        (count(self.main), count(self.helper))
    }
}

#[test]
fn main_alone_by_default() {
    assert_eq!(Pair::start(&[], "").usr1(), (1, 0));
    assert_eq!(Pair::start(&["-c"], "").usr1(), (1, 0));
    assert_eq!(Pair::start(&["--to", "main"], "").usr1(), (1, 0));
}

#[test]
fn the_group_with_g() {
    assert_eq!(Pair::start(&["-g"], "").usr1(), (1, 1));
    assert_eq!(Pair::start(&["--to", "group"], "").usr1(), (1, 1));
    assert_eq!(Pair::start(&["-g"], "setsid").usr1(), (1, 0), "another session is another group");
}

/// Main moves to the group of its second child. The first one stays in the group that was made for main.
const MOVES_TO_ANOTHER_GROUP: &str = "
import os, signal, sys, time
def says(name, status):
    def got(number, frame):
        os.write(1, f'{name} got {number}\\n'.encode())
        if number == 15:
            os._exit(status)
    for number in (10, 15):
        signal.signal(number, got)
def child(name):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        if name == 'new':
            os.setpgid(0, 0)
        says(name, 0)
        os.close(write)
        while True:
            time.sleep(60)
    os.close(write)
    os.read(read, 1)
    os.close(read)
    return pid
child('old')
group = child('new')
says('main', 7)
os.setpgid(0, group)
os.write(1, b'ready\\n')
while True:
    time.sleep(60)
";

#[test]
fn a_main_that_left_its_group_gets_signals_for_the_group() {
    require(needs::programs(&["python3"]));
    Rinit::with(&["-g"]).program(&["python3", "-c", MOVES_TO_ANOTHER_GROUP]).everywhere(|mut running| {
        running.out.wait("ready");
        running.signal(10);
        for name in ["old", "new", "main"] {
            running.out.wait(&format!("{name} got 10"));
        }
        running.signal(15);
        let finished = running.finished();
        assert_eq!(finished.code, 7);
        let mut said = finished.out;
        said.sort();
        // Each once.
        assert_eq!(
            said,
            ["main got 10", "main got 15", "new got 10", "new got 15", "old got 10", "old got 15", "ready"]
        );
    });
}

#[test]
fn all_descendants_with_to_all() {
    assert_eq!(Pair::start(&["--to", "all"], "").usr1(), (1, 1));
    assert_eq!(Pair::start(&["--to", "all"], "setsid").usr1(), (1, 1));
}

#[test]
fn a_variable_chooses_the_target_and_a_flag_wins() {
    let mut command = rinit(["--", probe_path(), "signals", "--exit-on", "HUP:3"]);
    command.env("RINIT_TO", "group");
    let mut running = Running::start(command);
    running.out.wait("ready");
    running.signal(1);
    assert_eq!(running.wait(), 3);
}

#[test]
fn rewriting_in_every_spelling() {
    for (rule, sent, arrives) in [
        ("USR1=HUP", 10, 1),
        ("SIGUSR1=SIGHUP", 10, 1),
        ("usr1:hup", 10, 1),
        ("10:1", 10, 1),
        ("SIGUSR1:1", 10, 1),
        ("RTMIN+3=USR2", 37, 12),
        ("64=RTMIN", 64, 34),
        ("TERM=QUIT", 15, 3),
    ] {
        for option in ["-r", "--rewrite"] {
            let exit_on = format!("{arrives}:9");
            let mut running = Rinit::with(&[option, rule]).probe(&["signals", "--exit-on", &exit_on]).start();
            let main = number_in(&running.out.wait("ready"), "pid");
            running.signal(sent);
            assert_eq!(running.wait(), 9, "{rule}");
            wait_until("the end of the output", || running.out.ended());
            assert_eq!(got(&running, main), [arrives], "{rule}");
        }
    }
}

#[test]
fn dropping_in_every_spelling() {
    for rule in ["USR1=", "USR1:", "10:0", "SIGUSR1=0"] {
        let mut running = Rinit::with(&["-r", rule]).probe(&["signals", "--exit-on", "USR2:9"]).start();
        let main = number_in(&running.out.wait("ready"), "pid");
        running.signal(10);
        running.signal(12);
        assert_eq!(running.wait(), 9, "{rule}");
        wait_until("the end of the output", || running.out.ended());
        assert_eq!(got(&running, main), [12], "{rule}");
    }
}

#[test]
fn forward_handled_spares_a_main_that_does_not_know_the_signal() {
    // `sleep` has no handler: USR1 would end it with 138.
    let mut running = Rinit::with(&["--forward", "handled"]).probe(&["sleep"]).start();
    running.out.wait("ready");
    running.signal(10);
    running.signal(15);
    assert_eq!(running.wait(), 143);
    let mut running = Rinit::new().probe(&["sleep"]).start();
    running.out.wait("ready");
    running.signal(10);
    assert_eq!(running.wait(), 138);
}

#[test]
fn forward_handled_never_withholds_a_stop() {
    // Each requests a stop: kept back, it would start the clock of a stop that main knows nothing of.
    for (options, signal) in [
        (&["--forward", "handled"][..], 3),
        (&["--forward", "handled", "--stop-signal", "USR1"], 10),
        (&["--forward", "handled", "-r", "TERM=USR1"], 15),
        (&["--forward", "handled", "--stop-delay", "50ms", "--stop-signal", "HUP"], 1),
    ] {
        let arrives = if signal == 15 { 10 } else { signal };
        Rinit::with(options).probe(&["sleep"]).everywhere(|mut running| {
            running.out.wait("ready");
            running.signal(signal);
            assert_eq!(running.wait(), 128 + arrives, "{options:?}");
        });
    }
}

#[test]
fn forward_handled_forwards_what_main_handles_ignores_or_blocks() {
    let mut running = Rinit::with(&["--forward", "handled"]).shell("trap 'exit 9' USR1; echo ready; read line").start();
    running.out.wait("ready");
    running.signal(10);
    assert_eq!(running.wait(), 9);

    // A program that takes it by signalfd: pending with main is arrived.
    let running = Rinit::with(&["--forward", "handled"]).probe(&["block", "USR1"]).start();
    let main = number_in(&running.out.wait("ready"), "pid");
    running.signal(10);
    wait_until("USR1 to be pending with main", || procfs::signals(main, "ShdPnd").is_some_and(|set| set & 1 << 9 != 0));

    // Ignored: said to be forwarded, and without effect.
    let running = Rinit::with(&["-vv", "--forward", "handled"]).probe(&["ignore", "USR1"]).start();
    running.out.wait("ready");
    running.signal(10);
    running.err.wait("forwarded SIGUSR1");
}

#[test]
fn a_signal_to_a_main_that_is_gone_is_silence() {
    require(namespace::available());
    // The helper was sent SIGTERM when main exited, and stays until the second one. The first stop request does not ask it again:
    // to many programs a second SIGTERM means to give up their work. Further ones are forwarded.
    let mut running = Rinit::new().probe(&["with-helper", "--at-once", "5", "signals"]).as_pid_1().start();
    running.out.wait("got 15 ");
    for signal in [1, 10, 12, 34] {
        running.signal(signal);
        running.out.wait(&format!("got {signal} "));
    }
    running.signal(2);
    running.signal(15);
    let finished = running.finished();
    assert_eq!(finished.code, 5);
    assert!(
        !finished.err.iter().any(|line| line.contains("ESRCH") || line.contains("No such process")),
        "{finished:?}"
    );
}

#[test]
fn a_value_goes_with_its_signal() {
    require(namespace::available());
    Rinit::new().probe(&["signals"]).everywhere(|running| {
        running.out.wait("ready");
        for (number, signal) in [35, 35, 64, 10].into_iter().enumerate() {
            let value = 4242 + number;
            support::running::queue(running.pid(), signal, value);
            // SI_QUEUE, as it was sent.
            running.out.wait(&format!("got {signal} code=-1 value={value} "));
        }
    });
}

#[test]
fn it_sleeps_while_nothing_happens() {
    require(namespace::available());
    for running in [Rinit::new().probe(&["sleep"]).as_pid_1().start(), Rinit::new().probe(&["sleep"]).start()] {
        running.out.wait("ready");
        // It may still be closing what it inherited: asleep means that it has waited once.
        let asleep = || procfs::read(running.pid()).is_some_and(|process| process.state == 'S');
        wait_until("rinit to sleep", asleep);
        let clock = || std::process::Command::new("sleep").arg("0.2").status().expect("sleep");
        clock();
        let before = procfs::waits(running.pid());
        assert!(before.is_some());
        // The window is another process's sleep. The test is not weaker if that takes longer on a busy machine.
        for _ in 0..6 {
            clock();
        }
        assert_eq!(procfs::waits(running.pid()), before);
    }
}
