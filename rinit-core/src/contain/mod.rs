//! Containment: a child under an rinit of its own, which ends everything that the child ever starts.
//!
//! Host and rinit are the two ends of a socket pair. The host's end is close-on-exec and so held by the host alone: that it
//! closes means that the host has let go, or is dead, however it died.

pub(crate) mod connection;
pub(crate) mod controller;
pub(crate) mod job;
mod launch;
pub(crate) mod protocol;
pub(crate) mod spec;

pub use job::Job;
pub use spec::ContainSpec;

/// Reads any bytes as either side does.
///
/// # Panics
///
/// Where a request that was read is not what would have been written.
pub(crate) fn read_any(bytes: &[u8]) {
    let mut host = protocol::Inbox::default();
    host.add(bytes);
    while let Ok(Some(_)) = host.next::<protocol::Reply>() {}
    let mut guest = protocol::Inbox::default();
    guest.add(bytes);
    while let Ok(Some(request)) = guest.next::<protocol::Request>() {
        if request != protocol::Request::NotRinit {
            let mut again = protocol::Inbox::default();
            again.add(&request.to_bytes());
            assert_eq!(again.next::<protocol::Request>(), Ok(Some(request)));
        }
    }
}
