//! A container that has this machine's programs: its `/usr`, and little else.
//!
//! Nothing has to be downloaded or installed for it, and what the tests run there is what they run elsewhere.

use super::parts::needs_root;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use support::docker::{self, Container, Image};
use support::{in_repository, rinit_binary};

/// Users, and the rules of sudo: the groups and files that Kolla's images have, in short.
const ETC: &[(&str, &str, u32)] = &[
    ("passwd", "root:*:0:0:root:/root:/bin/bash\nservice:*:1042:1042:a service:/:/bin/bash\n", 0o644),
    ("group", "root:*:0:\nservice:*:1042:\nkolla:*:1043:service\n", 0o644),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n", 0o644),
    ("sudoers", "Defaults: %kolla setenv\nroot ALL=(ALL) ALL\n%kolla ALL=(root) NOPASSWD: ALL\n", 0o440),
    (
        "pam.d/sudo",
        "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n",
        0o644,
    ),
];

/// The service's configuration, as an orchestrator would mount it: what to copy where, for which user, and what to run.
const CONFIG: &str = r#"{
    "command": "/usr/bin/python3 -I /kolla/service.py /etc/service/service.conf",
    "config_files": [{
        "source": "/var/lib/kolla/config_files/service.conf",
        "dest": "/etc/service/service.conf",
        "owner": "service",
        "perm": "0600"
    }]
}
"#;

/// What is needed to make and run it.
pub(super) fn available() -> Result<(), String> {
    docker::engine()?;
    needs_root(&["tar", "sudo"])?;
    if Path::new("/bin").is_symlink() { Ok(()) } else { Err("/bin is not in /usr here".to_owned()) }
}

/// Makes it.
#[track_caller]
pub(super) fn make() -> Image {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().join("root");
    for name in ["dev", "etc/pam.d", "etc/service", "init", "kolla", "proc", "root", "run", "sys", "tmp", "usr"] {
        fs::create_dir_all(root.join(name)).expect("make a directory");
    }
    for name in ["bin", "lib", "lib64", "sbin"] {
        symlink(format!("usr/{name}"), root.join(name)).expect("a link");
    }
    fs::create_dir_all(root.join("var/lib/kolla/config_files")).expect("make a directory");
    put(&root, "var/lib/kolla/config_files/config.json", CONFIG, 0o644);
    put(&root, "var/lib/kolla/config_files/service.conf", "greeting = hello\n", 0o644);
    for (name, text, mode) in ETC {
        put(&root, &format!("etc/{name}"), text, *mode);
    }
    for name in ["start.sh", "set_configs.py", "service.py", "machine.sh"] {
        let text = fs::read_to_string(in_repository("tests/programs/stop/kolla").join(name)).expect(name);
        put(&root, &format!("kolla/{name}"), &text, 0o755);
    }
    let text = fs::read_to_string(in_repository("tests/programs/stop/saver.py")).expect("saver.py");
    put(&root, "kolla/saver.py", &text, 0o755);
    fs::set_permissions(root.join("tmp"), Permissions::from_mode(0o1777)).expect("chmod");
    let tar = directory.path().join("image.tar");
    let packed = Command::new("tar").arg("-cf").arg(&tar).arg("-C").arg(&root).arg(".").status();
    assert!(packed.is_ok_and(|status| status.success()), "tar");
    Image::import(&tar)
}

fn put(root: &Path, name: &str, text: &str, mode: u32) {
    let path = root.join(name);
    fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("chmod");
}

/// The init of a container: its path there, and the words before the program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) path: &'static str,
    pub(super) options: &'static [&'static str],
}

impl Entry {
    /// True for an original: it neither waits for processes that remain nor names them.
    pub(super) fn leaves_alone(self) -> bool {
        self.path.starts_with("/usr/")
    }
}

/// rinit under its own name.
pub(super) const RINIT: Entry = Entry { path: "/init/rinit", options: &["--"] };
/// rinit as the init of Kolla's images.
pub(super) const PERSONA: Entry = Entry { path: "/init/dumb-init", options: &["--single-child", "--"] };
/// That init itself.
pub(super) const ORIGINAL: Entry = Entry { path: "/usr/bin/dumb-init", options: &["--single-child", "--"] };

/// Starts a container with this init.
#[track_caller]
pub(super) fn run(image: &Image, entry: Entry, options: &[&str], program: &[&str]) -> Container {
    let binary = rinit_binary();
    let mut fixed = vec!["--volume=/usr:/usr:ro".to_owned(), format!("--entrypoint={}", entry.path)];
    for name in ["rinit", "dumb-init"] {
        fixed.push(format!("--volume={}:/init/{name}:ro", binary.display()));
    }
    fixed.push("--env=PATH=/usr/local/bin:/usr/bin:/usr/sbin".to_owned());
    fixed.push("--hostname=localhost".to_owned());
    let options: Vec<_> = fixed.iter().map(String::as_str).chain(options.iter().copied()).collect();
    Container::run(image, &options, &[entry.options, program].concat())
}
