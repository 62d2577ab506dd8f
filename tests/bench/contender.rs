//! The programs that are measured: rinit's builds, the inits that are installed, and no init at all.

use std::path::{Path, PathBuf};
use std::process::Command;
use support::{in_repository, static_build, target_directory};

/// The reference of all ratios.
pub(crate) const REFERENCE: &str = "tini-static";
/// `cargo install pid1-exe`. Elsewhere than at PID 1 it executes its program in its own place, and it handles TERM and INT alone.
const PID1: &str = "pid1";
/// rinit as a static glibc program.
pub(crate) const GNU: &str = "rinit, glibc";
/// rinit as plain cargo builds it for musl, which is what a release has.
pub(crate) const MUSL: &str = "rinit, musl";
/// rinit as small as it gets.
pub(crate) const SMALL: &str = "rinit, small";
/// The program without an init.
pub(crate) const NONE: &str = "no init";

/// rinit giving main a session of its own, as dumb-init does without being asked: where the kernel groups tasks by session
/// (`sched(7)`, "autogroup"), as it does outside of control groups, that alone makes a signal a little faster.
pub(crate) const WITH_SESSION: &str = "rinit --session";

/// One init.
#[derive(Clone)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// `None`: no init.
    pub(crate) path: Option<PathBuf>,
    /// The options that it always gets.
    flags: &'static [&'static str],
    /// The options that it needs outside a PID namespace of its own to do the same job. `None`: it does it only as PID 1.
    outside: Option<&'static [&'static str]>,
    /// It forwards every signal to main, not only those that end it.
    pub(crate) forwards: bool,
    /// Colour in the plots.
    pub(crate) colour: (u8, u8, u8),
}

impl Contender {
    pub(crate) fn is_rinit(&self) -> bool {
        [GNU, MUSL, SMALL].contains(&self.name)
    }

    /// This rinit with `--session`.
    pub(crate) fn with_session(&self) -> Self {
        Self { name: WITH_SESSION, flags: &["--session"], ..self.clone() }
    }

    /// The command that runs a program under it as PID 1.
    pub(crate) fn command(&self, program: &Path) -> Command {
        self.with(&[], program)
    }

    /// The command that runs a program under it as an ordinary process.
    pub(crate) fn command_outside(&self, program: &Path) -> Option<Command> {
        Some(self.with(self.outside?, program))
    }

    fn with(&self, flags: &[&str], program: &Path) -> Command {
        let mut command = Command::new(self.path.as_deref().unwrap_or(program));
        if self.path.is_some() {
            command.args(self.flags).args(flags).arg("--").arg(program);
        }
        as_in_a_container(&mut command);
        command
    }

    /// The first line that `--version` prints, if it knows that option.
    pub(crate) fn version(&self) -> String {
        let Some(path) = &self.path else { return "–".to_owned() };
        let Ok(output) = Command::new(path).arg("--version").output() else { return "?".to_owned() };
        if !output.status.success() {
            return "–".to_owned();
        }
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        said.lines().next().unwrap_or("?").trim().to_owned()
    }

    /// Bytes of its file, and whether it needs a C library's beside.
    pub(crate) fn file(&self) -> Option<(u64, bool)> {
        let bytes = std::fs::read(self.path.as_ref()?).ok()?;
        let dynamic = bytes.windows(8).take(4096).any(|window| window == b"ld-linux");
        Some((u64::try_from(bytes.len()).ok()?, dynamic))
    }
}

/// With the environment that a container runtime gives, whatever that of the bench is: its size is part of what is measured.
pub(crate) fn as_in_a_container(command: &mut Command) {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    command.env_clear().envs([("PATH", path), ("HOSTNAME", "0123456789ab"), ("HOME", "/root")]);
}

/// A copy, as `COPY` in a Dockerfile makes it, on the disk. How a file lies in the page cache depends on who wrote it, and a
/// linker leaves a tenth more page faults behind than a copy; pages that are not on the disk yet would count as the init's own.
fn installed_copy(name: &str, path: &Path) -> PathBuf {
    let directory = target_directory().join("bench-contenders").join(name);
    std::fs::create_dir_all(&directory).expect("make a directory");
    // Its own name says which program rinit is.
    let copy = directory.join(path.file_name().expect("a file"));
    let _ = std::fs::remove_file(&copy);
    std::fs::copy(path, &copy).expect("copy an init");
    std::fs::File::open(&copy).and_then(|file| file.sync_all()).expect("sync an init");
    copy
}

/// All contenders that this machine has, the reference first.
pub(crate) fn all(gnu: Option<&Path>, musl: Option<&Path>, small: Option<&Path>) -> Vec<Contender> {
    let found = |name: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file())
    };
    let mut all = Vec::new();
    let mut add = |name, path: Option<PathBuf>, outside: Option<&'static [&'static str]>, colour| match path {
        Some(path) => {
            let path = Some(installed_copy(name, &path));
            all.push(Contender { name, path, flags: &[], outside, forwards: name != PID1, colour });
        }
        None => eprintln!("not measured, because it is not here: {name}"),
    };
    add(REFERENCE, found("tini-static"), Some(&["-s"]), (0, 121, 140));
    add("tini", found("tini"), Some(&["-s"]), (102, 161, 130));
    add("dumb-init", found("dumb-init"), Some(&[]), (46, 64, 87));
    add("catatonit", found("catatonit"), Some(&[]), (141, 150, 163));
    add(PID1, found(PID1), None, (120, 94, 160));
    let gnu = gnu.map_or_else(|| static_build::programs().rinit.clone(), Path::to_owned);
    add(GNU, Some(gnu), Some(&[]), (209, 73, 91));
    add(MUSL, musl.map(Path::to_owned).or_else(musl_build), Some(&[]), (237, 174, 73));
    add(SMALL, small.map(Path::to_owned).or_else(small_build), Some(&[]), (176, 116, 24));
    let colour = (190, 190, 190);
    all.push(Contender { name: NONE, path: None, flags: &[], outside: Some(&[]), forwards: true, colour });
    all
}

/// By plain cargo, where rustup has the target.
fn musl_build() -> Option<PathBuf> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--release", "-p", "rinit-cli", "--bin", "rinit", "--target", &target]);
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").current_dir(in_repository(""));
    let built = cargo.status().is_ok_and(|status| status.success());
    built.then(|| target_directory().join(target).join("release/rinit"))
}

/// By the recipe, where this machine has what it needs.
fn small_build() -> Option<PathBuf> {
    let output = Command::new("bash").arg(in_repository(".ci/build-small")).output().ok()?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// The program that does nothing, built where it is not there yet.
pub(crate) fn empty_program() -> PathBuf {
    let program = target_directory().join("bench-true");
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let mut command = Command::new(cc);
    command.args(["-nostdlib", "-static", "-Os", "-o"]).arg(&program).arg(in_repository("tests/bench/true.c"));
    assert!(command.status().is_ok_and(|status| status.success()), "the empty program does not build");
    program
}
