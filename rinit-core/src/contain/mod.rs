//! Containment: a child under an rinit of its own, which ends everything that the child ever starts.
//!
//! Host and rinit are the two ends of a socket pair. The host's end is close-on-exec and so held by the host alone: that it
//! closes means that the host has let go, or is dead, however it died.

mod codec;
mod failure;
mod guest;
mod job;
mod link;
mod spec;
mod survivors;
mod wire;

#[doc(hidden)]
pub use guest::__contained;
pub(crate) use guest::{Host, Wish, leave_group};
pub use job::Job;
pub use spec::ContainSpec;
pub(crate) use wire::Stop;

/// Reads any bytes as either side does.
///
/// # Panics
///
/// Where a request that was read is not what would have been written.
pub(crate) fn read_any(bytes: &[u8]) {
    let mut host = wire::Inbox::default();
    host.add(bytes);
    while let Ok(Some(_)) = host.next::<wire::Reply>() {}
    let mut guest = wire::Inbox::default();
    guest.add(bytes);
    while let Ok(Some(request)) = guest.next::<wire::Request>() {
        if request != wire::Request::Foreign {
            let mut again = wire::Inbox::default();
            again.add(&request.to_bytes());
            assert_eq!(again.next::<wire::Request>(), Ok(Some(request)));
        }
    }
}
