//! Real files are executed: the errno that is explained comes from the kernel.

use super::*;
use crate::sys::errno_of;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, contents: &[u8], mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }
}

/// Executes the file and explains the failure. Not for ENOEXEC: `Command` is execvp(3), which would start a shell then.
fn why(path: &Path) -> String {
    let error = loop {
        let error = Command::new(path).spawn().and_then(|mut child| child.wait()).expect_err("was executed");
        // A child that another test has just forked holds the file open for writing until it execs.
        if error.kind() != std::io::ErrorKind::ExecutableFileBusy {
            break error;
        }
        std::thread::yield_now();
    };
    why_with(path, errno_of(&error))
}

fn why_with(path: &Path, errno: Errno) -> String {
    match explain(path.as_os_str(), &[path.to_owned()], false, errno) {
        Error::NotExecutable { program, reason, .. } => {
            assert_eq!(Path::new(&program), path);
            reason
        }
        other => panic!("{other:?}"),
    }
}

fn not_found(program: &str, candidates: &[PathBuf], searched: bool) -> String {
    let error = explain(OsStr::new(program), candidates, searched, Errno::NOENT);
    assert_eq!(error.exit_code(), 127);
    error.to_string()
}

/// A dynamically linked program, with its loader's name overwritten byte by byte.
fn program_with_loader(replace: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = fs::read("/bin/true").unwrap();
    let Head::Elf(elf) = Head::read(Path::new("/bin/true")).unwrap() else { panic!("no ELF") };
    let loader = elf.loader.expect("dynamically linked");
    let at = bytes.windows(loader.len()).position(|window| window == loader).unwrap();
    replace(&mut bytes[at..at + loader.len()]);
    bytes
}

#[test]
fn a_missing_interpreter_is_named() {
    let dir = Dir::new();
    let script = dir.file("script", b"#! /no/such/interpreter -e\n", 0o755);
    assert_eq!(why(&script), "its interpreter /no/such/interpreter is missing");
    let outer = dir.file("outer", format!("#!{}\n", script.display()).as_bytes(), 0o755);
    let expected = format!(
        "its interpreter {} cannot be executed: its interpreter /no/such/interpreter is missing",
        script.display()
    );
    assert_eq!(why(&outer), expected);
}

#[test]
fn windows_line_endings_are_named() {
    let dir = Dir::new();
    let script = dir.file("script", b"#!/bin/sh\r\nexit 0\r\n", 0o755);
    assert_eq!(why(&script), "its interpreter /bin/sh\\r is missing: the script has Windows line endings (CR LF)");
}

#[test]
fn a_missing_loader_is_named() {
    let dir = Dir::new();
    let program = dir.file("program", &program_with_loader(|name| name[1..4].fill(b'X')), 0o755);
    let reason = why(&program);
    assert!(reason.starts_with("its loader /XXX"), "{reason}");
    assert!(reason.ends_with("is missing (a dynamically linked program in an image without its C library)"));
    let script = dir.file("script", format!("#!{}\n", program.display()).as_bytes(), 0o755);
    assert!(why(&script).contains("program cannot be executed: its loader /XXX"));
}

#[test]
fn names_from_files_cannot_write_to_the_terminal() {
    let dir = Dir::new();
    let script = dir.file("script", b"#!/\x1b]0;owned\x07\n", 0o755);
    assert_eq!(why(&script), "its interpreter /\\u{1b}]0;owned\\u{7} is missing");
}

#[test]
fn a_missing_permission_is_named() {
    let dir = Dir::new();
    let script = dir.file("script", b"#!/bin/sh\n", 0o644);
    assert_eq!(why(&script), "it has no execute permission (mode 0644)");
    let outer = dir.file("outer", format!("#!{}\n", script.display()).as_bytes(), 0o755);
    let reason = why(&outer);
    assert!(reason.ends_with("script cannot be executed: it has no execute permission (mode 0644)"), "{reason}");
    assert_eq!(why(dir.0.path()), "it is a directory, not a program");
    let fifo = dir.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o755.into(), 0).unwrap();
    assert_eq!(why(&fifo), "it is a FIFO, not a program");
    assert_eq!(why(Path::new("/dev/null")), "it is a device, not a program");
}

#[test]
fn a_permission_that_another_user_lacks_is_named() {
    let dir = Dir::new();
    fs::set_permissions(dir.0.path(), Permissions::from_mode(0o711)).unwrap();
    let mine = dir.file("mine", b"#!/bin/sh\n", 0o700);
    let denied = Errno::ACCESS;
    let reason = why_with(&mine, denied);
    assert!(reason.starts_with("the user may not execute it (mode 0700, owner "), "{reason}");
    fs::create_dir(dir.path("closed")).unwrap();
    let hidden = dir.file("closed/program", b"#!/bin/sh\n", 0o755);
    fs::set_permissions(dir.path("closed"), Permissions::from_mode(0o700)).unwrap();
    let reason = why_with(&hidden, denied);
    assert!(reason.starts_with("the user may not pass the directory "), "{reason}");
    assert!(reason.contains("/closed (mode 0700, owner "), "{reason}");
    let link = dir.path("link");
    std::os::unix::fs::symlink(&hidden, &link).unwrap();
    assert!(why_with(&link, denied).contains("/closed (mode 0700"));
    let open = why_with(Path::new("/bin/true"), denied);
    assert!(open.contains("security module"), "{open}");
}

#[test]
fn a_noexec_mount_is_named() {
    // /proc is mounted noexec nearly everywhere; elsewhere there is nothing to see.
    let path = Path::new("/proc/self/exe");
    let noexec =
        |path: &Path| rustix::fs::statvfs(path).unwrap().f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC);
    assert!(!noexec(path), "the link is followed to the test itself");
    let Some(file) = ["/dev/shm", "/run", "/proc"].iter().map(Path::new).find(|path| noexec(path)) else { return };
    let Ok(file) = tempfile::NamedTempFile::new_in(file) else { return };
    fs::write(file.path(), "#!/bin/sh\n").unwrap();
    fs::set_permissions(file.path(), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(why_with(file.path(), Errno::ACCESS), "it is on a file system that is mounted noexec");
}

#[test]
fn a_file_that_is_not_a_program_is_described() {
    let dir = Dir::new();
    let reason = |name: &str, contents: &[u8]| why_with(&dir.file(name, contents, 0o755), Errno::NOEXEC);
    assert_eq!(reason("empty", b""), "it is empty");
    assert_eq!(reason("text", b"echo\n"), "it is not a program: neither ELF nor a script with #!");
    assert!(reason("bare", b"#!\n").contains("names no interpreter"));
    assert!(reason("mark", b"\xef\xbb\xbf#!/bin/sh\n").contains("byte order mark"));
    assert!(reason("broken", b"\x7fELF\x02\x01").contains("damaged"));
    let script = format!("#!{}\n", dir.path("text").display());
    assert!(reason("script", script.as_bytes()).ends_with("neither ELF nor a script with #!"));
}

#[test]
fn another_machine_is_named() {
    let dir = Dir::new();
    let (foreign, name) = if cfg!(target_arch = "aarch64") { (62_u16, "x86_64") } else { (183, "aarch64") };
    let mut bytes = fs::read("/bin/true").unwrap();
    bytes[18..20].copy_from_slice(&foreign.to_ne_bytes());
    let program = dir.file("program", &bytes, 0o755);
    let reason = why_with(&program, Errno::NOEXEC);
    assert_eq!(reason, format!("it is built for {name}, this is {}", std::env::consts::ARCH));
    bytes = fs::read("/bin/true").unwrap();
    bytes[16..18].copy_from_slice(&1_u16.to_ne_bytes());
    let object = dir.file("object", &bytes, 0o755);
    assert!(why_with(&object, Errno::NOEXEC).contains("not a program"));
}

#[test]
fn a_missing_file_is_not_found() {
    let dir = Dir::new();
    let file = dir.file("file", b"", 0o644);
    let missing = dir.path("missing");
    let shown = missing.display().to_string();
    assert_eq!(not_found(&shown, std::slice::from_ref(&missing), false), format!("{shown}: not found: no such file"));
    let below = file.join("below");
    let text = not_found(below.to_str().unwrap(), std::slice::from_ref(&below), false);
    assert!(text.ends_with(&format!("not found: {} is not a directory", file.display())), "{text}");
    let link = dir.path("link");
    std::os::unix::fs::symlink("/no/such/target", &link).unwrap();
    let text = not_found(link.to_str().unwrap(), std::slice::from_ref(&link), false);
    assert!(text.ends_with("not found: it is a link to /no/such/target, which is missing"), "{text}");
    assert_eq!(not_found("", &[], true), ": not found: its name is empty");
    assert_eq!(not_found("x", &[], true), "x: not found in PATH, which names no directory");
    let tried = crate::child::path_search::candidates(OsStr::new("no-such"), Some(OsStr::new("/usr/bin:/bin")));
    assert_eq!(not_found("no-such", &tried, true), "no-such: not found in PATH (/usr/bin:/bin)");
    let denied = explain(OsStr::new("no-such"), &tried, true, Errno::ACCESS);
    assert_eq!(denied.exit_code(), 127);
}

#[test]
fn the_candidate_to_blame_is_the_one_that_explains_it() {
    let dir = Dir::new();
    let text = dir.file("text", b"", 0o644);
    let script = dir.file("script", b"#!/no/such\n", 0o755);
    let error = explain(OsStr::new("x"), &[dir.path("none"), text, script.clone()], true, Errno::NOENT);
    let expected = format!("{}: cannot execute: its interpreter /no/such is missing", script.display());
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.exit_code(), 126);
}

#[test]
fn scripts_in_a_circle_end() {
    let dir = Dir::new();
    let path = dir.path("circle");
    let script = dir.file("circle", format!("#!{}\n", path.display()).as_bytes(), 0o755);
    assert!(why(&script).contains("too many"));
    for errno in [Errno::NOENT, Errno::ACCESS, Errno::NOEXEC] {
        assert!(!why_with(&script, errno).is_empty());
    }
}

#[test]
fn other_answers_are_words() {
    let true_ = Path::new("/bin/true");
    for number in 1..200 {
        assert!(!why_with(true_, Errno::from_raw_os_error(number)).is_empty());
    }
    assert_eq!(why_with(true_, Errno::TXTBSY), "it is open for writing in some process");
    let long = "x".repeat(200_000);
    let error = Command::new("/bin/true").arg(long).spawn().expect_err("argument longer than 128 KiB");
    assert!(why_with(true_, errno_of(&error)).contains("longer than the kernel allows"));
}
