//! Texts of `--help`, `--version` and `--license`.

pub(crate) const VERSION: &str = concat!("rinit ", env!("CARGO_PKG_VERSION"), "\n");

pub(crate) const LICENSE: &str = "\
rinit is free software, under either of these licences, as you choose:
  MIT, https://opensource.org/license/mit
  Apache License, Version 2.0, https://www.apache.org/licenses/LICENSE-2.0
";

pub(crate) const HELP: &str = "\
rinit: run a program as a container's init: forward signals, reap orphans, end all in good order
Usage: rinit [OPTIONS] [--] PROGRAM [ARGS...]
       rinit --pause | --diagnose [--json] | --help | --version | --license

Signals
  -r, --rewrite FROM=TO     pass FROM on as TO; FROM= or FROM=0 drops it (repeatable)
  -g, -c, --to WHOM         who gets signals: main (-c, default), group (-g), all
      --forward WHAT        all (default), or handled: only what main does not die of
Stopping
      --stop-signal SIG     SIG requests a stop, as TERM, INT and QUIT do (repeatable)
      --stop-delay TIME     hold the first stop signal back for TIME
      --grace TIME          after TIME/2 tell everyone TERM, after TIME kill
      --on-main-exit WHAT   drain (default): TERM to others, wait; wait: no TERM; exit: at once
      --drain TIME          kill those who remain TIME after main's end (default 10s)
Starting
      --user USER[:GROUP]   run PROGRAM as USER, for good
      --workdir DIR         in this directory
      --env NAME=VALUE      with this variable (repeatable)
      --session             in a session of its own, with the terminal
  -p, --parent-death-signal SIG   rinit gets SIG when its parent ends
  -s, --subreaper           be a subreaper (the default where rinit is not PID 1)
      --no-subreaper        do not
Exit status
  -e CODE                   report CODE as 0 (repeatable)
      --mirror-signal       die by the signal that ended main, not with 128+n
Messages
  -v (up to -vvv)  -w, --warn-on-reap   say more; say each orphan reaped
  -P, --pause  -h, --help  -V, --version  -l, -L, --license

TIME: 500ms, 10s, 1m30s; a number is seconds. SIG: TERM, SIGTERM, 15, RTMIN+3.
Environment: RINIT_TO, RINIT_FORWARD, RINIT_STOP_SIGNAL, RINIT_STOP_DELAY, RINIT_GRACE,
RINIT_ON_MAIN_EXIT, RINIT_DRAIN. Exit status: main's, 128+n after signal n, 125 rinit failed,
126 cannot execute, 127 not found.
";
