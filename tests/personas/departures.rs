//! Every command line at which rinit under another name does not answer as the original does.
//!
//! A line is `ORIGINAL | NAME=value… | words | difference`. The difference is a name in `docs/personas.md`, which says why; with
//! ` inside` behind it, it holds only as PID 1. `command_lines.rs` runs these beside the originals, too, and
//! fails if the two do *not* differ: then the line has to go.

/// The table.
pub(crate) const DEPARTURES: &str = "
    tini | | -- sh -c 'setsid sh -c \"trap \\\"sleep 0.2; echo cleaned; exit\\\" TERM; while :; do sleep 0.05; done\" & sleep 1; exit 3' | helpers inside
    tini | | @/damaged | damaged-program
    dumb-init | | sh -c 'setsid sh -c \"trap \\\"sleep 0.2; echo cleaned; exit\\\" TERM; while :; do sleep 0.05; done\" & sleep 1; exit 3' | helpers inside
    dumb-init | | -c sh -c 'setsid sh -c \"trap \\\"sleep 0.2; echo cleaned; exit\\\" TERM; while :; do sleep 0.05; done\" & sleep 1; exit 3' | helpers inside
    dumb-init | | @/damaged | damaged-program
    catatonit | | -- sh -c 'setsid sh -c \"trap \\\"sleep 0.2; echo cleaned; exit\\\" TERM; while :; do sleep 0.05; done\" & sleep 1; exit 3' | helpers
    catatonit | | @/damaged | damaged-program
    pidunu | | /bin/sh -c 'setsid sh -c \"trap \\\"sleep 0.2; echo cleaned; exit\\\" TERM; while :; do sleep 0.05; done\" & sleep 1; exit 3' | helpers inside
    pidunu | | /bin/sh -c 'kill $$' | status-of-a-signal
    pidunu | | /bin/sh -c 'kill -9 $$' | status-of-a-signal
    pidunu | | @/no-first-line | script-without-first-line
";
