//! Tests specifications against invented databases, and against those of this machine and `id`.

use super::*;
use proptest::prelude::*;
use std::process::Command;

const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\nbroken:x:y:0::/:\nann:x:1000:100:Ann:/home/ann:/bin/sh\n\
    twin:x:1000:200::/twin:\n77:x:88:99::/n:\nbare:x:5:6\n";
const GROUP: &[u8] = b"root:x:0:\nusers:x:100:ann\naudio:x:29:ann,bob\nagain:x:29:ann\nwheel:x:10:root,ann\n\
    55:x:66:\n";

fn user(spec: &str) -> User {
    User::resolve_in(spec, PASSWD, GROUP).unwrap()
}

fn reason(spec: &str) -> String {
    User::resolve_in(spec, PASSWD, GROUP).unwrap_err().to_string()
}

fn ids(spec: &str) -> (u32, u32, Vec<u32>) {
    let user = user(spec);
    (user.uid(), user.gid(), user.groups().to_vec())
}

#[test]
fn a_user_has_the_groups_of_a_login() {
    for spec in ["ann", "1000", "ann:", "01000"] {
        assert_eq!(ids(spec), (1000, 100, vec![100, 29, 10]), "{spec}");
        assert_eq!((user(spec).home(), user(spec).name()), (Path::new("/home/ann"), Some("ann")));
    }
}

#[test]
fn an_explicit_group_is_the_only_one() {
    for spec in ["ann:wheel", "1000:wheel", "ann:10", "1000:10"] {
        assert_eq!(ids(spec), (1000, 10, vec![10]), "{spec}");
        assert_eq!(user(spec).home(), Path::new("/home/ann"));
    }
}

#[test]
fn a_number_without_an_entry_keeps_the_gid() {
    assert_eq!(ids("4000"), (4000, 0, vec![0]));
    let user = resolve("4000", PASSWD, GROUP, 12).unwrap();
    assert_eq!((user.gid(), user.groups(), user.home(), user.name()), (12, &[12][..], Path::new("/"), None));
    assert_eq!(ids("4000:4001"), (4000, 4001, vec![4001]));
}

#[test]
fn digits_are_an_id_even_where_an_entry_has_them_as_its_name() {
    assert_eq!(ids("77"), (77, 0, vec![0]));
    assert_eq!(ids("ann:55"), (1000, 55, vec![55]));
}

#[test]
fn errors_say_what_is_wrong() {
    assert_eq!(reason("zoe"), "zoe: no user 'zoe' in /etc/passwd");
    assert_eq!(reason("broken"), "broken: no user 'broken' in /etc/passwd");
    assert_eq!(reason("ann:zoo"), "ann:zoo: no group 'zoo' in /etc/group");
    assert_eq!(reason("ann:10:29"), "ann:10:29: no group '10:29' in /etc/group");
    assert_eq!(reason("-1"), "-1: no user '-1' in /etc/passwd");
    for spec in ["", ":", ":wheel"] {
        assert!(reason(spec).contains("no user is named"), "{spec}");
    }
    for id in ["4294967295", "18446744073709551616"] {
        assert!(reason(id).contains("no possible user id"));
        assert!(reason(&format!("0:{id}")).contains("no possible group id"));
    }
    assert_eq!(ids("4294967294:4294967294").0, u32::MAX - 1);
}

#[test]
fn an_entry_may_end_early() {
    assert_eq!((ids("bare"), user("bare").home()), ((5, 6, vec![6]), Path::new("/")));
}

#[test]
fn too_many_groups_are_refused() {
    let group: String = (0..70_000).map(|gid| format!("g{gid}:x:{gid}:ann\n")).collect();
    let error = User::resolve_in("ann", PASSWD, group.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("more than 65536 groups"));
}

/// Real data: every account of this machine, against coreutils.
#[test]
fn agrees_with_id() {
    let id = |flag: &str, name: &str| {
        let output = Command::new("id").args([flag, name]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let passwd = std::fs::read("/etc/passwd").unwrap();
    let mut compared = 0;
    for account in database::accounts(&passwd) {
        let name = std::str::from_utf8(account.name).unwrap();
        let user = User::resolve(name).unwrap();
        let groups: Vec<String> = user.groups().iter().map(u32::to_string).collect();
        assert_eq!(user.uid().to_string(), id("-u", name));
        assert_eq!(user.gid().to_string(), id("-g", name));
        assert_eq!(groups.join(" "), id("-G", name), "{name}");
        compared += 1;
    }
    assert!(compared > 0);
}

#[test]
fn is_current_needs_all_of_it() {
    let uid = rustix::process::getuid().as_raw();
    assert!(!User::resolve(&format!("{}:4000", uid + 1)).unwrap().is_current());
}

#[test]
fn ids_are_handed_on() {
    let ids = user("ann").ids();
    assert_eq!((ids.uid, ids.gid), (1000, 100));
    assert_eq!(ids.groups.iter().map(|gid| gid.as_raw()).collect::<Vec<_>>(), [100, 29, 10]);
}

proptest! {
    #[test]
    fn no_bytes_panic(spec in ".*", passwd in any::<Vec<u8>>(), group in any::<Vec<u8>>()) {
        crate::fuzzing::user(&spec, &passwd, &group);
    }

    #[test]
    fn near_entries_never_give_minus_one(
        spec in "[a-c:0-9]{0,5}|4294967295",
        passwd in "([a-c0-9]{0,2}:x?:(-?[0-9]{0,2}|4294967295):[0-9]{0,2}[:/a,\r\n]{0,9}\n?){0,6}",
        group in "([a-c]{0,2}:x?:(-?[0-9]{0,2}|4294967295):([a-c],?){0,3}\n?){0,6}",
    ) {
        if let Ok(user) = User::resolve_in(&spec, passwd.as_bytes(), group.as_bytes()) {
            prop_assert!(user.uid() != u32::MAX && user.gid() != u32::MAX);
            prop_assert!(!user.groups().contains(&u32::MAX));
            prop_assert_eq!(user.groups().first(), Some(&user.gid()));
            let unique: HashSet<_> = user.groups().iter().collect();
            prop_assert_eq!(unique.len(), user.groups().len());
        }
    }
}
