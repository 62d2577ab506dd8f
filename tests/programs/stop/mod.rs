//! How a container with real programs stops: black-box tests, under rinit and under the other inits.
//!
//! A [`Scenario`] is one way to stop, with a judgement of what came of it: was work lost, is the status main's own, was the
//! init in time. Each is run under rinit, as PID 1 and as a subreaper, and under the originals that do it right. The
//! [`survey`] runs all scenarios under all inits and writes `docs/stop-survey.md`.
//!
//! Debian packages: `tini dumb-init catatonit redis-server celery python3-redis tmux cron supervisor apache2 mariadb-server
//! nodejs npm sudo util-linux`. Everything listens on Unix sockets in a directory of the test.

mod containers;
mod faults;
mod frozen;
mod host_image;
mod judge;
mod outside;
mod parts;
mod quiet;
mod services;
mod survey;
mod terminal;

pub(super) use judge::judge;
pub(super) use parts::{Init, Outcome, Place, Scenario, Stopped};
pub(crate) use survey::survey;

/// A test for each scenario.
macro_rules! tests {
    ($($name:ident: $scenario:ident,)*) => {
        $(#[support::test]
        fn $name() {
            judge(&$scenario);
        })*
    };
}
use tests;

/// Every scenario.
fn all() -> Vec<&'static Scenario> {
    [faults::ALL, services::ALL].concat()
}
