//! In which order processes are asked to stop, and which of them are not waited for.

use std::process::Command;
use support::rinit::Rinit;
use support::running::{Running, kill};
use support::{namespace, needs, probe_path, procfs, require, rinit_path, test, wait_until};

/// A program in `sh` that saves for a while when it gets TERM, and counts its starts on its standard output.
const SAVER: &str = "trap 'echo saving; sleep 0.3; echo saved; exit 0' TERM; echo ready; while :; do sleep 0.05; done";

/// True if that many processes below the init are `sleep 1000`.
fn sleeping(running: &Running, count: usize) -> bool {
    let below = procfs::descendants(running.pid());
    below.iter().filter(|process| procfs::command_line(process.pid) == ["sleep", "1000"]).count() == count
}

/// The lines that rinit wrote.
fn own(lines: &[String]) -> Vec<&String> {
    lines.iter().filter(|line| line.starts_with("rinit: ")).collect()
}

#[test]
fn children_of_a_master_are_left_to_it() {
    // A master that waits for its worker, and a worker that TERM would terminate, below a shell that TERM terminates.
    let master = "(sleep 1; echo job done) & worker=$!; trap 'wait $worker; echo master done; exit 0' TERM; echo ready; \
                  while :; do sleep 0.05; done";
    let shell = format!("sh -c '{}'; :", master.replace('\'', "'\\''"));
    Rinit::new().shell(&shell).everywhere(|mut running| {
        running.out.wait("ready");
        running.signal(15);
        let finished = running.finished();
        assert_eq!(finished.code, 143);
        assert_eq!(finished.out, ["ready", "job done", "master done"]);
    });
}

#[test]
fn a_reader_of_a_pipe_is_asked_after_its_writer() {
    let script = format!("sh -c \"{SAVER}\" | sed -u 's/^/log: /' | cat");
    Rinit::new().shell(&script).everywhere(|mut running| {
        running.out.wait("log: ready");
        running.signal(15);
        let finished = running.finished();
        assert_eq!(finished.code, 143);
        assert_eq!(finished.out, ["log: ready", "log: saving", "log: saved"]);
    });
}

/// Its descriptors are not those of its first thread any more.
#[test]
fn a_writer_whose_first_thread_has_exited_is_a_writer() {
    let script = format!("{} leader-gone 0 --after 1000 | sed -u 's/^/log: /' | cat", probe_path());
    Rinit::new().shell(&script).everywhere(|mut running| {
        running.out.wait("log: ready");
        running.signal(15);
        let finished = running.finished();
        assert_eq!(finished.code, 143);
        assert_eq!(finished.out.last().map(String::as_str), Some("log: done"), "{finished:?}");
    });
}

#[test]
fn the_last_call_leaves_main_its_log() {
    // Its work goes on after the last call, through two readers that TERM would terminate.
    let app = "$SIG{TERM} = sub { for (1..10) { syswrite STDOUT, qq(saving\n) or exit 3; select undef, undef, undef, 0.1 } \
               syswrite STDOUT, qq(saved\n) or exit 3; exit 4 }; syswrite STDOUT, qq(ready\n); sleep 1 while 1";
    require(needs::programs(&["bash", "perl"]));
    let script = format!("exec perl -e '{app}' > >(sed -u 's/^/log: /' | cat)");
    for options in [&["--last-call", "300ms"][..], &["--grace", "600s", "--last-call", "300ms"]] {
        Rinit::with(options).program(&["bash", "-c", &script]).everywhere(|mut running| {
            running.out.wait("log: ready");
            running.signal(15);
            let finished = running.finished();
            assert_eq!(finished.code, 4, "{finished:?}");
            assert_eq!(finished.out.last().map(String::as_str), Some("log: saved"), "{finished:?}");
        });
    }
}

/// Copies lines slowly. TERM terminates it.
const SLOW_READER: &str = "echo reading >&2; while read line; do sleep 0.1; echo \"log: $line\"; done; echo end";

#[test]
fn bytes_that_a_writer_left_in_its_pipe_are_read_to_the_end() {
    let saver = SAVER.replace("echo saved;", "for i in 1 2 3 4 5; do echo $i; done;").replace('$', "\\$");
    let script = format!("sh -c \"{saver}\" | ({SLOW_READER})");
    Rinit::new().shell(&script).everywhere(|mut running| {
        running.out.wait("log: ready");
        running.signal(15);
        let finished = running.finished();
        assert_eq!(finished.code, 143);
        let lines = ["ready", "saving", "1", "2", "3", "4", "5"].map(|line| format!("log: {line}"));
        assert_eq!(finished.out, [&lines[..], &["end".to_owned()]].concat());
    });
}

#[test]
fn output_written_before_main_exited_is_read_to_the_end() {
    let script = format!("(echo 1; echo 2; echo 3; echo written >&2) | ({SLOW_READER}) & read go; exit 5");
    Rinit::new().shell(&script).everywhere(|mut running| {
        running.err.wait("written");
        running.err.wait("reading");
        running.close_stdin();
        let finished = running.finished();
        assert_eq!(
            (finished.code, &finished.out[..]),
            (5, &["log: 1", "log: 2", "log: 3", "end"].map(str::to_owned)[..])
        );
    });
}

#[test]
fn a_reader_that_does_not_read_is_asked_all_the_same() {
    // Of a pipe that is empty; and of one that is not, at the last call.
    for (writer, last_call) in [("true", "1h"), ("echo unread", "1s")] {
        let script = format!("{writer} | sleep 1000 & read go; exit 5");
        Rinit::with(&["--drain", "1h", "--last-call", last_call]).shell(&script).everywhere(|mut running| {
            let living = || procfs::descendants(running.pid()).iter().filter(|process| process.state != 'Z').count();
            wait_until("the writer's exit", || sleeping(&running, 1) && living() == 2);
            running.close_stdin();
            assert_eq!(running.wait(), 5);
        });
    }
}

#[test]
fn a_main_that_ignores_the_stop_for_a_while_is_asked_then() {
    let directory = tempfile::tempdir().expect("a directory");
    let go = directory.path().join("go");
    let script = format!(
        "trap '' TERM; echo ready; while [ ! -e {} ]; do sleep 0.05; done; \
         trap 'echo asked; exit 3' TERM; echo takes it now; while :; do sleep 0.05; done",
        go.display()
    );
    Rinit::with(&["--last-call", "1h"]).shell(&script).everywhere(|mut running| {
        running.out.wait("ready");
        running.signal(15);
        // It has looked at main and found that it ignores it.
        running.err.wait("still waiting");
        std::fs::write(&go, "").expect("write a file");
        let finished = running.finished();
        assert_eq!((finished.code, finished.out.last().map(String::as_str)), (3, Some("asked")));
        std::fs::remove_file(&go).expect("remove the file");
    });
}

#[test]
fn a_process_that_ignored_term_for_a_while_is_asked_at_the_last_call() {
    let helper = "trap '' TERM; echo ignores it; sleep 1; trap 'echo asked; exit' TERM; echo takes it now; \
                  while :; do sleep 0.05; done";
    let script = format!("({helper}) & read go; exit 5");
    Rinit::with(&["--drain", "1h", "--last-call", "4s"]).shell(&script).everywhere(|mut running| {
        running.out.wait("ignores it");
        running.close_stdin();
        let finished = running.finished();
        assert_eq!((finished.code, finished.out.last().map(String::as_str)), (5, Some("asked")));
    });
}

#[test]
fn a_main_that_was_asked_by_another_signal_is_not_asked_again_at_the_last_call() {
    let directory = tempfile::tempdir().expect("a directory");
    let go = directory.path().join("go");
    // As nginx with QUIT: it finishes its requests, and TERM would cut them.
    let script = format!(
        "trap 'echo main QUIT' QUIT; trap 'echo main TERM; exit 3' TERM; \
         (trap 'echo helper TERM; exit' TERM; echo ready; while :; do sleep 0.05; done) & \
         while [ ! -e {} ]; do sleep 0.05; done; echo finished; exit 0",
        go.display()
    );
    Rinit::with(&["--rewrite", "TERM=QUIT", "--last-call", "500ms"]).shell(&script).everywhere(|mut running| {
        running.out.wait("ready");
        running.signal(15);
        running.out.wait("helper TERM");
        std::fs::write(&go, "").expect("write a file");
        let finished = running.finished();
        let lines = ["ready", "main QUIT", "helper TERM", "finished"].map(str::to_owned);
        assert_eq!((finished.code, &finished.out[..]), (0, &lines[..]));
        std::fs::remove_file(&go).expect("remove the file");
    });
}

#[test]
fn the_commands_of_a_shells_trap_are_left_to_it() {
    // The second shell's exit leaves an orphan, which starts another round of asking while the first one's trap runs.
    let shell = |cleanup: &str| format!("sh -c 'trap \"{cleanup}; exit 0\" TERM; echo ready; sleep 1000 & wait' &");
    let script = format!("{} {} read line; exit 5", shell("sleep 1 && echo cleaned"), shell("sleep 0.3"));
    Rinit::new().shell(&script).everywhere(|mut running| {
        wait_until("both shells", || running.out.all().len() == 2 && sleeping(&running, 2));
        running.close_stdin();
        let finished = running.finished();
        assert_eq!((finished.code, &finished.out[2..]), (5, &["cleaned".to_owned()][..]), "{finished:?}");
    });
}

#[test]
fn a_main_that_ignores_term_keeps_no_process_from_being_asked() {
    // Its own children would inherit that TERM is ignored: env(1) gives it its default action again.
    let script = "trap '' TERM; env --default-signal=TERM sh -c 'echo ready; exec sleep 1000'; echo status $?";
    Rinit::new().shell(script).everywhere(|mut running| {
        running.out.wait("ready");
        wait_until("the sleep", || sleeping(&running, 1));
        running.signal(15);
        let finished = running.finished();
        assert_eq!((finished.code, &finished.out[..]), (0, &["ready".to_owned(), "status 143".to_owned()][..]));
    });
}

#[test]
fn a_stopped_main_is_continued() {
    Rinit::new().shell(SAVER).everywhere(|mut running| {
        running.out.wait("ready");
        let main = procfs::children(running.pid()).first().expect("main").pid;
        kill(main, libc::SIGSTOP);
        wait_until("it to stop", || procfs::read(main).is_some_and(|process| process.state == 'T'));
        running.signal(15);
        let finished = running.finished();
        assert_eq!((finished.code, finished.out.contains(&"saved".to_owned())), (0, true), "{finished:?}");
    });
}

#[test]
fn a_main_that_stops_itself_in_its_handler_is_continued() {
    let script = "trap 'kill -STOP $$; echo continued; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    Rinit::new().shell(script).everywhere(|mut running| {
        running.out.wait("ready");
        running.signal(15);
        let finished = running.finished();
        assert_eq!((finished.code, finished.out.contains(&"continued".to_owned())), (3, true), "{finished:?}");
    });
}

/// As a shell's child does between fork and execve: it has its parent's handler, and what that notes is gone with the execve.
const FORGETS: &str = "perl -e '$SIG{TERM} = sub { $got = 1 }; $| = 1; print qq(up\n); select undef, undef, undef, 0.05 until $got; \
                       exec qw(sleep 1000)'";

#[test]
fn a_program_that_term_did_not_reach_before_its_execve_is_asked_again() {
    require(namespace::available());
    require(needs::programs(&["perl"]));
    // Main exits when the helper has its handler.
    let script = format!("mkfifo \"$0\"; {FORGETS} >\"$0\" & read up <\"$0\"; exit 3");
    let directory = tempfile::tempdir().expect("a directory");
    let fifo = directory.path().join("fifo").display().to_string();
    let mut running = namespace::rinit(&["--drain", "60", "--last-call", "50", "--", "sh", "-c", &script, &fifo]);
    let finished = running.finished();
    assert_eq!(finished.code, 3, "{:?}", finished.err);
    assert!(!finished.err.iter().any(|line| line.contains("after the last call")), "{:?}", finished.err);
}

/// The same at the last call, while main waits for it.
#[test]
fn a_program_that_lost_the_last_call_in_its_execve_is_asked_again() {
    require(namespace::available());
    require(needs::programs(&["perl"]));
    let script = format!(
        "mkfifo \"$0\"; trap 'wait; exit 4' TERM; {FORGETS} >\"$0\" & read up <\"$0\"; echo ready; wait; exit 5"
    );
    let directory = tempfile::tempdir().expect("a directory");
    let fifo = directory.path().join("fifo").display().to_string();
    let mut running = namespace::rinit(&["--grace", "60s", "--last-call", "300ms", "--", "sh", "-c", &script, &fifo]);
    running.out.wait("ready");
    running.signal(15);
    let finished = running.finished();
    assert_eq!(finished.code, 4, "{:?}", finished.err);
}

#[test]
fn a_helper_that_ignores_term_does_not_cost_main_its_status() {
    require(namespace::available());
    let script = "(trap '' TERM; exec sleep 1000) & exec sleep 1000";
    let mut running = namespace::rinit(&["--", "sh", "-c", script]);
    wait_until("both", || sleeping(&running, 2));
    running.signal(15);
    let finished = running.finished();
    assert_eq!(finished.code, 143, "{:?}", finished.err);
    assert!(finished.err.iter().any(|line| line.contains("ignores SIGTERM")), "{:?}", finished.err);
    let killing = "no process that remains can act on SIGTERM, killing (SIGKILL) 1 process:";
    assert!(finished.err.iter().any(|line| line.contains(killing)), "{:?}", finished.err);
}

#[test]
fn helpers_finish_without_term_if_that_is_asked() {
    let script = "(echo begun; sleep 1 && echo finished) & exec sleep 1000";
    Rinit::with(&["--on-main-exit", "finish"]).shell(script).everywhere(|mut running| {
        running.out.wait("begun");
        wait_until("main", || sleeping(&running, 1));
        running.signal(15);
        let finished = running.finished();
        assert_eq!((finished.code, &finished.out[..]), (143, &["begun".to_owned(), "finished".to_owned()][..]));
    });
}

#[test]
fn helpers_that_finish_are_killed_at_an_explicit_limit() {
    let run = Rinit::with(&["--on-main-exit", "finish", "--grace", "500ms"]);
    run.shell("sleep 1000 & exec sleep 1000").everywhere(|mut running| {
        wait_until("both", || sleeping(&running, 2));
        running.signal(15);
        let finished = running.finished();
        assert_eq!(finished.code, 143);
        let said = finished.err.join("\n");
        // The helper gets TERM first, and the heading says so.
        assert!(said.contains("time is up (--grace), asking (SIGTERM) 1 process, SIGKILL in 100 ms:"), "{said}");
        assert!(!said.contains("killing (SIGKILL)"), "{said}");
        assert!(running.left().is_empty());
    });
}

#[test]
fn a_helper_of_another_user_is_named_and_not_waited_for() {
    require(namespace::available());
    require(needs::root());
    require(needs::programs(&["setpriv"]));
    let script = "setpriv --reuid 65534 --regid 65534 --clear-groups sleep 1000 & exec sleep 1000";
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-kill", "--inh-caps=-kill", "--"]).arg(rinit_path());
    // Without a deadline that an end at once would not need.
    command.args(["--drain", "1h", "--", "sh", "-c", script]);
    let mut running = namespace::start(&command);
    wait_until("both", || sleeping(&running, 2));
    running.signal(15);
    let finished = running.finished();
    assert_eq!(finished.code, 143);
    assert!(own(&finished.err).iter().any(|line| line.contains("sleep 1000")), "{:?}", finished.err);
}

#[test]
fn a_quick_stop_is_silent() {
    require(namespace::available());
    let script = "i=0; while [ $i -lt 30 ]; do sleep 1000 & i=$((i+1)); done; wait";
    for _ in 0..20 {
        let mut running = namespace::rinit(&["--", "sh", "-c", script]);
        wait_until("all", || sleeping(&running, 30));
        let from = std::time::Instant::now();
        running.signal(15);
        let finished = running.finished();
        assert_eq!(finished.code, 143);
        // A slow one may be reported.
        if from.elapsed() < std::time::Duration::from_millis(900) {
            assert_eq!(finished.err, [""; 0]);
            return;
        }
    }
    panic!("no stop within a second");
}

#[test]
fn a_slow_step_is_reported_with_what_happened_before() {
    let script = "(trap 'sleep 2; exit 0' TERM; echo ready; while :; do sleep 0.05; done) & exec sleep 1000";
    Rinit::new().shell(script).everywhere(|mut running| {
        running.out.wait("ready");
        wait_until("main", || sleeping(&running, 1));
        running.signal(15);
        let finished = running.finished();
        assert_eq!(finished.code, 143);
        let said = own(&finished.err);
        assert!(said.first().is_some_and(|line| line.contains("main was killed by SIGTERM")), "{said:?}");
        assert!(said.iter().any(|line| line.contains("sleep 2; exit 0")), "{said:?}");
    });
}

#[test]
fn with_v_a_step_is_reported_at_once() {
    // One that saves for a while: what is gone when it is to be described is not reported.
    let mut running = Rinit::with(&["-v"]).shell(&format!("sh -c \"{SAVER}\" & read line; exit 4")).start();
    running.out.wait("ready");
    running.close_stdin();
    let finished = running.finished();
    assert_eq!(finished.code, 4);
    let said = own(&finished.err);
    assert!(said.iter().any(|line| line.contains("main exited with status 4; ")), "{said:?}");
}
