//! Real containers. None has a network.

use super::{deadline, wait_for};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// Whether an engine answers.
pub fn engine() -> Result<(), String> {
    let mut command = Command::new("docker");
    command.args(["version", "--format", "{{.Server.Version}}"]);
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("no Docker engine: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("no docker: {error}")),
    }
}

fn docker<'a>(words: impl IntoIterator<Item = &'a str>) -> Output {
    Command::new("docker").args(words).stdin(Stdio::null()).output().expect("run docker")
}

#[track_caller]
fn docker_ok<'a>(words: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let output = docker(words.clone());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "docker {:?}: {said}", words.into_iter().collect::<Vec<_>>());
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// A name that no other test program uses.
fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("rinit-test-{what}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// An image, removed with its guard.
pub struct Image {
    name: String,
}

impl Image {
    /// `docker build` of a directory with a Dockerfile.
    #[track_caller]
    pub fn build(context: &Path) -> Self {
        let image = Self { name: unique("built") };
        let context = context.to_str().expect("UTF-8");
        docker_ok(["build", "--quiet", "--network", "none", "--force-rm", "-t", &image.name, context]);
        image
    }

    /// `docker build` of a Dockerfile and files beside it, given by the name they get there.
    #[track_caller]
    pub fn from_dockerfile(dockerfile: &str, files: &[(&str, &Path)]) -> Self {
        let context = tempfile::tempdir().expect("a directory");
        std::fs::write(context.path().join("Dockerfile"), dockerfile).expect("write the Dockerfile");
        for (name, source) in files {
            let to = context.path().join(name);
            std::fs::create_dir_all(to.parent().unwrap_or(context.path())).expect("make a directory");
            // Copies the mode too.
            std::fs::copy(source, to).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        }
        Self::build(context.path())
    }

    /// `docker import` of a root file system as a tar.
    #[track_caller]
    pub fn import(tar: &Path) -> Self {
        let image = Self { name: unique("imported") };
        docker_ok(["import", tar.to_str().expect("UTF-8"), &image.name]);
        image
    }

    /// The image's name, for `docker run`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        docker(["image", "rm", "--force", &self.name]);
    }
}

/// A container, killed and removed with its guard.
pub struct Container {
    name: String,
}

impl Container {
    /// `docker run --detach OPTIONS IMAGE ARGUMENTS`
    #[track_caller]
    pub fn run(image: &Image, options: &[&str], arguments: &[&str]) -> Self {
        let container = Self { name: unique("container") };
        let fixed = ["run", "--detach", "--network", "none", "--name", &container.name];
        docker_ok(fixed.iter().chain(options).chain(&[image.name()]).chain(arguments).copied().collect::<Vec<_>>());
        container
    }

    /// `docker run OPTIONS IMAGE ARGUMENTS` as a command to be run on a terminal, and the guard for what it will start.
    pub fn attached(image: &Image, options: &[&str], arguments: &[&str]) -> (Self, Command) {
        let container = Self { name: unique("container") };
        let mut command = Command::new("docker");
        command.args(["run", "--network", "none", "--name", &container.name]);
        command.args(options).arg(image.name()).args(arguments);
        (container, command)
    }

    /// What it has written, standard output and standard error together.
    #[track_caller]
    pub fn logs(&self) -> String {
        let output = docker(["logs", &self.name]);
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// Waits until the text is in the log.
    #[track_caller]
    pub fn wait_log(&self, text: &str) {
        let end = Instant::now() + deadline();
        while !self.logs().contains(text) {
            let log = self.logs();
            assert!(self.is_running() || log.contains(text), "it ended without {text:?}:\n{log}");
            assert!(Instant::now() < end, "no {text:?} in the log:\n{log}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// A value by its Go template.
    #[track_caller]
    pub fn inspect(&self, template: &str) -> String {
        docker_ok(["inspect", "--format", template, &self.name])
    }

    /// True until it has exited.
    pub fn is_running(&self) -> bool {
        self.inspect("{{.State.Running}}") == "true"
    }

    /// The pid of its init, as seen from here.
    #[track_caller]
    pub fn pid(&self) -> i32 {
        self.inspect("{{.State.Pid}}").parse().expect("a pid")
    }

    /// `docker stop -t SECONDS`; the exit code. 137 says that Docker used force, unless the program died of a KILL itself.
    #[track_caller]
    pub fn stop(&self, seconds: u32) -> i32 {
        docker_ok(["stop", "-t", &seconds.to_string(), &self.name]);
        self.wait()
    }

    /// `docker kill --signal`
    #[track_caller]
    pub fn signal(&self, signal: &str) {
        docker_ok(["kill", "--signal", signal, &self.name]);
    }

    /// `docker pause`: every process of it is frozen.
    #[track_caller]
    pub fn pause(&self) {
        docker_ok(["pause", &self.name]);
    }

    /// `docker unpause`
    #[track_caller]
    pub fn unpause(&self) {
        docker_ok(["unpause", &self.name]);
    }

    /// Waits until it has exited; returns the exit code.
    #[track_caller]
    pub fn wait(&self) -> i32 {
        wait_for("the container's end", || (!self.is_running()).then_some(()));
        self.inspect("{{.State.ExitCode}}").parse().expect("an exit code")
    }

    /// `docker exec`; standard output.
    #[track_caller]
    pub fn exec(&self, arguments: &[&str]) -> String {
        docker_ok(["exec", &self.name].iter().chain(arguments).copied().collect::<Vec<_>>())
    }

    /// `docker exec --detach`
    #[track_caller]
    pub fn exec_detached(&self, arguments: &[&str]) {
        docker_ok(["exec", "--detach", &self.name].iter().chain(arguments).copied().collect::<Vec<_>>());
    }

    /// `docker exec` that may fail: whether it succeeded, and what it wrote.
    pub fn try_exec(&self, arguments: &[&str]) -> (bool, String) {
        let output = docker(["exec", &self.name].iter().chain(arguments).copied());
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        docker(["rm", "--force", "--volumes", &self.name]);
    }
}
