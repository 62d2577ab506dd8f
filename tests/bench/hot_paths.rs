//! What rinit does again and again, each by itself: `cargo bench --bench hot_paths`.
//!
//! Beside what starts a process stands the same by `std::process::Command`.
#![allow(missing_docs)]

use criterion::{BatchSize, Criterion, criterion_group};
use rinit_core::policy::{Shutdown, ShutdownConfig, ShutdownInput};
use rinit_core::process::descendants;
use rinit_core::signal::Rewrite;
use rinit_core::{ChildSpec, Inherited, Pid, Reaper, Signal, fuzzing};
use std::hint::black_box;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for name in ["TERM", "SIGRTMIN+3", "15"] {
        group.bench_function(format!("signal {name}"), |bencher| bencher.iter(|| black_box(name).parse::<Signal>()));
    }
    let own = |file: &str| std::fs::read(format!("/proc/self/{file}")).expect("read /proc/self");
    let (stat, status, cmdline) = (own("stat"), own("status"), own("cmdline"));
    group.bench_function("/proc/pid/stat", |bencher| bencher.iter(|| fuzzing::stat(black_box(&stat))));
    group.bench_function("/proc/pid/status", |bencher| bencher.iter(|| fuzzing::status(black_box(&status))));
    group.bench_function("/proc/pid/cmdline", |bencher| bencher.iter(|| fuzzing::cmdline(black_box(&cmdline))));
    let children: String = (10_000..20_000).map(|pid| format!("{pid} ")).collect();
    group.bench_function("10,000 children", |bencher| {
        bencher.iter(|| fuzzing::children(black_box(children.as_bytes())))
    });
}

fn policy(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("policy");
    let mut config = ShutdownConfig::default();
    config.grace = Some(Duration::from_secs(2));
    group.bench_function("a whole stop", |bencher| {
        bencher.iter_batched(
            || Shutdown::new(config),
            |mut shutdown| {
                let at = Duration::from_secs;
                black_box(shutdown.step(ShutdownInput::StopRequested(Signal::TERM), at(1)).len());
                black_box(shutdown.step(ShutdownInput::Tick, at(2)).len());
                black_box(shutdown.step(ShutdownInput::ChildrenReaped { main: true, all: false }, at(3)).len());
                black_box(shutdown.step(ShutdownInput::ChildrenReaped { main: false, all: true }, at(4)).len());
            },
            BatchSize::SmallInput,
        );
    });
    let mut rewrite = Rewrite::default();
    rewrite.add("TERM=QUIT").expect("a rule");
    group.bench_function("rewrite", |bencher| bencher.iter(|| black_box(&rewrite).apply(black_box(Signal::TERM))));
}

/// Ends its processes.
struct Crowd(Vec<Child>);

impl Crowd {
    fn new(count: usize) -> Self {
        let start = |_| Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().expect("start sleep");
        Self((0..count).map(start).collect())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
        }
        for child in &mut self.0 {
            let _ = child.wait();
        }
    }
}

fn tree(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("descendants");
    let own = i32::try_from(std::process::id()).ok().and_then(Pid::new).expect("a pid");
    for count in [10, 100, 1_000] {
        let crowd = Crowd::new(count);
        group.bench_function(format!("{count}"), |bencher| bencher.iter(|| descendants(own).expect("the tree").len()));
        drop(crowd);
    }
}

fn processes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start and reap");
    let inherited = Inherited::capture().expect("block the signals");
    let mut reaper = Reaper::exclusive().expect("a reaper");
    let spec = ChildSpec::new("/bin/true").inherit_signals(&inherited);
    group.bench_function("ChildSpec", |bencher| {
        bencher.iter(|| {
            let mut child = reaper.spawn(&spec).expect("start true");
            child.wait().expect("wait");
        });
    });
    group.bench_function("std::process::Command", |bencher| {
        bencher.iter(|| Command::new("/bin/true").status().expect("start true"));
    });
    group.bench_function("reap one of 100 that have ended", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut took = Duration::ZERO;
            for _ in 0..rounds {
                took += reap(&mut reaper, 100) / 100;
            }
            took
        });
    });
}

/// The time to reap that many processes that have exited before.
fn reap(reaper: &mut Reaper, count: usize) -> Duration {
    let spec = ChildSpec::new("/bin/true");
    let children: Vec<_> = (0..count).map(|_| reaper.spawn(&spec).expect("start true")).collect();
    for child in &children {
        let pid = rustix::process::Pid::from_raw(child.pid().get()).expect("a pid");
        let ended = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), ended).expect("wait for its end");
    }
    let from = std::time::Instant::now();
    let mut reaped = 0;
    while reaped < count {
        reaped += usize::from(reaper.try_next().expect("reap").is_some());
    }
    from.elapsed()
}

criterion_group! {
    name = hot_paths;
    // The machine's neighbours are in every sample: more samples, less time for each.
    config = Criterion::default().without_plots().sample_size(60).measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_secs(1));
    targets = parsing, policy, tree, processes
}

fn main() {
    hot_paths();
    Criterion::default().configure_from_args().without_plots().final_summary();
}
