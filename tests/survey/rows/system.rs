//! System services, supervisors, terminals, and programs that start another.

use crate::row::{InitProgram, Row};

const FAMILY: &str = "system";

const ALL: &[InitProgram] = &[InitProgram::None, InitProgram::Rinit, InitProgram::Tini];

const SSHD: &str = "mkdir -p -m 755 /run/sshd; ssh-keygen -q -t ed25519 -N '' -f $D/host; ssh-keygen -q -t ed25519 -N '' -f \
                    $D/key; cp $D/key.pub $D/authorized; chmod 644 $D/authorized";

const SSH: &str = "ssh -tt -i $D/key -p 2222 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes \
                   root@127.0.0.1 'echo connected; exec bash --norc -i'";

const SERVICES: &str = "mkdir -p $D/sv/one $D/sv/two; printf '#!/bin/sh\\nexec sleep 1000\\n' >$D/sv/one/run; \
                        printf '#!/bin/sh\\nexec sleep 1001\\n' >$D/sv/two/run; chmod 755 $D/sv/*/run";

const SUPERVISOR: &str = r#"cat >$D/supervisord.conf <<END
[supervisord]
nodaemon=true
logfile=$D/supervisord.log
pidfile=$D/supervisord.pid
user=root
[program:one]
command=sleep 1000
[program:two]
command=perl -e '\$SIG{TERM}=sub{exit};sleep 1000'
END"#;

const RSYSLOG: &str = "printf 'module(load=\"imuxsock\" SysSock.Name=\"%s/log.socket\")\\n*.* %s/messages\\n' $D $D \
                       >$D/rsyslog.conf";

pub(crate) fn rows() -> Vec<Row> {
    let row = |name: &str, command: &str, program: &'static str| Row::new(FAMILY, name, command).needs(&[program]);
    let sshd = |name: &str| {
        let command = "/usr/sbin/sshd -D -e -p 2222 -h $D/host -o AuthorizedKeysFile=$D/authorized -o StrictModes=no \
                       -o UsePAM=no -o PermitRootLogin=yes -o PidFile=none";
        row(name, command, "sshd").setup(SSHD).port(2222)
    };
    let mut rows = vec![
        // Not this machine's jobs.
        row("cron", "cron -f", "cron").setup(
            "for d in /etc/cron.d /var/spool/cron; do mount -t tmpfs tmpfs $d; done\nmkdir \
                                              /var/spool/cron/crontabs; mount --bind /dev/null /etc/crontab",
        ),
        sshd("sshd"),
        sshd("sshd, a session").client(SSH),
        // It installs its handlers before that, but loads its modules first.
        row("rsyslog", "rsyslogd -n -f $D/rsyslog.conf -i $D/rsyslog.pid", "rsyslogd")
            .setup(RSYSLOG)
            .ready("[ -S $D/log.socket ]"),
        row("supervisord", "supervisord -c $D/supervisord.conf", "supervisord")
            .needs(&["perl"])
            .setup(SUPERVISOR)
            .ready("pgrep perl")
            .gate(),
        row("runit: runsvdir", "runsvdir $D/sv", "runsvdir").setup(SERVICES).ready("pgrep -x sleep"),
        row("runit: runsv", "runsv $D/sv/one", "runsv").setup(SERVICES).ready("pgrep -x sleep"),
        row("s6: s6-svscan", "s6-svscan $D/sv", "s6-svscan").setup(SERVICES).ready("pgrep -x sleep"),
        row("s6: s6-supervise", "s6-supervise $D/sv/one", "s6-supervise").setup(SERVICES).ready("pgrep -x sleep"),
        row("busybox crond", "busybox crond -f -c $D", "busybox"),
        row("busybox syslogd", "busybox syslogd -n -O $D/messages", "busybox"),
        row("Xvfb", "Xvfb :99 -nolisten tcp", "Xvfb").ready("[ -e /tmp/.X11-unix/X99 ]"),
        row("dbus", "dbus-daemon --session --nofork --address=unix:path=$D/bus", "dbus-daemon")
            .ready("[ -e $D/bus ]")
            .gate(),
        row("tmux on a terminal", "tmux -S $D/tmux new-session 'sleep 1000'", "tmux")
            .terminal()
            .ready("pgrep -x sleep"),
        row("tmux server in the background, sleep", "sh -c 'tmux -S $D/tmux new-session -d; exec sleep 1000'", "tmux")
            .ready("[ -e $D/tmux ]")
            .culprit("sleep 1000")
            .certain(&[InitProgram::None]),
        row("tmux in the foreground", "tmux -D -S $D/tmux", "tmux")
            .ready("[ -e $D/tmux ] && tmux -S $D/tmux new-session -d"),
        row("screen on a terminal", "env SCREENDIR=$D/screen screen sleep 1000", "screen")
            .setup("mkdir -m 700 $D/screen")
            .terminal()
            .ready("pgrep -x sleep"),
        row("screen, detached in the foreground", "env SCREENDIR=$D/screen screen -D -m sleep 1000", "screen")
            .setup("mkdir -m 700 $D/screen")
            .ready("pgrep -x sleep"),
        row("bwrap", "bwrap --dev-bind / / --unshare-pid sleep 1000", "bwrap").privileged().ready("pgrep -x sleep"),
        row(
            "bwrap, die-with-parent",
            "bwrap --dev-bind / / --unshare-pid --die-with-parent --proc /proc sleep 1000",
            "bwrap",
        )
        .privileged()
        .ready("pgrep -x sleep"),
        row("unshare --pid --fork", "unshare --pid --fork sleep 1000", "unshare").privileged().ready("pgrep -x sleep"),
        row("unshare --pid --kill-child", "unshare --pid --kill-child sleep 1000", "unshare")
            .privileged()
            .ready("pgrep -x sleep"),
        row("unshare --user", "unshare --user sleep 1000", "unshare")
            .user("1000")
            .culprit("sleep 1000")
            .certain(&[InitProgram::None]),
        row("su", "su -s /bin/sh nobody -c 'sleep 1000; true'", "su").ready("pgrep -x sleep"),
        row("su, exec", "su -s /bin/sh nobody -c 'exec sleep 1000'", "su").ready("pgrep -x sleep"),
        row("sudo", "sudo -u nobody sleep 1000", "sudo").ready("pgrep -x sleep"),
        row("runuser -u", "runuser -u nobody -- sleep 1000", "runuser").ready("pgrep -x sleep").culprit("sleep 1000"),
        row("runuser -c", "runuser -s /bin/sh nobody -c 'sleep 1000; true'", "runuser").ready("pgrep -x sleep"),
        row("setpriv", "setpriv --reuid 1000 --clear-groups sleep 1000", "setpriv").culprit("sleep 1000").gate(),
    ];
    rows.extend(wrappers());
    rows.extend(names());
    rows
}

/// Programs under other names than their own: the name proves nothing.
fn names() -> Vec<Row> {
    let named = |name: &str, setup: &str, command: &str| {
        Row::new("wrapper", name, command).setup(setup).inits(&[InitProgram::None]).ready("pgrep -x sleep").gate()
    };
    let handler =
        "$SIG{TTIN} = $SIG{TTOU} = q(IGNORE); $SIG{TERM} = sub {}; fork or exec qw(sleep 1000); sleep 1 while 1";
    vec![
        named("perl, named tini", "cp $(command -v perl) $D/tini", &format!("$D/tini -e '{handler}'")).needs(&["perl"]),
        named("tini, named init", "cp $(command -v tini) $D/init", "$D/init -- sleep 1000")
            .needs(&["tini"])
            .certain(&[InitProgram::None]),
        named("rinit, named init", "cp $D/../rinit $D/init", "$D/init --grace 60s -- sh -c 'yes | sleep 1000'"),
        named(
            "rinit, named tini, with tini's ignored signals",
            "ln -s $D/../rinit $D/tini",
            "env --ignore-signal=TTIN --ignore-signal=TTOU $D/tini -- sh -c '(trap \"\" TERM; exec sleep 1000) & exec sleep 1001'",
        )
        .culprit("sleep 1000"),
    ]
}

/// Programs that run another one, as entrypoints do.
fn wrappers() -> Vec<Row> {
    let wrapper = |name: &str, command: &str, program: &'static str| {
        Row::new("wrapper", name, command).needs(&[program]).ready("pgrep -x sleep")
    };
    vec![
        wrapper("timeout", "timeout 1000 sleep 1001", "timeout").gate(),
        wrapper("flock", "flock $D/lock sleep 1000", "flock").culprit("flock").certain(ALL).gate(),
        wrapper("nice, env, nohup", "nice env A=b nohup sleep 1000", "nohup").culprit("sleep 1000").certain(ALL),
        wrapper("setsid --wait", "setsid --fork --wait sleep 1000", "setsid").culprit("setsid"),
        wrapper("xargs", "sh -c 'echo 1000 | xargs sleep'", "xargs"),
        wrapper("make", "make -f $D/Makefile", "make").setup("printf 'all:\\n\\tsleep 1000; true\\n' >$D/Makefile"),
        wrapper("script", "script -qfc 'sleep 1000; true' /dev/null", "script"),
        wrapper("strace", "strace -f -o /dev/null sleep 1000", "strace").privileged(),
        wrapper("ssh-agent", "ssh-agent sleep 1000", "ssh-agent").culprit("sleep 1000"),
        wrapper("dumb-init", "dumb-init sh -c 'sleep 1000; true'", "dumb-init").gate(),
        wrapper("catatonit", "catatonit -- sh -c 'sleep 1000; true'", "catatonit").gate(),
        wrapper("tini below", "sh -c 'tini -s -- sleep 1000; true'", "tini"),
        wrapper("perl: system", "perl -e 'system(\"sleep 1000\"); 1'", "perl").culprit("perl"),
        wrapper(
            "python: subprocess.run",
            "python3 -c 'import subprocess; subprocess.run([\"sleep\", \"1000\"])'",
            "python3",
        )
        .culprit("python3"),
    ]
}
