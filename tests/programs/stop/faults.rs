//! Stops that went wrong in the first version, each with its smallest program.

use super::parts::{PYTHON, TERM, needs, needs_root, script, wait_ready};
use super::{Init, Outcome, Place, Scenario, Stopped, judge};
use std::fs;
use std::time::{Duration, Instant};
use support::running::{Running, kill};
use support::{namespace, procfs, require, test, wait_for, wait_until};

pub(super) const ALL: &[&Scenario] = &[
    &UNSIGNALLABLE,
    &UNSIGNALLABLE_WITHOUT_STOP,
    &MASTER,
    &MASTER_WITHOUT_EXEC,
    &MASTER_AND_GRACE,
    &MASTER_AND_LAST_CALL,
    &TEE,
    &FILTER_AND_TEE,
    &IGNORING_MAIN,
    &STOPPED_MAIN,
    &DEAF_HELPER,
    &DEAF_AND_BUSY_HELPER,
    &BLOCKING_HELPER,
    &FINISH,
    &SHELL_WITH_TRAP,
    &SHELL_WITH_TRAP_AS_MAIN,
    &LAST_CALL_BEFORE_KILL,
    &LAST_CALL_OF_A_DRAIN,
];

/// A shell starts a program and waits for it, without exec.
fn shell(program: &[&str]) -> Vec<String> {
    ["sh", "-c", "\"$@\"; :", "sh"].iter().chain(program).map(|word| (*word).to_owned()).collect()
}

fn words(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

/// Waits until that many processes below the init have this command line.
#[track_caller]
pub(super) fn wait_for_programs(running: &Running, command_line: &[&str], count: usize) {
    wait_until(&format!("{count} times {command_line:?}"), || {
        let below = procfs::descendants(running.pid());
        below.iter().filter(|process| procfs::command_line(process.pid) == command_line).count() == count
    });
}

/// As `docker run --cap-drop KILL`.
const WITHOUT_CAP_KILL: &[&str] = &["setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill", "--"];
const AS_NOBODY: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups sleep 1000";

/// Nothing is to be waited for: the init names the helper and leaves.
static UNSIGNALLABLE: Scenario = Scenario {
    row: "helper of another user without CAP_KILL",
    needs: || needs_root(&["setpriv"]),
    options: &[],
    places: Place::BOTH,
    right: &[&["tini"], &["dumb-init"], &["catatonit"]],
    waits: false,
    run: |init, place| {
        let program = format!("{AS_NOBODY} & exec sleep 1000");
        let mut running = init.start_in(place, WITHOUT_CAP_KILL, &["sh", "-c", &program]);
        wait_for_programs(&running, &["sleep", "1000"], 2);
        let outcome = Stopped::by_term(&mut running).prompt(143, &[]);
        names_helper(init, outcome)
    },
};

static UNSIGNALLABLE_WITHOUT_STOP: Scenario = Scenario {
    row: "the same, main exits by itself",
    needs: || needs_root(&["setpriv"]),
    options: &[],
    places: Place::BOTH,
    right: &[&["tini"], &["dumb-init"], &["catatonit"]],
    waits: false,
    run: |init, place| {
        let program = format!("{AS_NOBODY} & read go; exit 7");
        let mut running = init.start_in(place, WITHOUT_CAP_KILL, &["sh", "-c", &program]);
        wait_for_programs(&running, &["sleep", "1000"], 1);
        running.type_in("go\n");
        let outcome = Stopped::wait(&mut running, Instant::now(), Duration::from_secs(15)).prompt(7, &[]);
        names_helper(init, outcome)
    },
};

/// rinit names the process that is left behind.
fn names_helper(init: &Init, outcome: Outcome) -> Outcome {
    let named = outcome.stopped.err.iter().any(|line| line.contains("sleep 1000"));
    outcome.and(named || init.name != "rinit", "the helper is not named")
}

const JOB_DONE: &[&str] = &["master: asked to stop", "job done", "master: worker exited with 0"];

#[track_caller]
fn stop_master(mut running: Running, status: i32) -> Outcome {
    running.out.wait("master: ready");
    Stopped::by_term(&mut running).outcome(status, JOB_DONE)
}

static MASTER: Scenario = Scenario {
    row: "master with a worker's job of 3 s",
    needs: || needs(&[PYTHON]),
    options: &[],
    places: Place::BOTH,
    right: &[&["tini"], &["dumb-init", "-c"], &["catatonit"]],
    waits: true,
    run: |init, place| stop_master(init.start(place, &[PYTHON, "-I", &script("master.py"), "3"]), 0),
};

static MASTER_WITHOUT_EXEC: Scenario = Scenario {
    row: "the same below a shell without exec",
    needs: || needs(&[PYTHON]),
    options: &[],
    places: Place::BOTH,
    right: &[],
    waits: true,
    run: |init, place| {
        let program = shell(&[PYTHON, "-I", &script("master.py"), "3"]);
        stop_master(init.start(place, &words(&program)), 143)
    },
};

static MASTER_AND_GRACE: Scenario = Scenario {
    row: "master with a worker's job of 6 s, `--grace 10s`",
    needs: || needs(&[PYTHON]),
    options: &["--grace", "10s"],
    places: Place::BOTH,
    right: &[&["tini"], &["dumb-init", "-c"], &["catatonit"]],
    waits: true,
    run: |init, place| stop_master(init.start(place, &[PYTHON, "-I", &script("master.py"), "6"]), 0),
};

static MASTER_AND_LAST_CALL: Scenario = Scenario {
    row: "master with a worker's job of 8 s, `--grace 10s --last-call 9.5s`",
    needs: || needs(&[PYTHON]),
    options: &["--grace", "10s", "--last-call", "9.5s"],
    places: Place::BOTH,
    right: &[&["tini"], &["dumb-init", "-c"], &["catatonit"]],
    waits: true,
    run: |init, place| stop_master(init.start(place, &[PYTHON, "-I", &script("master.py"), "8"]), 0),
};

/// The pipeline's log has everything that the program printed.
fn pipeline(init: &Init, place: Place, between: &str) -> Outcome {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("log");
    let program = format!("{PYTHON} -I {} 0.5 0 {between}| tee {}", script("saver.py"), log.display());
    let mut running = init.start(place, &["sh", "-c", &program]);
    let logged = || fs::read_to_string(&log).unwrap_or_default();
    wait_ready(&mut running, "the program's first line in the log", || logged().contains("ready"));
    let outcome = Stopped::by_term(&mut running).outcome(143, &[]);
    outcome.and(logged().contains("saving"), "not asked").and(logged().contains("saved"), "its last line is lost")
}

static TEE: Scenario = Scenario {
    row: "`sh -c 'app | tee log'`",
    needs: || needs(&[PYTHON, "tee"]),
    options: &[],
    places: Place::BOTH,
    right: &[],
    waits: false,
    run: |init, place| pipeline(init, place, ""),
};

static FILTER_AND_TEE: Scenario = Scenario {
    row: "`sh -c 'app | filter | tee log'`",
    needs: || needs(&[PYTHON, "tee", "sed"]),
    options: &[],
    places: Place::BOTH,
    right: &[],
    waits: false,
    run: |init, place| pipeline(init, place, "| sed -u 's/^/app: /' "),
};

static IGNORING_MAIN: Scenario = Scenario {
    row: "main ignores TERM, its child does not",
    needs: || needs(&[PYTHON]),
    options: &[],
    places: Place::BOTH,
    right: &[&["tini", "-g"], &["dumb-init"], &["catatonit", "-g"]],
    waits: false,
    run: |init, place| {
        let program = format!("trap '' TERM; {PYTHON} -I {} 0.3 5; echo status $?", script("saver.py"));
        let mut running = init.start(place, &["sh", "-c", &program]);
        running.out.wait("ready");
        Stopped::by_term(&mut running).prompt(0, &["saved", "status 5"])
    },
};

static STOPPED_MAIN: Scenario = Scenario {
    row: "main was stopped by SIGSTOP",
    needs: || needs(&[PYTHON]),
    options: &[],
    places: Place::BOTH,
    right: &[],
    waits: false,
    run: |init, place| {
        let mut running = init.start(place, &[PYTHON, "-I", &script("saver.py"), "0", "3"]);
        running.out.wait("ready");
        let main = main_of(&running);
        kill(main, 19);
        wait_until("main to be stopped", || procfs::read(main).is_some_and(|process| process.state == 'T'));
        Stopped::by_term(&mut running).prompt(3, &["saved"])
    },
};

#[track_caller]
pub(super) fn main_of(running: &Running) -> i32 {
    wait_for("main", || procfs::children(running.pid()).first().map(|main| main.pid))
}

/// Main has exited with its status, and a process that cannot act on TERM costs neither Docker's ten seconds nor this status.
static DEAF_HELPER: Scenario = Scenario {
    row: "helper that ignores TERM",
    needs: || needs(&["sh"]),
    options: &[],
    places: &[Place::Pid1],
    right: &[&["tini"], &["dumb-init"], &["catatonit"]],
    waits: true,
    run: |init, place| {
        let program = "(trap '' TERM; exec sleep 1000) & exec sleep 1000";
        let mut running = init.start(place, &["sh", "-c", program]);
        wait_for_programs(&running, &["sleep", "1000"], 2);
        Stopped::by_term(&mut running).outcome(143, &[])
    },
};

/// A helper that can act on TERM has all the time that the runtime gives, whether or not others can.
static DEAF_AND_BUSY_HELPER: Scenario = Scenario {
    row: "the same, and a helper that saves for 6 s",
    needs: || needs(&[PYTHON]),
    options: &[],
    places: &[Place::Pid1],
    right: &[],
    waits: true,
    run: |init, place| {
        let saver = format!("{PYTHON} -I {} 6 0", script("saver.py"));
        let program = format!("(trap '' TERM; exec sleep 1000) & {saver} & exec sleep 1000");
        let mut running = init.start(place, &["sh", "-c", &program]);
        wait_for_programs(&running, &["sleep", "1000"], 2);
        running.out.wait("ready");
        Stopped::by_term(&mut running).outcome(143, &["saved"])
    },
};

/// A process that blocks TERM may still receive it.
static BLOCKING_HELPER: Scenario = Scenario {
    row: "helper that blocks TERM for 6 s, and then saves",
    needs: || needs(&[PYTHON]),
    options: &[],
    places: &[Place::Pid1],
    right: &[],
    waits: true,
    run: |init, place| {
        let program = format!("{PYTHON} -I {} 6 & exec sleep 1000", script("blocker.py"));
        let mut running = init.start(place, &["sh", "-c", &program]);
        wait_for_programs(&running, &["sleep", "1000"], 1);
        running.out.wait("ready");
        Stopped::by_term(&mut running).outcome(143, &["saved"])
    },
};

/// Only main is asked. TERM would terminate its helper, which finishes its work.
static FINISH: Scenario = Scenario {
    row: "helper that is to finish, `--on-main-exit finish`",
    needs: || needs(&["sh"]),
    options: &["--on-main-exit", "finish"],
    places: Place::BOTH,
    right: &[],
    waits: true,
    run: |init, place| {
        let directory = tempfile::tempdir().expect("a directory");
        let stop = directory.path().join("stop");
        let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", stop.display());
        let program = format!("(echo begun; {wait}; sleep 2 && echo finished) & exec sleep 1000");
        let mut running = init.start(place, &["sh", "-c", &program]);
        running.out.wait("begun");
        wait_for_programs(&running, &["sleep", "1000"], 1);
        fs::write(&stop, "").expect("write a file");
        Stopped::by_term(&mut running).outcome(143, &["finished"])
    },
};

/// A shell runs its trap only after its foreground child: it is not a master, and the child is asked with it.
static SHELL_WITH_TRAP: Scenario = Scenario {
    row: "helper is a shell with a trap and a foreground child",
    needs: || needs(&["sh"]),
    options: &[],
    places: Place::BOTH,
    right: &[],
    waits: false,
    run: |init, place| {
        let helper = "trap \"echo trapped; exit\" TERM; sleep 1000; :";
        let mut running = init.start(place, &["sh", "-c", &format!("sh -c '{helper}' & read go; exit 5")]);
        wait_for_programs(&running, &["sleep", "1000"], 1);
        running.type_in("go\n");
        Stopped::wait(&mut running, Instant::now(), Duration::from_secs(15)).prompt(5, &["trapped"])
    },
};

/// No option says how long main may take, and Docker's limit is ten seconds: the child is asked before that.
static SHELL_WITH_TRAP_AS_MAIN: Scenario = Scenario {
    row: "main is a shell with a trap and a foreground child",
    needs: || needs(&["sh"]),
    options: &[],
    places: Place::BOTH,
    right: &[&["tini", "-g"], &["dumb-init"], &["catatonit", "-g"]],
    waits: true,
    run: |init, place| {
        let program = "trap 'echo trapped; exit 3' TERM; sleep 1000; :";
        let mut running = init.start(place, &["sh", "-c", program]);
        wait_for_programs(&running, &["sleep", "1000"], 1);
        Stopped::by_term(&mut running).outcome(3, &["trapped"])
    },
};

/// A worker below a master that does not exit gets TERM before KILL, with time to act on it.
static LAST_CALL_BEFORE_KILL: Scenario = Scenario {
    row: "child of a master that hangs, `--grace 4s`",
    needs: || needs(&[PYTHON]),
    options: &["--grace", "4s"],
    places: Place::BOTH,
    right: &[],
    waits: true,
    run: |init, place| {
        let program = format!("trap : TERM; {PYTHON} -I {} 0.1 0 & while :; do sleep 0.1; done", script("saver.py"));
        let mut running = init.start(place, &["sh", "-c", &program]);
        running.out.wait("ready");
        // Later than the init's KILL: the status is main's own death by it.
        let stopped = Stopped::by(&mut running, TERM, Duration::from_secs(8));
        stopped.outcome(137, &["saving", "saved"])
    },
};

/// The same when main exits by itself: the time is that of `--drain`.
static LAST_CALL_OF_A_DRAIN: Scenario = Scenario {
    row: "the same as a helper, `--drain 4s`",
    needs: || needs(&[PYTHON]),
    options: &["--drain", "4s"],
    places: Place::BOTH,
    right: &[],
    waits: true,
    run: |init, place| {
        let saver = format!("{PYTHON} -I {} 0.1 0", script("saver.py"));
        let program = format!("(trap : TERM; {saver} & while :; do sleep 0.1; done) & read go; exit 5");
        let mut running = init.start(place, &["sh", "-c", &program]);
        running.out.wait("ready");
        running.type_in("go\n");
        let stopped = Stopped::wait(&mut running, Instant::now(), Duration::from_secs(8));
        let early = stopped.took < Duration::from_secs(3);
        stopped.outcome(5, &["saving", "saved"]).and(!early, "the master's time was not over")
    },
};

super::tests! {
    helper_that_may_not_be_signalled_is_not_waited_for: UNSIGNALLABLE,
    helper_that_may_not_be_signalled_does_not_hold_an_exit_back: UNSIGNALLABLE_WITHOUT_STOP,
    workers_are_left_to_their_master: MASTER,
    workers_are_left_to_a_master_below_a_shell: MASTER_WITHOUT_EXEC,
    half_of_the_grace_time_is_no_last_call: MASTER_AND_GRACE,
    last_call_has_an_option: MASTER_AND_LAST_CALL,
    last_lines_of_a_pipeline_are_logged: TEE,
    last_lines_of_a_longer_pipeline_are_logged: FILTER_AND_TEE,
    main_that_ignores_term_counts_as_not_asked: IGNORING_MAIN,
    stopped_main_is_continued: STOPPED_MAIN,
    helper_that_cannot_hear_leaves_main_its_status: DEAF_HELPER,
    helper_that_can_hear_has_its_time: DEAF_AND_BUSY_HELPER,
    helper_that_blocks_term_has_its_time: BLOCKING_HELPER,
    finish_lets_helpers_finish: FINISH,
    child_of_a_shell_is_asked_with_it: SHELL_WITH_TRAP,
    child_of_a_main_that_is_a_shell_is_asked_in_time: SHELL_WITH_TRAP_AS_MAIN,
    nobody_is_killed_without_term_before: LAST_CALL_BEFORE_KILL,
    last_call_of_a_drain_comes_before_kill: LAST_CALL_OF_A_DRAIN,
}

/// CONT would have no effect on a process that a debugger holds, until it leaves; then it would be one too many.
#[test]
#[allow(unsafe_code)]
fn traced_main_is_not_continued() {
    require(namespace::available());
    require(needs(&[PYTHON]));
    for place in Place::BOTH {
        let mut running = Init::rinit(&[]).start(*place, &[PYTHON, "-I", &script("saver.py"), "0", "3"]);
        running.out.wait("ready");
        let main = main_of(&running);
        // SAFETY: plain system calls on a process of ours; tracer and waiter are this thread.
        unsafe {
            assert_eq!(libc::ptrace(libc::PTRACE_SEIZE, main, 0, 0), 0, "{}", std::io::Error::last_os_error());
            assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT, main, 0, 0), 0, "{}", std::io::Error::last_os_error());
            assert_eq!(libc::waitpid(main, std::ptr::null_mut(), libc::__WALL), main);
        }
        running.signal(TERM);
        let pending = |signal: i32| procfs::signals(main, "ShdPnd").is_some_and(|set| set & 1 << (signal - 1) != 0);
        wait_until("TERM to be pending", || pending(TERM));
        // A second signal that comes after whatever follows the first.
        running.signal(10);
        wait_until("USR1 to be pending", || pending(10));
        assert!(!pending(18), "{place:?}: SIGCONT to a traced process");
        // SAFETY: as above. The USR1 is not delivered.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, main, 0, 0) };
        let stopped = Stopped::wait(&mut running, Instant::now(), Duration::from_secs(30));
        assert!(stopped.status == 3 || stopped.status == 138, "{stopped:#?}");
    }
}
