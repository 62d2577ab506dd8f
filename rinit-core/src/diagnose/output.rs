//! The diagnosis in words and in JSON.

use super::json::Json;
use super::{Diagnosis, Zombie};
use crate::pid::Pid;
use crate::survivor::Survivor;
use crate::survivor::reason::Reason;
use crate::survivor::{Age, Quoted};
use std::fmt;

/// What `docker stop` does where PID 1 does not end by SIGTERM.
const TIMEOUT: &str =
    "`docker stop` will take its full timeout (10 s, if not set otherwise) and then kill the container";

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.verdict(f)?;
        let Survivor { pid, command, .. } = &self.init;
        write!(f, "\nPID {pid} {} ", Quoted(command))?;
        if self.init_is_self {
            f.write_str("is this diagnosis itself: run it inside a running container, with `docker exec`")?;
        } else {
            self.init_treatment(f)?;
        }
        if !self.refusing.is_empty() {
            f.write_str("\nWould not end by SIGTERM:")?;
            for survivor in &self.refusing {
                write!(f, "\n  {survivor}")?;
            }
        }
        if !self.zombies.is_empty() {
            f.write_str("\nEnded, and not waited for by their parent (zombies):")?;
            for zombie in &self.zombies {
                write!(f, "\n  {zombie}")?;
            }
        }
        Ok(())
    }
}

impl Diagnosis {
    fn verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_healthy() {
            return f.write_str("healthy: PID 1 takes SIGTERM, nobody would refuse it, and there are no zombies");
        }
        f.write_str("findings: ")?;
        let mut separator = "";
        if !self.init_stops() {
            f.write_str("PID 1 will not stop by SIGTERM")?;
            separator = ", ";
        }
        match self.refusing.len() {
            0 => {}
            1 => write!(f, "{separator}1 process would not end by SIGTERM")?,
            count => write!(f, "{separator}{count} processes would not end by SIGTERM")?,
        }
        if !self.refusing.is_empty() {
            separator = ", ";
        }
        match self.zombies.len() {
            0 => Ok(()),
            1 => write!(f, "{separator}1 zombie"),
            count => write!(f, "{separator}{count} zombies"),
        }
    }

    fn init_treatment(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.init.reason {
            Reason::Handles(signal) | Reason::Pending(signal) => write!(f, "handles {signal}"),
            Reason::Blocks(signal) => write!(f, "blocks {signal}, as inits do to take it by sigwait or signalfd"),
            Reason::NamespaceInit(signal) => {
                write!(f, "loses {signal}: it has no handler, and the kernel drops it for PID 1; {TIMEOUT}")
            }
            Reason::ShellWaits { child, command } => write!(
                f,
                "is a shell, which runs its trap only after its foreground child {child} {} ends; {TIMEOUT}, \
                 unless the child ends before; start the program with exec",
                Quoted(command)
            ),
            Reason::Unknown => f.write_str("treats SIGTERM in a way that /proc does not tell"),
            reason if self.init_stops() => write!(f, "is fine: {reason}"),
            reason => write!(f, "does not act on SIGTERM, {reason}; {TIMEOUT}"),
        }
    }

    /// How PID 1 treats SIGTERM, in one word.
    fn treatment(&self) -> &'static str {
        match self.init.reason {
            _ if self.init_is_self => "self",
            Reason::Pending(_) => "handles",
            Reason::NamespaceInit(_) => "loses",
            ref reason => reason.code(),
        }
    }

    /// The diagnosis as one line of JSON (RFC 8259), for programs.
    ///
    /// `healthy` is true or false. `pid1` has `pid`, `command`, `uid` (or null), `state` (a letter), `age_seconds`, `term`
    /// (`handles`, `blocks`, `loses`, `ignores`, `self`, or a [`Reason::code`]) and `stops`. `refusing` lists `pid`,
    /// `ppid` (or null), `command`, `uid`, `state`, `age_seconds`, `reason` (a [`Reason::code`]) and `text`. `zombies`
    /// lists `pid`, `command`, `age_seconds` and `parent`: null, or `pid` and `command`. Members may be added.
    ///
    /// ```
    /// # fn main() -> Result<(), rinit_core::Error> {
    /// let json = rinit_core::diagnose::diagnose()?.to_json();
    /// assert!(json.starts_with("{\"healthy\":"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut pid1 = members(&self.init);
        pid1.push(("term", Json::text(self.treatment())));
        pid1.push(("stops", Json::Bool(self.init_stops())));
        let refusing = self.refusing.iter().map(|survivor| {
            let mut refusing = members(survivor);
            refusing.insert(1, ("ppid", Json::or_null(survivor.ppid, pid)));
            refusing.push(("reason", Json::text(survivor.reason.code())));
            refusing.push(("text", Json::text(&survivor.reason)));
            Json::Object(refusing)
        });
        let zombies = self.zombies.iter().map(|zombie| {
            let parent = zombie.parent.as_ref();
            Json::Object(vec![
                ("pid", pid(zombie.pid)),
                ("command", Json::text(&zombie.command)),
                ("age_seconds", Json::Seconds(zombie.age)),
                (
                    "parent",
                    Json::or_null(parent, |parent| {
                        Json::Object(vec![("pid", pid(parent.pid)), ("command", Json::text(&parent.command))])
                    }),
                ),
            ])
        });
        let diagnosis = Json::Object(vec![
            ("healthy", Json::Bool(self.is_healthy())),
            ("pid1", Json::Object(pid1)),
            ("refusing", Json::Array(refusing.collect())),
            ("zombies", Json::Array(zombies.collect())),
        ]);
        diagnosis.to_string()
    }
}

fn members(survivor: &Survivor) -> Vec<(&'static str, Json)> {
    vec![
        ("pid", pid(survivor.pid)),
        ("command", Json::text(&survivor.command)),
        ("uid", Json::or_null(survivor.uid, |uid| Json::Integer(uid.into()))),
        ("state", Json::text(survivor.state)),
        ("age_seconds", Json::Seconds(survivor.age)),
    ]
}

fn pid(pid: Pid) -> Json {
    Json::Integer(pid.get().into())
}

impl fmt::Display for Zombie {
    /// ``pid 12 '[sleep]' started 3s ago: parent 7 'app' does not wait for it``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} {} started {} ago: ", self.pid, Quoted(&self.command), Age(self.age))?;
        match &self.parent {
            Some(parent) => write!(f, "parent {} {} does not wait for it", parent.pid, Quoted(&parent.command)),
            None => f.write_str("its parent outside of the container does not wait for it"),
        }
    }
}
