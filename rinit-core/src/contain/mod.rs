//! [job_runner.rs]: https://docs.rs/crate/rinit-core/latest/source/examples/job_runner.rs
//! [module.rs]: https://docs.rs/crate/rinit-core/latest/source/examples/module.rs
//! [plugin.rs]: https://docs.rs/crate/rinit-core/latest/source/examples/plugin.rs
//! [tokio_jobs.rs]: https://docs.rs/crate/rinit-core/latest/source/examples/tokio_jobs.rs
//!
#![doc = include_str!("../../docs/contain.md")]

mod cgroup;
pub(crate) mod connection;
pub(crate) mod controlling_process;
pub(crate) mod entry;
pub(crate) mod job;
mod launch;
pub(crate) mod protocol;
pub(crate) mod spec;
pub(crate) mod usage;

pub use crate::error::ContainmentError;
#[doc(inline)]
pub use crate::init::contained::init;
pub use job::{Job, JobOutput};
pub use spec::ContainSpec;
pub use usage::Usage;

#[cfg(any(feature = "fuzzing", test))]
use protocol::Message;

/// Reads any bytes as either side does.
///
/// # Panics
///
/// If a request that was read would not be written as it was read.
#[cfg(any(feature = "fuzzing", test))]
pub(crate) fn read_any(bytes: &[u8]) {
    let mut controlling = protocol::Inbox::default();
    controlling.add(bytes);
    while let Ok(Some(_)) = controlling.next::<protocol::Reply>() {}
    let mut contained = protocol::Inbox::default();
    contained.add(bytes);
    while let Ok(Some(request)) = contained.next::<protocol::Request>() {
        if request != protocol::Request::OtherVersion {
            let mut again = protocol::Inbox::default();
            again.add(&request.to_frame());
            assert_eq!(again.next::<protocol::Request>(), Ok(Some(request)));
        }
    }
}
