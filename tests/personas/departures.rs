//! Every command line at which rinit under another name does not answer as the original does.
//!
//! A line is `ORIGINAL | NAME=value… | words | difference`. The difference is a name in `docs/personas.md`, which says why; with
//! ` outside` behind it, it holds only for a process that is not PID 1. `command_lines.rs` runs these beside the originals, too, and
//! fails if the two do *not* differ: then the line has to go.

/// The table.
pub(crate) const DEPARTURES: &str = "
    tini | | -w -- sh -c '(sleep 0.01 & ); sleep 0.2; exit 3' | subreaper outside
    tini | | -- sh -c 'sleep 0.1 & exit 3' | helpers
    tini | | @/damaged | damaged-program
    dumb-init | | sh -c 'sleep 0.1 & exit 3' | helpers
    dumb-init | | -c sh -c 'sleep 0.1 & exit 3' | helpers
    dumb-init | | @/damaged | damaged-program
    catatonit | | -- sh -c 'sleep 0.1 & exit 3' | helpers
    catatonit | | @/damaged | damaged-program
    pidunu | | /bin/sh -c 'sleep 0.1 & exit 3' | helpers
    pidunu | | /bin/sh -c 'kill $$' | status-of-a-signal
    pidunu | | /bin/sh -c 'kill -9 $$' | status-of-a-signal
    pidunu | | @/no-first-line | script-without-first-line
";
