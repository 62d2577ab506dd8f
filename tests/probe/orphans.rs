//! Processes that lose their parent, in several ways.

use crate::{fail, number, option, say, sys};
use std::time::{Duration, Instant};

/// `orphans N [--live MS] [--exit CODE] [--together]`.
///
/// Makes N orphans by double fork. Each ends at once, or after `--live`; with `--together` all of them wait for one pipe
/// to close, which happens as this process itself ends, so that the deaths come in one batch with main's. Says `made N`
/// and then exits with `--exit`, or without it sleeps until SIGTERM.
pub(crate) fn make(words: &[String]) -> i32 {
    let count = number(words, 0);
    let live = option(words, "--live").map_or(0, |text| text.parse().unwrap_or_else(|_| fail("--live: not a number")));
    let together = words.iter().any(|word| word == "--together");
    let (reader, writer) = sys::pipe();
    by_hundreds(count, || {
        sys::close(writer);
        if together {
            // Returns at the end of the pipe: when the last writer has gone, which is main.
            let _ = sys::read_line(reader);
        }
        sys::sleep_ms(live);
    });
    sys::close(reader);
    say(&format!("made {count}"));
    match option(words, "--exit") {
        Some(code) => code.parse().unwrap_or_else(|_| fail("--exit: not a code")),
        None => loop {
            sys::pause();
        },
    }
}

/// Makes that many orphans by double fork; each does its part and exits with status 3.
pub(crate) fn by_hundreds(count: i32, orphan: impl Fn()) {
    let mut left = count;
    // A middle process makes up to a hundred and ends: fewer forks, and they change their parent in groups.
    while left > 0 {
        let batch = left.min(100);
        left -= batch;
        let middle = sys::fork();
        if middle != 0 {
            sys::wait_for(middle);
            continue;
        }
        for _ in 0..batch {
            match sys::try_fork() {
                Some(0) => {
                    orphan();
                    sys::leave(3);
                }
                Some(_) => {}
                None => sys::leave(1),
            }
        }
        sys::leave(0);
    }
}

/// `fork-tree MARK [--spin]`: one child in a session of its own, one double-forked, one below a child, and with `--spin`
/// one that forks a successor and ends, on and on. All carry MARK on their command line. Says `tree` when all are there.
pub(crate) fn fork_tree(words: &[String]) -> i32 {
    let mark = words.first().unwrap_or_else(|| fail("fork-tree: no mark")).clone();
    let sleeper = |kind: &str| -> ! { sys::exec_self("sleep", &[format!("{mark}-{kind}")]) };
    sys::start_ready(|| {
        sys::new_session();
        sleeper("session");
    });
    sys::start_ready(|| {
        if sys::fork() == 0 {
            sys::new_session();
            sleeper("orphan");
        }
        sys::leave(0);
    });
    sys::start_ready(|| {
        sys::start_ready(|| sleeper("grandchild"));
        sleeper("child");
    });
    if words.iter().any(|word| word == "--spin") && sys::fork() == 0 {
        loop {
            // The parent ends, the child goes on: a process that is never the same.
            if sys::try_fork().is_some_and(|pid| pid != 0) {
                sys::leave(0);
            }
            sys::sleep_ms(1);
        }
    }
    say("tree");
    loop {
        sys::pause();
    }
}

/// `fill [PROGRAM ARGS]`: children that sleep, until the kernel has no more processes to give. Says `full N`, and then runs
/// the program in place of this one, or sleeps.
pub(crate) fn fill(words: &[String]) -> i32 {
    let mut count = 0;
    while let Some(pid) = sys::try_fork() {
        if pid == 0 {
            loop {
                sys::pause();
            }
        }
        count += 1;
    }
    say(&format!("full {count}"));
    if let Some((program, arguments)) = words.split_first() {
        sys::exec(program, arguments);
    }
    loop {
        sys::pause();
    }
}

/// `forks N`: N processes, each of which starts its successor, in a session of its own, and ends, on and on without a pause;
/// and N that start children as fast as they end. Says `forks` when all are on their way. It blows itself out after a minute,
/// in case that nothing terminates it.
pub(crate) fn forks(words: &[String]) -> i32 {
    let end = Instant::now() + Duration::from_secs(60);
    let blows = || {
        if Instant::now() > end {
            sys::leave(0);
        }
    };
    for _ in 0..number(words, 0) {
        if sys::fork() == 0 {
            loop {
                blows();
                match sys::try_fork() {
                    Some(0) => sys::new_session(),
                    Some(_) => sys::leave(0),
                    None => {}
                }
            }
        }
        if sys::fork() == 0 {
            sys::new_session();
            loop {
                blows();
                match sys::try_fork() {
                    Some(0) => sys::leave(0),
                    Some(child) => sys::wait_for(child),
                    None => {}
                }
            }
        }
    }
    say("forks");
    loop {
        sys::pause();
    }
}

/// `bomb N`: N processes that ignore every signal and start processes that do the same, as fast as they can. What a limit for
/// processes lets live fights for the processor. It blows itself out after two minutes, in case that nothing terminates it.
pub(crate) fn bomb(words: &[String]) -> i32 {
    let end = Instant::now() + Duration::from_secs(120);
    // What can be ignored, in the kernel's first 31.
    (1..=31).filter(|signal| ![9, 19].contains(signal)).for_each(|signal| sys::set_handler(signal, libc::SIG_IGN));
    // A child that exits is reaped by the kernel while SIGCHLD is ignored.
    for _ in 0..number(words, 0) {
        if sys::fork() == 0 {
            while Instant::now() < end {
                if sys::try_fork() == Some(0) {
                    sys::sleep_ms(1);
                    // An orphan goes on.
                    if sys::try_fork().is_some_and(|child| child > 0) {
                        sys::leave(0);
                    }
                }
                std::thread::sleep(Duration::from_micros(300));
            }
            sys::leave(0);
        }
    }
    say("bomb");
    loop {
        sys::pause();
    }
}
