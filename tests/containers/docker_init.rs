//! rinit as Docker's own init: `dockerd --init-path`, `docker run --init`.
//!
//! With a daemon of its own, beside whatever runs on this machine: the path of the init belongs to the daemon.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use support::{needs, require, rinit_path, rootfs, static_build, test, wait_until};
use tempfile::TempDir;

/// A private daemon, which has rinit under the name docker-init as its init.
struct Daemon {
    directory: TempDir,
    child: Child,
}

impl Daemon {
    fn start(init: &Path) -> Result<Self, String> {
        needs::root()?;
        needs::programs(&["dockerd"])?;
        let directory = tempfile::tempdir().expect("a directory");
        let place = |name: &str| directory.path().join(name);
        symlink(init, place("docker-init")).expect("a link");
        // The machine's own configuration is not this daemon's.
        std::fs::write(place("daemon.json"), "{}").expect("write a file");
        let log = std::fs::File::create(place("log")).expect("a log");
        let mut command = Command::new("dockerd");
        for (option, name) in [
            ("--config-file", "daemon.json"),
            ("--data-root", "data"),
            ("--exec-root", "exec"),
            ("--pidfile", "pid"),
            ("--init-path", "docker-init"),
        ] {
            command.arg(option).arg(place(name));
        }
        command.arg("--host").arg(format!("unix://{}", place("socket").display()));
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"]);
        command.stdin(Stdio::null()).stderr(log).stdout(Stdio::null());
        let child = command.spawn().map_err(|error| format!("dockerd: {error}"))?;
        let mut daemon = Self { directory, child };
        wait_until("the daemon to answer, or to end", || {
            daemon.docker(&["version"]).status.success() || daemon.child.try_wait().is_ok_and(|ended| ended.is_some())
        });
        if daemon.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return Err(format!("dockerd does not run here: {}", daemon.log()));
        }
        Ok(daemon)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn docker(&self, words: &[&str]) -> Output {
        let socket = format!("unix://{}", self.directory.path().join("socket").display());
        let mut command = Command::new("docker");
        command.args(["--host", &socket]).args(words).stdin(Stdio::null());
        command.output().expect("run docker")
    }

    #[track_caller]
    fn docker_ok(&self, words: &[&str]) -> String {
        let output = self.docker(words);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        assert!(output.status.success(), "docker {words:?}: {}\n{}", text(&output.stderr), self.log());
        text(&output.stdout)
    }

    /// Makes an image of a root file system's directory.
    #[track_caller]
    fn import(&self, root: &Path, name: &str) {
        let tar = self.directory.path().join("image.tar");
        let packed = Command::new("tar").arg("-cf").arg(&tar).arg("-C").arg(root).arg(".").status();
        assert!(packed.is_ok_and(|status| status.success()), "tar");
        self.docker_ok(&["import", tar.to_str().expect("UTF-8"), name]);
        let _ = std::fs::remove_file(tar);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        for id in String::from_utf8_lossy(&self.docker(&["ps", "-aq"]).stdout).split_whitespace() {
            let _ = self.docker(&["rm", "--force", id]);
        }
        // TERM, so that it stops its containerd, too.
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
        for mount in self.mounts() {
            let _ = Command::new("umount").arg("--lazy").arg(mount).status();
        }
    }
}

impl Daemon {
    /// What it may have left mounted below its directory, the deepest first.
    fn mounts(&self) -> Vec<PathBuf> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let places = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
        let mut below: Vec<_> = places.filter(|place| place.starts_with(self.directory.path())).collect();
        below.sort();
        below.reverse();
        below
    }
}

#[test]
fn docker_runs_containers_under_rinit() {
    let busybox = require(static_build::busybox());
    let daemon = require(Daemon::start(&static_build::programs().rinit));

    let version = daemon.docker_ok(&["version", "--format", "{{json .Server.Components}}"]);
    assert!(version.contains("docker-init") && version.contains("\"0.19.0\""), "{version}");
    let info = daemon.docker(&["info"]);
    let info = [info.stdout, info.stderr].concat();
    let info = String::from_utf8_lossy(&info).into_owned();
    assert!(info.contains("init version: rinit-"), "{info}");
    let log = daemon.log();
    let about_init = |line: &&str| line.contains("level=warning") && line.contains("init version");
    assert_eq!(log.lines().find(about_init), None);

    // FROM scratch: nothing but a static program.
    let root = tempfile::tempdir().expect("a directory");
    std::fs::copy(&busybox, root.path().join("busybox")).expect("copy busybox");
    daemon.import(root.path(), "scratch");
    let run = ["run", "--rm", "--init", "--network", "none"];
    let show = ["scratch", "/busybox", "sh", "-c", "read name < /proc/1/comm; echo $name $$; exit 7"];
    let output = daemon.docker(&[&run[..], &show].concat());
    assert_eq!(String::from_utf8_lossy(&output.stdout).split(' ').next(), Some("docker-init"), "{output:?}");
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let not_there = daemon.docker(&[&run[..], &["scratch", "/no/such"]].concat());
    assert_eq!(not_there.status.code(), Some(127), "{not_there:?}");

    // A shell that would ignore TERM as PID 1 is stopped by it, without force.
    let sleeping = ["run", "--detach", "--init", "--network", "none", "--name", "sleeping"];
    daemon.docker_ok(&[&sleeping[..], &["scratch", "/busybox", "sh", "-c", "/busybox sleep 1000; true"]].concat());
    daemon.docker_ok(&["stop", "-t", "60", "sleeping"]);
    assert_eq!(daemon.docker_ok(&["inspect", "--format", "{{.State.ExitCode}}", "sleeping"]), "143");
}

#[test]
fn docker_init_in_a_debian_image() {
    let tar = require(rootfs::debian());
    let daemon = require(Daemon::start(&static_build::programs().rinit));
    daemon.docker_ok(&["import", tar.to_str().expect("UTF-8"), "debian"]);
    let script = "(sleep 0.1 &); sleep 0.5; cat /proc/1/comm; cat /proc/*/stat | grep -c ' Z '; exit 5";
    let output = daemon.docker(&["run", "--rm", "--init", "--network", "none", "debian", "bash", "-c", script]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "docker-init\n0\n", "{output:?}");
    assert_eq!(output.status.code(), Some(5), "{output:?}");
}

/// How Docker asks and starts it, without any Docker.
#[test]
fn as_docker_calls_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let link = directory.path().join("docker-init");
    symlink(rinit_path(), &link).expect("a link");
    let output = Command::new(&link).arg("--version").output().expect("run it");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // What dockerd reads of it: `tini version VERSION - git.COMMIT`, where the commit holds no point.
    let (version, commit) = text.trim_end().split_once(" - ").expect("two parts");
    assert_eq!(version.strip_prefix("tini version "), Some("0.19.0"));
    let parts: Vec<_> = commit.split('.').collect();
    assert!(parts.len() == 2 && parts[0] == "git", "{commit}");
    let status = Command::new(&link).args(["--", "sh", "-c", "exit 7"]).status().expect("run it");
    assert_eq!(status.code(), Some(7));
}
