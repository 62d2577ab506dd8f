//! Texts of `--help`, `--version` and `--license`.

pub(crate) const VERSION: &str = concat!("rinit ", env!("CARGO_PKG_VERSION"), "\n");

pub(crate) const LICENSE: &str = "\
rinit is free software, under either of these licences, as you choose:
  MIT, https://opensource.org/license/mit
  Apache License, Version 2.0, https://www.apache.org/licenses/LICENSE-2.0
";

pub(crate) const HELP: &str = "\
rinit: the init process for containers
Usage: rinit [OPTIONS] [--] PROGRAM [ARGS...]
       rinit --diagnose [--json] [--pid PID]
       rinit --pause | --help | --version | --license
Signals
  -r, --rewrite FROM=TO   pass FROM on as TO; FROM= or FROM=0 drops it
      --to WHOM           who gets signals: main (default), group, all
  -g / -c, --single-child --to group / --to main
      --forward WHAT      all (default), or handled: what main would not die of
Stopping
      --stop-signal SIG   SIG requests a stop, as TERM, INT and QUIT do
      --stop-delay TIME   hold the first stop signal back for TIME
      --grace TIME        kill all that remain TIME after the stop signal
      --last-call TIME    TERM to all not asked yet (default: 4/5 of limit)
      --on-main-exit HOW  drain (default): TERM to others; wait: no TERM before a
                          stop; finish: no TERM at all; exit: leave them
      --drain TIME        kill what remains TIME after main's exit (default 10s)
Starting
      --user USER[:GROUP]  --workdir DIR  --env NAME=VALUE
      --session           in a session of its own, with the terminal
  -p, --parent-death-signal SIG  what rinit gets when its parent ends
  -s, --subreaper, --no-subreaper  default: be one where not PID 1
Exit status: main's; 128+n after signal n; 125 rinit failed; 126 cannot execute;
127 not found
  -e CODE                 report CODE as 0
      --mirror-signal     die by the signal that ended main
Messages
  -v, --verbose           say more, up to -vvv
  -w, --warn-on-reap      say each orphan reaped
  -P, --pause  -h, --help  -V, --version  -l, -L, --license
TIME: 500ms, 10s, 1m30s; a number is seconds. SIG: TERM, SIGTERM, 15, RTMIN+3.
Variables: RINIT_TO RINIT_FORWARD RINIT_STOP_SIGNAL RINIT_STOP_DELAY RINIT_GRACE
RINIT_LAST_CALL RINIT_ON_MAIN_EXIT RINIT_DRAIN stand for flags of these names.
";
