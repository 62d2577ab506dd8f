//! `--user`, `--workdir`, `--env`: the user that main becomes, for good.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use support::docker::{self, Container, Image};
use support::running::{Finished, Running, number_in, run};
use support::{
    namespace, needs, probe_path, procfs, require, require_for_part, rinit_binary, rinit_path, static_build, test,
    wait_until,
};
use tempfile::TempDir;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh
alice:x:4001:4001:Alice:/home/alice:/bin/sh
lone:x:4002:4002:no home::/bin/sh
";
const GROUP: &str = "root:x:0:
alice:x:4001:
staff:x:4100:bob,alice
audio:x:4200:alice
other:x:4300:bob
lone:x:4002:
";

/// A system with other users: `/etc/passwd` and `/etc/group` are bound over in a mount namespace.
struct Users {
    directory: TempDir,
}

impl Users {
    fn new() -> Result<Self, String> {
        needs::root()?;
        needs::programs(&["unshare"])?;
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let users = Self { directory };
        users.write("passwd", PASSWD);
        users.write("group", GROUP);
        // Where these users may enter, unlike the target directory.
        std::fs::copy(probe_path(), users.path("probe")).map_err(|error| error.to_string())?;
        std::fs::set_permissions(users.directory.path(), PermissionsExt::from_mode(0o755))
            .map_err(|e| e.to_string())?;
        std::fs::create_dir(users.path("closed")).map_err(|error| error.to_string())?;
        std::fs::set_permissions(users.path("closed"), PermissionsExt::from_mode(0o700)).map_err(|e| e.to_string())?;
        Ok(users)
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("write a file");
    }

    /// The command there.
    fn command(&self, words: &[&str]) -> Command {
        let script = "mount --bind \"$1\" /etc/passwd && mount --bind \"$2\" /etc/group && shift 2 && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "--", "sh", "-c", script, "sh"]);
        command.args([self.path("passwd"), self.path("group")]).args(words).current_dir("/");
        command
    }

    /// `rinit OPTIONS… -- MAIN…`, started by PREFIX.
    fn rinit(&self, prefix: &[&str], options: &[&str], main: &[&str]) -> Command {
        let path = rinit_path();
        let path = path.to_str().expect("UTF-8");
        self.command(&[prefix, &[path], options, &["--"], main].concat())
    }

    #[track_caller]
    fn run(&self, options: &[&str], main: &[&str]) -> Finished {
        run(self.rinit(&[], options, main))
    }

    /// What a shell as main prints; it must succeed.
    #[track_caller]
    fn says(&self, options: &[&str], script: &str) -> String {
        let finished = self.run(options, &["sh", "-c", script]);
        assert_eq!(finished.code, 0, "{finished:?}");
        finished.out.join("\n")
    }
}

/// rinit's own failure: one line that has these words in it, and main was not started.
#[track_caller]
fn refused(finished: &Finished, words: &[&str]) {
    assert_eq!(finished.code, 125, "{finished:?}");
    assert_eq!(finished.out, Vec::<String>::new(), "main was started");
    let [line] = &finished.err[..] else { panic!("not one line: {:?}", finished.err) };
    assert!(line.starts_with("rinit: ") && words.iter().all(|word| line.contains(word)), "{line}");
}

fn numbers(text: &str) -> BTreeSet<u32> {
    text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
}

const WHO: &str = "echo $(id -u) $(id -ru) $(id -g) $(id -rg); id -G; echo \"$HOME\"; echo \"$USER\"";

#[test]
fn by_name_number_and_group() {
    let users = require(Users::new());
    let login = run(users.command(&["id", "-G", "alice"])).out.join(" ");
    assert_eq!(numbers(&login), BTreeSet::from([4001, 4100, 4200]), "the system's own answer");
    for (user, ids, groups, home) in [
        ("alice", "4001 4001 4001 4001", login.as_str(), "/home/alice"),
        ("4001", "4001 4001 4001 4001", login.as_str(), "/home/alice"),
        ("alice:other", "4001 4001 4300 4300", "4300", "/home/alice"),
        ("alice:77", "4001 4001 77 77", "77", "/home/alice"),
        ("5000:6000", "5000 5000 6000 6000", "6000", "/"),
        ("5000", "5000 5000 0 0", "0", "/"),
        ("lone", "4002 4002 4002 4002", "4002", "/"),
    ] {
        let said = users.says(&["--user", user], WHO);
        let lines: Vec<&str> = said.split('\n').collect();
        assert_eq!(lines.first(), Some(&ids), "{user}");
        assert_eq!(numbers(lines.get(1).expect("id -G")), numbers(groups), "{user}");
        assert_eq!(lines.get(2), Some(&home), "{user}");
    }
    // Groups that root had are gone; the option wins over the account.
    let with_groups = users.rinit(&["setpriv", "--groups", "0,4,27,4300"], &["--user", "alice"], &["id", "-G"]);
    assert_eq!(numbers(&run(with_groups).out.join(" ")), numbers(&login));
    assert_eq!(users.says(&["--user", "alice", "--env", "HOME=/elsewhere"], "echo \"$HOME\""), "/elsewhere");
    assert_eq!(users.says(&["--env", "HOME=/elsewhere", "--user", "alice"], "echo \"$HOME\""), "/elsewhere");
}

/// The capability sets of `/proc/self/status`, the bounding set and no_new_privs.
const STATE: &str = "grep -E '^(Cap|NoNewPrivs|Uid|Gid)' /proc/self/status";

#[test]
fn root_cannot_be_regained() {
    let users = require(Users::new());
    for main in [
        &["setpriv", "--reuid", "0", "true"][..],
        &["setpriv", "--regid", "0", "--keep-groups", "true"],
        &["setpriv", "--clear-groups", "true"],
        &["python3", "-c", "import os; os.setuid(0)"],
        &["python3", "-c", "import os; os.setresgid(-1, 0, -1)"],
        &["cat", "/etc/shadow"],
        &["sh", "-c", "kill -0 1"],
    ] {
        if require_for_part(needs::programs(&main[..1])).is_none() {
            continue;
        }
        let finished = users.run(&["--user", "alice"], main);
        // The program ran, and was refused.
        let ran = finished.code != 0 && !finished.err.iter().any(|line| line.starts_with("rinit: "));
        assert!(ran, "{main:?}: {finished:?}");
        // As root the same works: the refusal is the user's.
        assert_eq!(users.run(&[], main).code, 0, "{main:?}");
    }
    let said = users.says(&["--user", "alice"], STATE);
    for line in ["CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000"] {
        assert!(said.contains(line), "{line} in {said}");
    }
    assert!(said.contains("CapAmb:\t0000000000000000"), "{said}");
    assert!(said.contains("Uid:\t4001\t4001\t4001\t4001") && said.contains("Gid:\t4001\t4001\t4001\t4001"), "{said}");
    // The bounding set is the runtime's business and stays; it gives nothing by itself.
    let bounding = |said: &str| said.lines().find(|line| line.starts_with("CapBnd")).map(str::to_owned);
    assert_eq!(bounding(&said), bounding(&users.says(&[], STATE)));
}

#[test]
fn capabilities_that_would_outlive_the_switch_are_refused() {
    let users = require(Users::new());
    require(needs::programs(&["setpriv"]));
    // The kernel is asked to keep capabilities when the uid changes: main could become root again.
    let main = &["echo", "started"];
    let kept = users.rinit(&["setpriv", "--securebits", "+no_setuid_fixup"], &["--user", "alice"], main);
    refused(&run(kept), &["root"]);
    // The change of user clears ambient ones.
    let ambient = ["setpriv", "--inh-caps", "+net_raw", "--ambient-caps", "+net_raw"];
    let said = run(users.rinit(&ambient, &["--user", "alice"], &["sh", "-c", STATE])).out.join("\n");
    assert!(said.contains("CapAmb:\t0000000000000000") && said.contains("CapEff:\t0000000000000000"), "{said}");
}

#[test]
fn with_no_new_privileges() {
    let users = require(Users::new());
    require(needs::programs(&["setpriv"]));
    let command = users.rinit(&["setpriv", "--no-new-privs"], &["--user", "alice"], &["sh", "-c", STATE]);
    let finished = run(command);
    assert_eq!(finished.code, 0, "{finished:?}");
    let said = finished.out.join("\n");
    assert!(said.contains("NoNewPrivs:\t1") && said.contains("Uid:\t4001\t4001"), "{said}");
    let without = users.says(&["--user", "alice"], STATE);
    assert!(without.contains("NoNewPrivs:\t0"), "rinit adds nothing: {without}");
}

#[test]
fn a_forbidden_change_of_user_is_explained() {
    let users = require(Users::new());
    require(needs::programs(&["setpriv"]));
    let main = &["echo", "started"];
    for lacking in ["-setuid", "-setgid", "-setuid,-setgid"] {
        let bounding = ["setpriv", "--bounding-set", lacking, "--inh-caps", lacking];
        refused(&run(users.rinit(&bounding, &["--user", "alice"], main)), &["CAP_SET"]);
    }
    let nobody = ["setpriv", "--reuid", "4002", "--regid", "4002", "--init-groups"];
    // From a place that they may enter.
    let rinit = users.path("rinit");
    std::fs::copy(rinit_binary(), &rinit).expect("copy rinit");
    let command = |user: &str| users.command(&[&nobody[..], &[&rinit, "--user", user, "--"], main].concat());
    refused(&run(command("alice")), &["CAP_SET"]);
    refused(&run(command("0")), &["CAP_SET"]);
    // A process may always ask for the user that it already is.
    let finished = run(command("lone"));
    assert_eq!((finished.code, &finished.out[..]), (0, &["started".to_owned()][..]), "{finished:?}");
}

#[test]
fn an_unknown_user_is_refused() {
    let users = require(Users::new());
    let main = &["echo", "started"];
    for (user, word) in [
        ("mallory", "mallory"),
        ("alice:nothing", "nothing"),
        ("4294967295", "4294967295"),
        ("99999999999", "99999999999"),
        (":alice", "USER"),
        ("alice:-1", "-1"),
    ] {
        refused(&users.run(&["--user", user], main), &[word]);
    }
}

#[test]
fn the_directory_is_entered_as_that_user() {
    let users = require(Users::new());
    let closed = users.path("closed");
    assert_eq!(users.says(&["--workdir", &closed], "pwd"), closed, "root may");
    refused(
        &users.run(&["--user", "alice", "--workdir", &closed], &["echo", "started"]),
        &[&closed, "ermission denied"],
    );
    let open = users.directory.path().to_str().expect("UTF-8");
    assert_eq!(users.says(&["--user", "alice", "--workdir", open], "pwd; id -u"), format!("{open}\n4001"));
}

#[test]
fn a_stop_reaches_a_main_of_another_user() {
    let users = require(Users::new());
    require(namespace::available());
    let probe = users.path("probe");
    let mut running =
        Running::start(users.rinit(&[], &["--user", "alice"], &[&probe, "signals", "--exit-on", "TERM:6"]));
    let main = number_in(&running.out.wait("ready"), "pid");
    assert_eq!(procfs::field(main, "Uid").as_deref(), Some("4001\t4001\t4001\t4001"));
    running.signal(10);
    running.out.wait("got 10 ");
    running.signal(15);
    assert_eq!(running.wait(), 6);
    // A process that ignores TERM is killed in the end.
    let main = &[&probe, "ignore", "TERM"];
    let mut running = Running::start(users.rinit(&[], &["--user", "alice", "--grace", "300ms"], main));
    running.out.wait("ready");
    running.signal(15);
    assert_eq!(running.wait(), 137);
    wait_until("no process to be left", || running.left().is_empty());
}

#[test]
fn from_scratch_by_number() {
    require(docker::engine());
    let busybox = require(static_build::busybox());
    let programs = static_build::programs();
    let files: &[(&str, &Path)] = &[("rinit", &programs.rinit), ("probe", &programs.probe), ("busybox", &busybox)];
    let image = Image::from_dockerfile("FROM scratch\nCOPY rinit probe busybox /\nENTRYPOINT [\"/rinit\"]\n", files);
    let script = "/busybox id -u; /busybox id -G; echo $HOME; /busybox grep CapEff /proc/self/status";
    let words = ["--user", "4001:4002", "--", "/busybox", "sh", "-c", script];
    let container = Container::run(&image, &["--security-opt", "no-new-privileges"], &words);
    assert_eq!(container.wait(), 0, "{}", container.logs());
    assert_eq!(container.logs(), "4001\n4002\n/\nCapEff:\t0000000000000000\n");
    // There is no /etc/passwd that knows a name.
    let container = Container::run(&image, &[], &["--user", "alice", "--", "/busybox", "true"]);
    assert_eq!(container.wait(), 125);
    assert!(container.logs().starts_with("rinit: ") && container.logs().lines().count() == 1, "{}", container.logs());
    // And the stop, with the capabilities that Docker gives by default.
    let words = ["--user", "4001:4002", "--", "/probe", "signals", "--exit-on", "TERM:6"];
    let container = Container::run(&image, &[], &words);
    container.wait_log("ready");
    assert_eq!(container.stop(60), 6, "{}", container.logs());
}
