//! Texts of `--help`, `--version` and `--license`.

pub(crate) const VERSION: &str = concat!("rinit ", env!("CARGO_PKG_VERSION"), "\n");

pub(crate) const LICENSE: &str = "\
rinit is free software, under either of these licences, as you choose:
  MIT, https://opensource.org/license/mit
  Apache License, Version 2.0, https://www.apache.org/licenses/LICENSE-2.0
";

/// For a terminal of 24 lines and 80 columns.
pub(crate) const HELP: &str = "\
rinit: the init process for containers
Usage: rinit [OPTIONS] [--] PROGRAM [ARGS...]
  -r, --rewrite FROM=TO  forward signal FROM as TO; FROM= drops it
  -g, --to main|group|all  -g and group: main's process group gets the signals
      --grace TIME       kill what remains TIME after main got the stop signal
      --drain TIME       kill what remains TIME after main's exit (default 10s)
      --stop-delay TIME  hold the first stop signal back for TIME
      --stop-signal SIG  SIG requests a stop, as TERM, INT and QUIT do
      --on-main-exit drain|wait|finish|exit  drain: ask the others to stop
      --user USER[:GROUP]  --workdir DIR  --env NAME=VALUE  how main starts
      --rlimit NAME=SOFT[:HARD]  --umask MODE
  -e CODE                report exit code CODE as 0
  -v, -vv, -vvv, -q      print more; only errors    --log-format text|json
  -P, --pause            start no program: reap, and exit on TERM or INT
      --diagnose         in a container (docker exec ... rinit --diagnose): will
                         it stop, which processes would not, why, what helps?
                         Exits 0 if it will, 1 if not, 2 if only a stop shows it
      --help=all         all options and variables   -V, --version  --license
TIME: 500ms, 10s, 1m30s; a number is seconds. SIG: TERM, SIGTERM, 15, RTMIN+3.
Exit status: main's; 128+n after signal n; 125 rinit failed; 126 cannot execute;
127 not found. Manual page: rinit(1).
";

pub(crate) const HELP_ALL: &str = "\
rinit: the init process for containers
Usage: rinit [OPTIONS] [--] PROGRAM [ARGS...]
       rinit --pause | --diagnose [--pid PID] [--json]
       rinit --help[=all] | --version | --license
Signals
  -r, --rewrite FROM=TO   forward FROM as TO; FROM= or FROM=0 drops it
      --to TARGET         main (default), group: main's process group, or all:
                          every descendant
  -g / -c, --single-child --to group / --to main
      --forward WHAT      all (default), or handled: none that would kill main
                          because it has no handler
Stopping
      --stop-signal SIG   SIG requests a stop, as TERM, INT and QUIT do
      --stop-delay TIME   hold the first stop signal back for TIME
      --grace TIME        kill what remains TIME after main got the stop signal
      --last-call TIME    TERM to all not asked yet (default: 4/5 of limit)
      --on-main-exit HOW  drain (default): TERM to others; wait: no TERM before
                          a stop; finish: no TERM before the limit; exit: leave
      --drain TIME        kill what remains TIME after main's exit (default 10s)
Starting
      --user USER[:GROUP] run main as this user, permanently
      --workdir DIR       start main in DIR
      --env NAME=VALUE    set a variable for main
      --rlimit NAME=SOFT[:HARD]  limit a resource; names as in prlimit(1):
                          nofile, nproc, core, memlock, stack ...; or unlimited
      --umask MODE        file mode creation mask of main, in octal
      --session           in a session of its own, with the terminal
  -p, --parent-death-signal SIG  sent to rinit when its parent exits
  -s, --subreaper, --no-subreaper  the default: be one if not PID 1
Exit status: main's; 128+n after signal n; 125 rinit failed; 126 cannot execute;
127 not found
  -e CODE                 report CODE as 0
      --mirror-signal     terminate by the signal that terminated main
Messages, on standard error
  -v, --verbose           print more, up to -vvv
  -q, --quiet             print errors only
  -w, --warn-on-reap      print each orphan reaped
      --log-format FORMAT text (default), or json: one object in each line
Without a program
  -P, --pause             hold the namespace open, reap, exit 0 on TERM or INT
      --diagnose          report on the container it runs in, or that of --pid
                          PID: will it stop, which processes would not, why, and
                          what helps; --json for programs. Exits 0 if it will
                          stop, 1 if not, 2 if only a stop shows it
  -h, --help  --help=all  -V, --version  -l, -L, --license
TIME: 500ms, 10s, 1m30s; a number is seconds. SIG: TERM, SIGTERM, 15, RTMIN+3.
Variables stand for flags; a flag wins. Lists have commas or spaces.
  RINIT_TO RINIT_FORWARD RINIT_REWRITE RINIT_STOP_SIGNAL RINIT_STOP_DELAY
  RINIT_GRACE RINIT_LAST_CALL RINIT_ON_MAIN_EXIT RINIT_DRAIN RINIT_RLIMIT
  RINIT_UMASK RINIT_VERBOSE (0 to 3) RINIT_QUIET (0, 1) RINIT_LOG_FORMAT
";
