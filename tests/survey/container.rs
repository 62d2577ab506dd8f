//! Containers as a runtime makes them: namespaces of their own, Docker's capabilities, a cgroup; started, asked, and stopped.

use crate::cgroup::Cgroup;
use crate::row::{InitProgram, Row, Space};
use crate::verdict::{self, Answer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// What `docker stop` gives a container before it kills it.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(10);

/// After this much of [`STOP_LIMIT`] a stop is slow. rinit's last call, which asks the remaining processes, is at 8 s.
const SLOW: Duration = Duration::from_secs(6);

/// How long a program may take to get ready.
const START_LIMIT: Duration = Duration::from_secs(300);

/// The capabilities that Docker gives a container.
const CAPABILITIES: &str = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,\
                            +net_raw,+sys_chroot,+mknod,+audit_write,+setfcap";

/// A user that owns nothing.
const NOBODY: u32 = 65534;

/// The user as which the diagnosis runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Root with Docker's capabilities: `docker exec -u 0`.
    Root,
    /// The uid of the container's first process: `docker exec`. Left out where that is root.
    Same,
    /// Another uid, without capabilities.
    Other,
    /// Root outside of the container: `rinit --diagnose --pid N`.
    Outside,
}

impl Asker {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Same => "the same uid",
            Self::Other => "another uid",
            Self::Outside => "root outside",
        }
    }
}

/// Where the survey keeps what it needs: a directory that every user may enter, removed with its guard.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> io::Result<Self> {
        // Not in /tmp: each container gets one of its own.
        let directory = tempfile::Builder::new().prefix("rinit-survey-").tempdir_in("/var/tmp")?;
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        let place = Self { directory };
        // Another user may not be permitted to enter the directory of the build.
        fs::copy(support::rinit_binary(), place.rinit())?;
        fs::create_dir(place.templates())?;
        Ok(place)
    }

    pub(crate) fn rinit(&self) -> PathBuf {
        self.directory.path().join("rinit")
    }

    /// What a database makes once and each container copies.
    pub(crate) fn templates(&self) -> PathBuf {
        self.directory.path().join("templates")
    }
}

/// Set by SIGINT and SIGTERM, so that the guards remove what was started.
static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [2, 15] {
        signal_hook::flag::register(signal, Arc::clone(&flag)).expect("a handler");
    }
    flag
});

/// True once this program was asked to stop.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// A running container. Killed and removed with its guard.
pub(crate) struct Container<'a> {
    place: &'a Place,
    /// `$D` of the row.
    directory: PathBuf,
    cgroup: Option<Cgroup>,
    /// The container's first process, as seen from here.
    main: i32,
    handle: OwnedFd,
    /// The programs that entered the namespaces for it, and the clients.
    helpers: Helpers,
    terminal: Option<OwnedFd>,
    engine: Option<Engine>,
}

/// Processes that each lead a group, killed with their guard.
#[derive(Default)]
struct Helpers(Vec<Child>);

impl Drop for Helpers {
    fn drop(&mut self) {
        for helper in &mut self.0 {
            // A client is a shell with children.
            let _ = rustix::process::kill_process_group(Pid::from_child(helper), Signal::KILL);
            let _ = helper.kill();
        }
        for helper in &mut self.0 {
            let _ = helper.wait();
        }
    }
}

/// Containers of Docker's, removed with their guard.
struct Engine(Vec<String>);

impl Drop for Engine {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = Command::new("docker").args(["rm", "--force", "--volumes", name]).output();
        }
    }
}

/// How the container stopped.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    /// `None` where it still ran at the limit.
    pub(crate) after: Option<Duration>,
    /// What rinit wrote on standard error from the stop on.
    pub(crate) said: Vec<String>,
}

impl Stop {
    /// It stops, but so late that a slower machine would see it killed: neither answer is false.
    pub(crate) fn is_slow(&self) -> bool {
        self.after.is_some_and(|after| after > SLOW)
    }
}

type Result<T> = std::result::Result<T, String>;

/// As [`clean`], killed with the thread that started it: a container never outlives a killed survey.
fn bound(program: &str) -> Command {
    let mut command = clean("setpriv");
    // A shell starts background jobs with SIGINT and SIGQUIT ignored, and the container would inherit that.
    command.args(["--pdeathsig", "KILL", "env", "--default-signal", program]);
    command
}

/// A command with the environment of a container and nothing of ours.
fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("HOME", "/tmp").env("LANG", "C.UTF-8").env("TERM", "xterm").stdin(Stdio::null());
    command
}

fn children(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn is_below(pid: i32) -> Vec<i32> {
    let mut found = vec![pid];
    let mut at = 0;
    while at < found.len() {
        let threads = fs::read_dir(format!("/proc/{}/task", found[at])).into_iter().flatten().flatten();
        for thread in threads {
            let text = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(text.split_whitespace().filter_map(|word| word.parse::<i32>().ok()));
        }
        at += 1;
    }
    found
}

fn field(pid: i32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What no longer changes once a program has started: its processes and what they do with signals.
fn picture(main: i32) -> Vec<(i32, String, String, String)> {
    let mut picture: Vec<_> = is_below(main)
        .into_iter()
        .map(|pid| {
            let signals = ["SigBlk", "SigIgn", "SigCgt"].map(|name| field(pid, name).unwrap_or_default()).join(" ");
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            (pid, signals, String::from_utf8_lossy(&command).into_owned(), field(pid, "Threads").unwrap_or_default())
        })
        .collect();
    picture.sort();
    picture
}

fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        if interrupted() {
            return Err("interrupted".to_owned());
        }
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > end {
            return Err(format!("not within {} s: {what}", limit.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The script that makes the container and then becomes the row's program.
fn set_up(row: &Row, init: InitProgram, place: &Place, mounts: bool, cgroup: Option<&Cgroup>) -> String {
    let rinit = place.rinit();
    let mut script = String::from("set -e\nexport D=\"$1\" T=\"$2\"\n");
    if let Some(cgroup) = cgroup {
        // The children of this shell come with it.
        script += &format!("echo 0 >{}/cgroup.procs\n", cgroup.path().display());
    }
    if mounts {
        script += "mount -t proc proc /proc\nmount -t tmpfs tmpfs /tmp\nmount -t tmpfs tmpfs /run\n\
                   mount -t tmpfs tmpfs /var/log\nmkdir /run/lock\nchmod 1777 /tmp /run/lock\nip link set lo up\n";
    }
    script += "cd \"$D\"\n";
    script += &row.setup;
    script += "\nset +e\n";
    // From here on this process is the program.
    let mut words = Vec::new();
    if row.terminal {
        words.push("setsid --ctty".to_owned());
    }
    if !row.privileged {
        words.push(format!("setpriv --bounding-set {CAPABILITIES}"));
    }
    if row.user != "root" {
        words.push(format!("setpriv --reuid {0} --regid {0} --clear-groups", row.user));
    }
    words.push(init.words(&rinit.display().to_string()));
    words.push(row.command.clone());
    let redirect = if row.terminal { "" } else { " >\"$D/log\" 2>&1" };
    script += &format!(": >\"$D/log\"\nchmod 666 \"$D/log\"\nexec {}{redirect}\n", words.join(" "));
    script
}

impl<'a> Container<'a> {
    /// Starts the row and waits until it is ready.
    pub(crate) fn start(place: &'a Place, number: usize, row: &Row, init: InitProgram, space: Space) -> Result<Self> {
        let directory = place.directory.path().join(format!("row-{number}"));
        fs::create_dir(&directory).map_err(|error| error.to_string())?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o1777)).map_err(|error| error.to_string())?;
        let mut container = if space.is_docker() {
            Self::start_by_docker(place, number, row, init, space, directory)?
        } else {
            Self::start_by_namespaces(place, number, row, init, space, directory)?
        };
        container.get_ready(row).map_err(|why| format!("{why}\n{}", container.log()))?;
        Ok(container)
    }

    fn start_by_namespaces(
        place: &'a Place,
        number: usize,
        row: &Row,
        init: InitProgram,
        space: Space,
        directory: PathBuf,
    ) -> Result<Self> {
        let cgroup = Cgroup::make(&format!("rinit-survey-{}-{number}", std::process::id()));
        if cgroup.is_none() && space == Space::Host {
            return Err("without a cgroup it could not be cleaned up".to_owned());
        }
        let script = set_up(row, init, place, true, cgroup.as_ref());
        let mut helpers = Helpers::default();
        let mut command = match space {
            Space::Host => {
                let mut command = bound("unshare");
                command.args(["--mount", "--net", "--ipc", "--"]);
                command
            }
            Space::Shared => {
                let mut other = bound("unshare");
                other.args(["--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--net", "--"]);
                let neighbour = row.neighbour.replace("rinit", &place.rinit().display().to_string());
                other
                    .process_group(0)
                    .args(["sh", "-c", &format!("exec {neighbour}")])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                let other = other.spawn().map_err(|error| format!("unshare: {error}"))?;
                let outer = i32::try_from(other.id()).expect("a pid");
                helpers.0.push(other);
                let pause = wait_for("the neighbour", START_LIMIT, || {
                    let is_program = |pid: &i32| {
                        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                        !command.starts_with("unshare") && !command.contains("exec ")
                    };
                    Ok(children(outer).first().copied().filter(is_program))
                })?;
                let mut command = bound("nsenter");
                command.args(["--target", &pause.to_string(), "--pid", "--net", "--"]);
                command.args(["unshare", "--mount", "--ipc", "--"]);
                command
            }
            _ => {
                let mut command = bound("unshare");
                // The parent stays in our mount namespace, as a runtime's shim does.
                command.args(["--pid", "--fork", "--kill-child=KILL", "--"]);
                command.args(["unshare", "--mount", "--net", "--ipc", "--"]);
                command
            }
        };
        command.args(["sh", "-c", &script, "sh"]).arg(&directory).arg(place.templates());
        let log = fs::File::create(directory.join("setup")).map_err(|error| error.to_string())?;
        command.stderr(log.try_clone().map_err(|error| error.to_string())?).stdout(log);
        let terminal = if row.terminal {
            let pair = rustix_openpty::openpty(None, None).map_err(|error| error.to_string())?;
            let user = || pair.user.try_clone().expect("a descriptor");
            command.stdin(user()).stdout(user()).stderr(user());
            Some(pair.controller)
        } else {
            None
        };
        // Of its own group: a ^C at our terminal is for us alone.
        command.process_group(0);
        let outer = command.spawn().map_err(|error| format!("unshare: {error}"))?;
        // The command holds the terminal open.
        drop(command);
        let outer_pid = i32::try_from(outer.id()).expect("a pid");
        helpers.0.push(outer);
        let marker = directory.join("log");
        let main = wait_for("the set-up to end", START_LIMIT, || {
            if let Some(status) = helpers.0.last_mut().expect("the outer one").try_wait().ok().flatten() {
                let text = fs::read_to_string(directory.join("setup")).unwrap_or_default();
                return Err(format!("it exited at once, {status}: {text}"));
            }
            let main = if space == Space::Host { Some(outer_pid) } else { children(outer_pid).first().copied() };
            Ok(main.filter(|_| marker.exists()))
        })?;
        let handle = pidfd_open(Pid::from_raw(main).expect("a pid"), PidfdFlags::empty())
            .map_err(|error| format!("pidfd_open: {error}"))?;
        Ok(Self { place, directory, cgroup, main, handle, helpers, terminal, engine: None })
    }

    fn start_by_docker(
        place: &'a Place,
        number: usize,
        row: &Row,
        init: InitProgram,
        space: Space,
        directory: PathBuf,
    ) -> Result<Self> {
        let name = format!("rinit-test-survey-{}-{number}", std::process::id());
        let mut engine = Engine(Vec::new());
        let script = set_up(row, init, place, false, None);
        let mounts = ["/usr", "/etc"].map(|path| format!("--volume={path}:{path}:ro"));
        let own = place.directory.path().display();
        let mut run = |name: &str, options: &[&str], command: &[&str]| {
            let mut docker = Command::new("docker");
            docker.args(["run", "--detach", "--network", "none", "--name", name, "--tmpfs", "/tmp", "--tmpfs", "/run"]);
            docker.args(&mounts).arg(format!("--volume={own}:{own}")).args(options);
            docker.arg(image()).args(command).stdin(Stdio::null());
            engine.0.push(name.to_owned());
            successful(&mut docker)
        };
        let other = format!("{name}-other");
        let in_other = format!("--pid=container:{other}");
        let mut options = Vec::new();
        match space {
            Space::DockerShared => {
                let neighbour = row.neighbour.replace("rinit", &place.rinit().display().to_string());
                run(&other, &[], &["sh", "-c", &format!("exec {neighbour}")])?;
                options.push(in_other.as_str());
            }
            Space::DockerHost => options.push("--pid=host"),
            _ => {}
        }
        let (data, templates) = (directory.display().to_string(), place.templates().display().to_string());
        run(&name, &options, &["sh", "-c", &script, "sh", &data, &templates])?;
        let main = successful(Command::new("docker").args(["inspect", "--format", "{{.State.Pid}}", &name]))?;
        let main = main.trim().parse().map_err(|_| format!("no pid: {main}"))?;
        let handle = Pid::from_raw(main)
            .ok_or("it exited at once".to_owned())
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).map_err(|error| format!("pidfd_open: {error}")))?;
        let (helpers, engine) = (Helpers::default(), Some(engine));
        Ok(Self { place, directory, cgroup: None, main, handle, helpers, terminal: None, engine })
    }

    fn get_ready(&mut self, row: &Row) -> Result<()> {
        wait_for("the program to be ready", START_LIMIT, || {
            self.drain_terminal();
            if self.has_exited(Duration::ZERO) {
                return Err("it exited before it was ready".to_owned());
            }
            Ok(self.run_inside(&row.ready).status.success().then_some(()))
        })?;
        self.settle();
        if !row.then.is_empty() {
            let output = self.run_inside(&row.then);
            if !output.status.success() {
                return Err(format!("{}: {}", row.then, String::from_utf8_lossy(&output.stderr)));
            }
        }
        if !row.client.is_empty() {
            let mut client = self.enter(&["--mount", "--net"]);
            client.args(["sh", "-c", &self.inside(&row.client)]).process_group(0);
            // A client may read its standard input for as long as it lives: never an end of file.
            client.stdin(Stdio::piped());
            let file = |name: &str| fs::File::create(self.directory.join(name)).map_err(|error| error.to_string());
            let client = client.stdout(file("client.out")?).stderr(file("client.err")?).spawn();
            self.helpers.0.push(client.map_err(|error| error.to_string())?);
            wait_for("the client's connection", START_LIMIT, || {
                let gone =
                    self.helpers.0.last_mut().is_some_and(|client| client.try_wait().is_ok_and(|end| end.is_some()));
                let out = self.read("client.out");
                if gone && out.is_empty() { Err(self.read("client.err")) } else { Ok((!out.is_empty()).then_some(())) }
            })?;
        }
        self.settle();
        if self.has_exited(Duration::ZERO) { Err("it exited before it was asked".to_owned()) } else { Ok(()) }
    }

    /// Waits until its processes do not change, for a while: a polling loop never settles.
    fn settle(&mut self) {
        let (end, mut last, mut since) = (Instant::now() + Duration::from_secs(3), Vec::new(), Instant::now());
        while Instant::now() < end && since.elapsed() < Duration::from_millis(300) {
            self.drain_terminal();
            let now = picture(self.main);
            if now != last {
                (last, since) = (now, Instant::now());
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// A full terminal would block its writer.
    fn drain_terminal(&mut self) {
        let Some(terminal) = &self.terminal else { return };
        let mut buffer = [0; 4096];
        let readable = |fd: &OwnedFd| {
            let mut fds = [PollFd::new(fd, PollFlags::IN)];
            poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|count| count > 0)
                && fds[0].revents().contains(PollFlags::IN)
        };
        while readable(terminal) {
            match rustix::io::read(terminal, &mut buffer) {
                Ok(length) if length > 0 => {
                    use io::Write as _;
                    let file = fs::OpenOptions::new().append(true).create(true).open(self.directory.join("log"));
                    let _ = file.and_then(|mut file| file.write_all(&buffer[..length]));
                }
                _ => return,
            }
        }
    }

    fn enter(&self, namespaces: &[&str]) -> Command {
        let mut command = clean("sh");
        let cgroup = self
            .cgroup
            .as_ref()
            .map_or(String::new(), |cgroup| format!("echo 0 >{}/cgroup.procs; ", cgroup.path().display()));
        let target = self.main.to_string();
        command.args(["-c", &format!("{cgroup}exec nsenter --target {target} \"$@\""), "sh"]);
        command.args(namespaces).arg("--");
        command
    }

    fn inside(&self, shell: &str) -> String {
        let cgroup = self.cgroup.as_ref().map_or_else(PathBuf::new, |cgroup| cgroup.path().to_owned());
        format!(
            "CG={}; D={}; T={}; cd \"$D\"; {shell}",
            cgroup.display(),
            self.directory.display(),
            self.place.templates().display()
        )
    }

    /// Runs a shell text in the container, as `docker exec` would.
    fn run_inside(&self, shell: &str) -> Output {
        let mut command = match &self.engine {
            Some(engine) => {
                let mut command = Command::new("docker");
                command.args(["exec", engine.0.last().expect("a container")]);
                command
            }
            None => self.enter(&["--pid", "--mount", "--net", "--ipc"]),
        };
        command.args(["sh", "-c", &self.inside(shell)]).stdin(Stdio::null());
        command.output().expect("run nsenter or docker")
    }

    /// The first process's real uid or gid.
    fn id(&self, name: &str) -> u32 {
        let ids = field(self.main, name).unwrap_or_default();
        ids.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    /// The users as which the diagnosis can run for this container.
    pub(crate) fn askers(&self) -> Vec<Asker> {
        let mut askers = vec![Asker::Root, Asker::Other, Asker::Outside];
        if self.id("Uid") != 0 {
            askers.insert(1, Asker::Same);
        }
        askers
    }

    /// Runs `rinit --diagnose --json` in the container.
    pub(crate) fn ask(&self, asker: Asker) -> Answer {
        let output = self.diagnose(asker, &["--json"]);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        verdict::read(output.status.code(), &text(&output.stdout), &text(&output.stderr))
    }

    /// Runs `rinit --diagnose` in the container, for people.
    pub(crate) fn ask_in_words(&self) -> String {
        String::from_utf8_lossy(&self.diagnose(Asker::Root, &[]).stdout).trim_end().to_owned()
    }

    fn diagnose(&self, asker: Asker, options: &[&str]) -> Output {
        let (uid, gid) = match asker {
            Asker::Outside => {
                let mut command = clean(&self.place.rinit().display().to_string());
                command.args(["--diagnose", "--pid", &self.main.to_string()]);
                return command.args(options).output().expect("run rinit");
            }
            Asker::Root => (0, 0),
            Asker::Same => (self.id("Uid"), self.id("Gid")),
            Asker::Other => (NOBODY, NOBODY),
        };
        let mut command = if let Some(engine) = &self.engine {
            let mut command = Command::new("docker");
            command.args(["exec", "--user", &format!("{uid}:{gid}"), engine.0.last().expect("a container")]);
            command
        } else {
            let mut command = self.enter(&["--pid", "--mount", "--net", "--ipc"]);
            command.args(["setpriv", "--bounding-set", CAPABILITIES]);
            if uid != 0 {
                command.args(["setpriv", "--reuid", &uid.to_string(), "--regid", &gid.to_string(), "--clear-groups"]);
            }
            command
        };
        command.arg(self.place.rinit()).arg("--diagnose").args(options).stdin(Stdio::null());
        command.output().expect("run nsenter or docker")
    }

    fn has_exited(&self, limit: Duration) -> bool {
        let limit = Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: i64::from(limit.subsec_nanos()) };
        poll(&mut [PollFd::new(&self.handle, PollFlags::IN)], Some(&limit)).is_ok_and(|count| count > 0)
    }

    /// SIGTERM to the first process, as `docker stop` sends it, and at most its ten seconds.
    pub(crate) fn stop(&mut self) -> Stop {
        let before = fs::metadata(self.directory.join("log")).map_or(0, |file| file.len());
        let after = self.signal(Signal::TERM, STOP_LIMIT);
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        let log = log.get(usize::try_from(before).unwrap_or(0)..).unwrap_or_default();
        let said = String::from_utf8_lossy(log);
        let said = said.lines().filter(|line| line.starts_with("rinit: ") || line.starts_with("  pid "));
        Stop { after, said: said.map(str::to_owned).collect() }
    }

    /// Sends a signal to the first process, and waits at most so long for its end.
    pub(crate) fn signal(&mut self, signal: Signal, limit: Duration) -> Option<Duration> {
        let start = Instant::now();
        let _ = pidfd_send_signal(&self.handle, signal);
        let mut exited = false;
        while !exited && !interrupted() && start.elapsed() < limit {
            exited = self.has_exited(Duration::from_millis(100).min(limit.saturating_sub(start.elapsed())));
            self.drain_terminal();
        }
        exited.then(|| start.elapsed())
    }

    /// What the client has received, once it has exited or after this time.
    pub(crate) fn received(&mut self, limit: Duration) -> String {
        let end = Instant::now() + limit;
        while Instant::now() < end
            && self.helpers.0.last_mut().is_some_and(|one| one.try_wait().is_ok_and(|end| end.is_none()))
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.read("client.out")
    }

    /// Whether a shell text succeeds in the container.
    pub(crate) fn answers(&self, shell: &str) -> bool {
        !self.has_exited(Duration::ZERO) && self.run_inside(shell).status.success()
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.directory.join(name)).unwrap_or_default()).into_owned()
    }

    /// The end of what the program has written.
    pub(crate) fn log(&self) -> String {
        let text = self.read("setup") + &self.read("log");
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// The image in which the host's programs are mounted.
fn image() -> String {
    format!("rinit-test-survey-{}", std::process::id())
}

/// The image, removed with its guard.
pub(crate) struct Image;

impl Image {
    /// # Errors
    ///
    /// Why there is none: most often no engine.
    pub(crate) fn make() -> Result<Self> {
        // Almost empty: where a merged /usr has its links.
        let script = format!(
            "set -e; d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; cd $d; for l in bin sbin lib lib64; do ln -s usr/$l $l; done; \
             mkdir -p usr etc proc tmp run var/tmp var/log; chmod 1777 tmp; tar c . | docker import - {}",
            image()
        );
        successful(Command::new("sh").args(["-c", &script]))?;
        Ok(Self)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["image", "rm", "--force", &image()]).output();
    }
}

fn successful(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
        // Ends what is left in a shared namespace.
        self.cgroup = None;
        self.helpers = Helpers::default();
        self.engine = None;
        if std::env::var_os("RINIT_SURVEY_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}
