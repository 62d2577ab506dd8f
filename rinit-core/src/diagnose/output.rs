//! The diagnosis in words and in JSON.

use super::json::Json;
use super::{Diagnosis, Finding, Zombies};
use crate::pid::Pid;
use crate::printable::Quoted;
use crate::survivor::reason::Reason;
use crate::survivor::remedy::LET_GO;
use crate::survivor::{Age, Survivor};
use std::fmt::{self, Write as _};

/// The version of the JSON. It grows when a member changes its meaning or goes away, not when one is added.
const SCHEMA: i64 = 1;

/// What an engine does with a container that does not stop.
const TIMEOUT: &str = "`docker stop` takes its full timeout (10 s, if not set otherwise), and then kills the container";

/// Names that are listed of the zombies of one parent.
const NAMED_ZOMBIES: usize = 5;

/// What helps against zombies.
const REAP: &str = "run the container under an init (docker run --init, or rinit), or make the parent wait for them";

fn remedy(zombies: &Zombies) -> &'static str {
    if zombies.tracer.is_some() || zombies.parent_is_init { LET_GO } else { REAP }
}

/// Escape sequences of a terminal, or nothing.
#[derive(Clone, Copy)]
struct Style {
    colours: bool,
}

/// "Select Graphic Rendition" of ECMA-48.
#[derive(Clone, Copy)]
enum Colour {
    Green = 32,
    Red = 31,
    Yellow = 33,
}

impl Style {
    fn bold(self, colour: Colour, text: &str) -> String {
        if self.colours { format!("\x1b[1;{}m{text}\x1b[0m", colour as u8) } else { text.to_owned() }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Style { colours: false }))
    }
}

impl Diagnosis {
    /// The diagnosis as text, in the colours of a terminal.
    #[must_use]
    pub fn to_terminal(&self) -> String {
        self.text(Style { colours: true })
    }

    fn text(&self, style: Style) -> String {
        let mut text = self.summary(style);
        let first = &self.first;
        // Writing to a String does not fail.
        let _ = write!(text, "\n{} {}: ", self.name_of_first(), Quoted(&first.process.command));
        text += &self.treatment();
        let on_first = |finding: &Finding| finding.process.pid == first.process.pid;
        let depends_on_first = self.findings.iter().chain(&self.undecided).any(on_first);
        if let Some(remedy) = first.remedy.as_ref().filter(|_| depends_on_first) {
            let _ = write!(text, "\n  what helps: {remedy}");
        }
        for (heading, list) in [
            ("Keeps it from stopping:", &self.findings),
            ("Depends on:", &self.undecided),
            (self.heading_of_notes(), &self.notes),
        ] {
            let mut list = list.iter().filter(|finding| !on_first(finding)).peekable();
            if list.peek().is_some() {
                let _ = write!(text, "\n{heading}");
            }
            for finding in list {
                let _ = write!(text, "\n  {}", line(&finding.process));
                if let Some(remedy) = &finding.remedy {
                    let _ = write!(text, "\n    what helps: {remedy}");
                }
            }
        }
        for zombies in &self.zombies {
            let _ = write!(text, "\n{zombies}\n  what helps: {}", remedy(zombies));
        }
        if self.hidden {
            text += "\nSome processes are hidden from this user (hidepid): run this as root to see them all";
        }
        text
    }

    fn summary(&self, style: Style) -> String {
        let mut text = match self.stops {
            Some(true) => style.bold(Colour::Green, "will stop") + ": SIGTERM to the first process stops the container",
            Some(false) => style.bold(Colour::Red, "will not stop") + ": " + TIMEOUT,
            None => style.bold(Colour::Yellow, "cannot be told") + ": only a stop shows whether the container stops",
        };
        let zombies: usize = self.zombies.iter().map(|group| group.zombies.len()).sum();
        match zombies {
            0 => {}
            1 => text += "; 1 zombie",
            count => {
                let _ = write!(text, "; {count} zombies");
            }
        }
        text
    }

    /// `PID 1`, or the number with what it is inside, or with the remark that the namespace is shared.
    fn name_of_first(&self) -> String {
        let pid = self.first.process.pid;
        match self.first_inside {
            _ if self.shared => format!("The PID namespace is shared; this container's first process is pid {pid}"),
            Some(inside) => format!("PID {inside} (pid {pid} here)"),
            None => format!("PID {pid}"),
        }
    }

    /// What the notes are: where only a stop shows whether the container stops, a parent may wait for one of them.
    const fn heading_of_notes(&self) -> &'static str {
        match self.stops {
            None => "Does not act on SIGTERM, and counts only if its parent waits for it:",
            Some(_) => "Does not act on SIGTERM, and exits with the container or when its parent stops it:",
        }
    }

    fn treatment(&self) -> String {
        let reason = &self.first.process.reason;
        match reason {
            Reason::NamespaceInit(signal) => {
                format!("loses {signal}: it has no handler, and the kernel drops it for PID 1")
            }
            _ => self.role.clone().unwrap_or_else(|| conditional(reason)),
        }
    }

    /// The word for why: of the process to blame, of the one on which it depends, or of the first.
    fn reason(&self) -> &'static str {
        let decisive = self.findings.first().or(self.undecided.first()).unwrap_or(&self.first);
        decisive.process.reason.code()
    }

    /// The diagnosis as one line of JSON (RFC 8259), for programs.
    ///
    /// `schema` is 1. `stops` is true, false, or null where only a stop shows it, and `reason` a [`Reason::code`]. `shared` is
    /// true where the PID namespace is shared. `first`, and the members of `findings`, `undecided` and `notes`, have `pid`,
    /// `ppid` (or null), `command` (short), `arguments` (whole), `uid` (or null), `state` (a letter), `age_seconds`, `reason`,
    /// `text` and `remedy` (or null); `first` has `inside_pid`, too. `main` is the pid to which an init forwards SIGTERM, or
    /// null. `zombies` lists groups with `parent` and `tracer` (`pid` and `command`, or null), `parent_is_init`, `count`, `remedy`
    /// and `zombies` (`pid`, `command`, `age_seconds`). `hidden` is true where processes are hidden from this user. Members may be added.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut first = members(&self.first);
        let inside = self.first_inside.unwrap_or(self.first.process.pid);
        first.insert(1, ("inside_pid", pid(inside)));
        for (name, value) in &mut first {
            if *name == "text" {
                *value = Json::text(self.treatment());
            }
        }
        let list = |findings: &[Finding]| Json::Array(findings.iter().map(|one| Json::Object(members(one))).collect());
        let diagnosis = Json::Object(vec![
            ("schema", Json::Integer(SCHEMA)),
            ("stops", Json::or_null(self.stops, Json::Bool)),
            ("reason", Json::text(self.reason())),
            ("shared", Json::Bool(self.shared)),
            ("first", Json::Object(first)),
            ("main", Json::or_null(self.main, pid)),
            ("findings", list(&self.findings)),
            ("undecided", list(&self.undecided)),
            ("notes", list(&self.notes)),
            ("zombies", Json::Array(self.zombies.iter().map(zombies).collect())),
            ("hidden", Json::Bool(self.hidden)),
        ]);
        diagnosis.to_string()
    }
}

/// The reason in the conditional: what SIGTERM would do. [`Reason`]'s own text says what it did.
fn conditional(reason: &Reason) -> String {
    match reason {
        Reason::Handles(signal) => format!("has a handler for {signal}; only a stop shows whether it exits"),
        Reason::Waits(signal) => {
            format!("takes {signal} by sigwait or signalfd; only a stop shows whether it exits")
        }
        Reason::Pending(signal) | Reason::Ending(signal) => format!("is terminated by {signal}"),
        Reason::FullPipe(signal) => {
            format!(
                "has a handler for {signal}, but is blocked in a write to a full pipe, which its reader does not empty"
            )
        }
        // Seen by its init, which does not reap it.
        Reason::TracedZombie { tracer: None } => {
            "a zombie that the init cannot reap yet; a debugger outside of the PID namespace may trace it".to_owned()
        }
        Reason::Unknown => "what it does with the signal cannot be seen".to_owned(),
        other => other.to_string(),
    }
}

/// `pid 12 (ppid 1) 'sleep 1000' state S, age 3s: ignores SIGTERM`.
fn line(process: &Survivor) -> String {
    let ppid = process.ppid.map_or(0, Pid::get);
    let (pid, state, age) = (process.pid, process.state, Age(process.age));
    format!(
        "pid {pid} (ppid {ppid}) {} state {state}, age {age}: {}",
        Quoted(&process.command),
        conditional(&process.reason)
    )
}

fn members(finding: &Finding) -> Vec<(&'static str, Json)> {
    let process = &finding.process;
    vec![
        ("pid", pid(process.pid)),
        ("ppid", Json::or_null(process.ppid, pid)),
        ("command", Json::text(&process.command)),
        ("arguments", Json::Array(finding.arguments.iter().map(Json::text).collect())),
        ("uid", Json::or_null(process.uid, |uid| Json::Integer(uid.into()))),
        ("state", Json::text(process.state)),
        ("age_seconds", Json::Seconds(process.age)),
        ("reason", Json::text(process.reason.code())),
        ("text", Json::text(conditional(&process.reason))),
        ("remedy", Json::or_null(finding.remedy.as_ref(), Json::text)),
    ]
}

fn zombies(group: &Zombies) -> Json {
    let parent = |parent: &super::ZombieParent| {
        Json::Object(vec![("pid", pid(parent.pid)), ("command", Json::text(&parent.command))])
    };
    let zombie = |zombie: &super::Zombie| {
        Json::Object(vec![
            ("pid", pid(zombie.pid)),
            ("command", Json::text(&zombie.command)),
            ("age_seconds", Json::Seconds(zombie.age)),
        ])
    };
    Json::Object(vec![
        ("parent", Json::or_null(group.parent.as_ref(), parent)),
        ("tracer", Json::or_null(group.tracer.as_ref(), parent)),
        ("parent_is_init", Json::Bool(group.parent_is_init)),
        ("count", Json::Integer(group.zombies.len().try_into().unwrap_or(i64::MAX))),
        ("remedy", Json::text(remedy(group))),
        ("zombies", Json::Array(group.zombies.iter().map(zombie).collect())),
    ])
}

fn pid(pid: Pid) -> Json {
    Json::Integer(pid.get().into())
}

impl fmt::Display for Zombies {
    /// ``30 zombies '[sleep]' (pid 12, 13, 14, 15, 16, ...): parent 7 'app' has not reaped them``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = self.zombies.len() == 1;
        match self.zombies.len() {
            1 => f.write_str("1 zombie")?,
            count => write!(f, "{count} zombies")?,
        }
        let mut names: Vec<&str> = Vec::new();
        for zombie in &self.zombies {
            if names.len() < NAMED_ZOMBIES && !names.contains(&zombie.command.as_str()) {
                names.push(&zombie.command);
            }
        }
        for (index, name) in names.into_iter().enumerate() {
            write!(f, "{}{}", if index == 0 { " " } else { ", " }, Quoted(name))?;
        }
        f.write_str(" (pid ")?;
        for (index, zombie) in self.zombies.iter().take(NAMED_ZOMBIES).enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { ", " }, zombie.pid)?;
        }
        f.write_str(if self.zombies.len() > NAMED_ZOMBIES { ", ...): " } else { "): " })?;
        let them = if one { "it" } else { "them" };
        if let Some(tracer) = &self.tracer {
            let (pid, command) = (tracer.pid, Quoted(&tracer.command));
            return write!(f, "the process {pid} {command}, which traces {them}, has not waited for {them}");
        }
        match &self.parent {
            Some(parent) if self.parent_is_init => {
                let (pid, command) = (parent.pid, Quoted(&parent.command));
                write!(
                    f,
                    "the init {pid} {command} cannot reap {them} yet; a debugger outside of the PID namespace may trace {them}"
                )
            }
            Some(parent) => write!(f, "parent {} {} has not reaped {them}", parent.pid, Quoted(&parent.command)),
            None => write!(f, "the parent, outside of the container, has not reaped {them}"),
        }
    }
}
