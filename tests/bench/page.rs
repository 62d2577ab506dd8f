//! The figures as Markdown: docs/performance.md, and the README's short table.

use crate::contender::{Contender, GNU, MUSL, NONE, REFERENCE, SMALL, WITH_SESSION};
use crate::measure::{Crowd, Extent, Figure, Phase, Results, When};
use crate::plot;
use std::fmt::Write;
use std::path::Path;
use support::in_repository;

const BEGIN: &str = "<!-- bench: begin -->\n";
const END: &str = "<!-- bench: end -->\n";
const PAGE: &str = "docs/performance.md";
const PLOTS: &str = "performance";
const COMMAND: &str = "cargo bench --bench processes -- --write";

/// All that is needed to write it down.
pub(crate) struct Page<'a> {
    contenders: &'a [Contender],
    extent: &'a Extent,
    results: &'a Results,
    load: f64,
}

/// The largest load average at which the page is written.
pub(crate) const QUIET: f64 = 1.0;

/// How busy the machine is: the load average of the last minute.
pub(crate) fn load() -> f64 {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

/// A table being made: a row is a title and one cell for each contender.
struct Table<'a> {
    contenders: Vec<&'a Contender>,
    text: String,
}

impl<'a> Table<'a> {
    fn new(contenders: Vec<&'a Contender>) -> Self {
        let names: Vec<&str> = contenders.iter().map(|contender| contender.name).collect();
        let text = format!("| | {} |\n|---{}|\n", names.join(" | "), "|---".repeat(names.len()));
        Self { contenders, text }
    }

    fn row(&mut self, title: &str, cell: impl Fn(&'a Contender) -> Option<String>) {
        let cells: Vec<_> = self.contenders.iter().map(|it| cell(it).unwrap_or_else(|| "–".to_owned())).collect();
        let _ = writeln!(self.text, "| {title} | {} |", cells.join(" | "));
    }
}

/// The value with two or three significant digits.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size.is_nan() => "?".to_owned(),
        0.0 => "0".to_owned(),
        size if size >= 100.0 || (size >= 10.0 && value.fract() == 0.0) => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A contender's file in KB.
fn file_size(contender: &Contender) -> Option<String> {
    let (bytes, dynamic) = contender.file()?;
    Some(format!("{}{}", digits(bytes as f64 / 1000.0), if dynamic { " + libc" } else { "" }))
}

impl<'a> Page<'a> {
    pub(crate) fn new(contenders: &'a [Contender], extent: &'a Extent, results: &'a Results, load: f64) -> Self {
        Self { contenders, extent, results, load }
    }

    fn inits(&self) -> Vec<&'a Contender> {
        self.contenders.iter().filter(|contender| contender.path.is_some()).collect()
    }

    /// `median (ratio to the reference)`.
    fn row(&self, table: &mut Table<'a>, title: &str, figure: Figure) {
        table.row(title, |contender| {
            let own = self.results.of(contender.name, figure);
            let ratio = own.over(&self.results.of(REFERENCE, figure)).median();
            let ratio = if ratio.is_finite() { format!(" ({ratio:.2})") } else { String::new() };
            (!own.is_empty()).then(|| format!("{}{ratio}", digits(own.median())))
        });
    }

    fn quantile_row(&self, table: &mut Table<'a>, title: &str, figure: Figure, part: f64) {
        let of = |name| self.results.of(name, figure).quantile(part);
        table.row(title, |contender| {
            let (own, reference) = (of(contender.name), of(REFERENCE));
            (!own.is_nan()).then(|| format!("{} ({:.2})", digits(own), own / reference))
        });
    }

    /// Everything between the markers.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("Made by `{COMMAND}` on {}\n\n", machine(self.load));
        if self.extent.quick {
            text.push_str("**A quick run: the figures mean little.**\n\n");
        }
        let sections = [
            ("The table", self.main_table(), "memory"),
            ("Targets", self.targets(), ""),
            ("Start", self.start(), "start"),
            ("Forwarding", self.forwarding(), "latency"),
            ("Reaping", self.reaping(), "reaping"),
            ("Stopping", self.stopping(), "stop"),
            ("System calls", self.calls(), ""),
        ];
        for (title, section, plot) in sections {
            let _ = writeln!(text, "### {title}\n\n{section}");
            if !plot.is_empty() {
                let _ = writeln!(text, "![{title}]({PLOTS}/{plot}.svg)\n");
            }
        }
        text
    }

    fn main_table(&self) -> String {
        let mut table = Table::new(self.inits());
        table.row("version", |it| Some(it.version()));
        table.row("file, KB", file_size);
        let storm = self.extent.storm;
        for (when, after) in [(When::Idle, String::new()), (When::AfterStorm, format!(" after {storm} orphans"))] {
            self.row(&mut table, &format!("resident, KiB{after}"), Figure::Resident(when));
            self.row(&mut table, &format!("private dirty, KiB{after}"), Figure::PrivateDirty(when));
            self.row(&mut table, &format!("page tables, KiB{after}"), Figure::PageTables(when));
        }
        self.row(&mut table, "start of an empty program through it, µs", Figure::Start);
        self.row(&mut table, "wake-ups a second, idle", Figure::WakeUps);
        let direct = digits(self.results.of(NONE, Figure::Start).median());
        format!(
            "Medians, and in brackets the median of the ratios to {REFERENCE} in the same round. The empty program started \
             directly takes {direct} µs.\n\n{}",
            table.text
        )
    }

    fn start(&self) -> String {
        let mut table = Table::new(self.contenders.iter().collect());
        self.row(&mut table, "wall time, µs: median", Figure::Start);
        self.quantile_row(&mut table, "lower quartile", Figure::Start, 0.25);
        self.quantile_row(&mut table, "upper quartile", Figure::Start, 0.75);
        self.quantile_row(&mut table, "least", Figure::Start, 0.0);
        self.row(&mut table, "processor time, µs: median", Figure::StartProcessor);
        self.row(&mut table, "page faults", Figure::StartFaults);
        self.row(&mut table, "instructions of the program's own, thousands", Figure::StartInstructions);
        format!(
            "From before the init's exec to after its end, with a program that does nothing and needs no C library \
             (tests/bench/true.c), as an ordinary process that becomes a subreaper (tini: `-s`). Instructions are counted by \
             `valgrind --tool=callgrind`, and only those outside of the kernel.\n\n{}",
            table.text
        )
    }

    fn forwarding(&self) -> String {
        let mut table = Table::new(self.contenders.iter().collect());
        for live in [0, self.extent.live] {
            let beside = if live == 0 { String::new() } else { format!(", {live} children alive") };
            self.row(&mut table, &format!("median{beside}"), Figure::Latency(live));
            self.quantile_row(&mut table, &format!("99th percentile{beside}"), Figure::Latency(live), 0.99);
        }
        format!("Microseconds from `kill(2)` on the init until main has received the signal.\n\n{}", table.text)
    }

    fn reaping(&self) -> String {
        let mut table = Table::new(self.inits());
        for crowd in self.extent.crowds() {
            let Crowd { live, zombies } = crowd;
            self.row(&mut table, &format!("{zombies} zombies, {live} live: ms"), Figure::Reaping(crowd));
            self.row(&mut table, "— processor time for each, µs", Figure::ReapingProcessor(crowd));
        }
        let storm = self.extent.storm;
        self.row(&mut table, &format!("{storm} orphans as fast as they are made: a second"), Figure::StormRate);
        self.row(&mut table, "— most children at once meanwhile", Figure::StormPeak);
        let left_out = if self.extent.crowds().len() < self.extent.all_crowds().len() {
            " The largest crowds need a larger `kernel.pid_max` than this machine's and are left out."
        } else {
            ""
        };
        format!(
            "The init is stopped until all have exited, and then continued: only the reaping is measured. The live children were \
             adopted before.{left_out}\n\n{}",
            table.text
        )
    }

    fn stopping(&self) -> String {
        let mut table = Table::new(self.inits());
        for count in &self.extent.stops {
            self.row(&mut table, &format!("{count} descendants: ms"), Figure::Stop(*count));
        }
        format!(
            "From TERM to the init until the namespace is gone. The work differs: rinit sends TERM to each process and waits for \
             it to exit. Under the other inits main exits, the init exits, and the kernel kills all other processes at once.\n\n{}",
            table.text
        )
    }

    fn calls(&self) -> String {
        let mut table = Table::new(self.contenders.iter().collect());
        for (title, phase) in [
            ("start and end, the empty program's execve included (strace does not count exits)", Phase::StartAndEnd),
            ("each signal forwarded", Phase::Forward),
            ("each orphan of a hundred together", Phase::Reap),
            ("a second, idle", Phase::Idle),
        ] {
            self.row(&mut table, title, Figure::Calls(phase));
        }
        format!("Counted by `strace -c`.\n\n{}", table.text)
    }

    fn targets(&self) -> String {
        let mut text = "| target | build | measured | |\n|---|---|---|---|\n".to_owned();
        let mut line = |what: &str, name: &str, measured: String, met: bool| {
            let _ = writeln!(text, "| {what} | {name} | {measured} | {} |", if met { "met" } else { "**not met**" });
        };
        let mut ratio = |name, what: &str, figure, most: f64, reference| {
            let samples = self.results.of(name, figure).over(&self.results.of(reference, figure));
            if samples.is_empty() {
                return;
            }
            let (median, low, high) = (samples.median(), samples.quantile(0.25), samples.quantile(0.75));
            let measured = format!("{median:.2} (quartiles {low:.2} to {high:.2})");
            // To the two digits in which targets are given.
            line(&format!("{what} ≤ {most}"), name, measured, (median * 100.0).round() / 100.0 <= most);
        };
        let dirty = Figure::PrivateDirty(When::Idle);
        for name in [MUSL, SMALL] {
            ratio(name, "start / tini-static's", Figure::Start, 0.65, REFERENCE);
            ratio(name, "private dirty / tini-static's", dirty, 0.4, REFERENCE);
            ratio(name, "page tables / tini-static's", Figure::PageTables(When::Idle), 1.0, REFERENCE);
        }
        for crowd in self.extent.crowds() {
            let (live, most) = match crowd.live {
                0 => ("no", 1.05),
                live if live == self.extent.live => ("many", 0.1),
                _ => continue,
            };
            let figure = Figure::ReapingProcessor(crowd);
            let best = self.best_peer(figure);
            let what = format!("reaping each of {} beside {live} live / the best peer's ({best})", crowd.zombies);
            ratio(MUSL, &what, figure, most, best);
        }
        let best = self.best_peer(Figure::Latency(0));
        ratio(WITH_SESSION, &format!("forward latency / the best peer's ({best})"), Figure::Latency(0), 1.0, best);
        for name in [GNU, MUSL, SMALL] {
            for (live, beside) in [(0, String::new()), (self.extent.live, format!(" with {} live", self.extent.live))] {
                let best = self.best_peer(Figure::Latency(live));
                let what = format!("forward latency{beside} / the best peer's ({best})");
                ratio(name, &what, Figure::Latency(live), 1.0, best);
            }
        }
        for (name, most) in [(MUSL, 700.0), (SMALL, 300.0)] {
            if let Some(build) = self.contenders.iter().find(|contender| contender.name == name) {
                let kilobytes = build.file().map_or(f64::NAN, |(bytes, _)| bytes as f64 / 1000.0);
                line(&format!("file ≤ {most} KB"), name, format!("{} KB", digits(kilobytes)), kilobytes <= most);
            }
        }
        for name in self.contenders.iter().filter(|contender| contender.is_rinit()).map(|contender| contender.name) {
            let wake_ups = self.results.of(name, Figure::WakeUps);
            if !wake_ups.is_empty() {
                line("no wake-ups while idle", name, digits(wake_ups.most()), wake_ups.most() == 0.0);
            }
            // A kernel that takes longer for each of many does so for every init.
            for ((what, growth), (_, kernels)) in self.growths(name).into_iter().zip(self.growths(REFERENCE)) {
                let measured = format!("{growth:.2} ({REFERENCE} {kernels:.2})");
                line(&format!("{what} ≤ 1.5, or {REFERENCE}'s"), name, measured, growth <= kernels.max(1.5));
            }
        }
        text
    }

    /// The cost for each of many, over that for each of few: 1 where it grows linearly.
    fn growths(&self, name: &'static str) -> Vec<(String, f64)> {
        let mut growths = Vec::new();
        for live in [0, self.extent.live] {
            let crowds: Vec<Crowd> = self.extent.crowds().into_iter().filter(|crowd| crowd.live == live).collect();
            if let [few, .., many] = crowds.as_slice() {
                let each = |crowd: Crowd| self.results.of(name, Figure::ReapingProcessor(crowd)).median();
                let what = format!("reaping each of {} / of {}, {live} live", many.zombies, few.zombies);
                growths.push((what, each(*many) / each(*few)));
            }
        }
        if let [.., few, many] = self.extent.stops.as_slice() {
            let each = |count: usize| self.results.of(name, Figure::Stop(count)).median() / count as f64;
            growths.push((format!("stopping each of {many} / of {few}"), each(*many) / each(*few)));
        }
        growths.retain(|(_, growth)| !growth.is_nan());
        growths
    }

    /// The peer whose median is the lowest.
    fn best_peer(&self, figure: Figure) -> &'static str {
        let peers = self.contenders.iter().filter(|contender| contender.path.is_some() && !contender.is_rinit());
        let median = |name| self.results.of(name, figure).median();
        let best = peers.map(|contender| contender.name).min_by(|one, other| median(one).total_cmp(&median(other)));
        best.unwrap_or(REFERENCE)
    }

    /// Into the page, the plots beside it, and the README.
    pub(crate) fn write(&self) {
        let page = in_repository(PAGE);
        between_markers(&page, &self.text());
        let directory = page.with_file_name(PLOTS);
        std::fs::create_dir_all(&directory).expect("make the plots' directory");
        plot::all(&directory, self.contenders, self.extent, self.results).expect("draw the plots");
        between_markers(&in_repository("README.md"), &self.readme());
    }

    fn readme(&self) -> String {
        let mut table = Table::new(self.inits());
        table.row("file, KB", file_size);
        self.row(&mut table, "private dirty, KiB", Figure::PrivateDirty(When::Idle));
        self.row(&mut table, "start of an empty program, µs", Figure::Start);
        self.row(&mut table, "a signal's way through it, µs", Figure::Latency(0));
        let crowd = Crowd { live: self.extent.live, zombies: self.extent.zombies[0] };
        let title = format!("reaping one of {} orphans, beside {} that live, µs", crowd.zombies, crowd.live);
        self.row(&mut table, &title, Figure::ReapingProcessor(crowd));
        self.row(&mut table, "wake-ups a second, idle", Figure::WakeUps);
        table.text
    }
}

/// Where and when it was measured, and what else went on.
fn machine(load: f64) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let release = read("/proc/sys/kernel/osrelease");
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let output = std::process::Command::new("date").arg("+%Y-%m-%d").output();
    let date = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let busy = if load > QUIET {
        " **Other work went on at the same time**: times are longer and the spread is wider than on a quiet machine."
    } else {
        ""
    };
    format!(
        "{date}. Linux {} on {}, {processors} processors, load average before it began {load}.{busy}",
        release.trim(),
        std::env::consts::ARCH
    )
}

/// What people wrote around the markers stays.
fn between_markers(path: &Path, text: &str) {
    let old = std::fs::read_to_string(path).unwrap_or_else(|_| format!("{BEGIN}{END}"));
    let (before, rest) = old.split_once(BEGIN).expect("a begin marker");
    let (_, after) = rest.split_once(END).expect("an end marker");
    std::fs::write(path, format!("{before}{BEGIN}{text}{END}{after}")).expect("write it");
}
