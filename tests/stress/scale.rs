//! Many descendants: all are terminated and reaped, in time proportional to their number.
//!
//! 2,000 always; 20,000 under CI or with `RINIT_SCALE=1`. docs/comparison.md has the figures and
//! how they were made.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::running::{Running, kill};
use support::{deadline, namespace, probe_path, procfs, require, rinit, skip_part, test, wait_for, wait_until};

const TERM: i32 = 15;
const FEW: usize = 2_000;
const MANY: usize = 20_000;
/// Ten times as many may take thirty times as long: a bound that a busy machine keeps and a quadratic walk does not.
const BOUND: f64 = 30.0;
const ATTEMPTS: usize = 3;

/// What one stop has shown.
struct Stop {
    /// From TERM to rinit's end.
    took: Duration,
    /// Orphans that TERM has ended and rinit has reaped.
    told_and_reaped: usize,
}

fn lines(file: &Path) -> Vec<String> {
    String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).lines().map(str::to_owned).collect()
}

/// Starts `count` orphans that sleep and have TERM at its default, stops rinit, and looks at what became of them.
#[track_caller]
fn stop(count: usize) -> Stop {
    let directory = tempfile::tempdir().expect("a temporary directory");
    // Files: rinit drops a line that a full pipe does not take.
    let (out, err) = (directory.path().join("out"), directory.path().join("err"));
    let to = |path| Stdio::from(File::create(path).expect("create a file"));
    let number = count.to_string();
    let mut inner = rinit(["-w", "--drain", "1h", "--", probe_path()]);
    inner.args(["orphans", &number, "--live", "2000000000"]);
    let mut command = namespace::as_pid_1(&inner);
    command.stdin(Stdio::null()).stdout(to(&out)).stderr(to(&err));
    let mut running = Running::start_bare(command);
    let init = wait_for("rinit", || {
        assert!(running.is_running(), "it has ended: {:#?}", lines(&err));
        let child = procfs::children(running.outer_pid()).first()?.pid;
        procfs::command_line(child).first().is_some_and(|name| name.ends_with("rinit")).then_some(child)
    });
    let made = format!("made {count}");
    wait_until("the orphans", || {
        assert!(running.is_running(), "it has ended: {:#?}", lines(&err));
        lines(&out).contains(&made)
    });

    let told_at = Instant::now();
    kill(init, TERM);
    // Not `Running::wait`: it looks through all of /proc each time, which is what is measured here.
    while running.is_running() {
        assert!(
            told_at.elapsed() < deadline(),
            "not ended: {:#?}",
            lines(&err).iter().rev().take(20).collect::<Vec<_>>()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = told_at.elapsed();
    assert_eq!(running.wait(), 128 + TERM, "main's status");

    let said = lines(&err);
    let reaped = said.iter().filter_map(|line| line.strip_prefix("rinit: reaped orphan pid "));
    let ended_by_term = reaped.filter_map(|line| line.strip_suffix(", which was killed by SIGTERM"));
    Stop { took, told_and_reaped: ended_by_term.collect::<BTreeSet<_>>().len() }
}

/// Room for that many processes.
fn room_for(count: usize) -> Result<(), String> {
    namespace::available()?;
    let limit = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<usize>().ok();
    for path in ["/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"] {
        if let Some(most) = limit(path).filter(|most| *most < count + 2_000) {
            return Err(format!("{path} is {most}, too few for {count} processes"));
        }
    }
    Ok(())
}

#[test]
fn all_are_terminated_and_reaped_in_time_proportional_to_their_number() {
    require(room_for(FEW));
    let many_too =
        std::env::var_os("CI").is_some() || std::env::var_os("RINIT_SCALE").is_some_and(|value| value == "1");
    let mut times = f64::INFINITY;
    // The machine's other work changes from one moment to the next. A walk that is too long is so each time.
    for _ in 0..ATTEMPTS {
        let few = stop(FEW);
        println!("{FEW} descendants: all terminated and reaped in {:.3} s", few.took.as_secs_f64());
        assert_eq!(few.told_and_reaped, FEW);
        if !many_too {
            println!("{MANY} descendants: not asked for (RINIT_SCALE=1)");
            return;
        }
        if let Err(why) = room_for(MANY) {
            return skip_part(why);
        }
        let many = stop(MANY);
        assert_eq!(many.told_and_reaped, MANY);
        times = many.took.as_secs_f64() / few.took.as_secs_f64();
        let seconds = many.took.as_secs_f64();
        println!("{MANY} descendants: all terminated and reaped in {seconds:.3} s, {times:.1} times as long");
        if times < BOUND {
            return;
        }
    }
    panic!("{MANY} take {times:.1} times as long as {FEW}");
}
