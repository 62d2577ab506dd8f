//! Memory that the allocator keeps for later.

/// Gives back what the start has used and the loop will not: an environment that was copied for the child may be larger than
/// all else.
pub(crate) fn give_back_free_memory() {
    // musl gives back by itself.
    #[cfg(target_env = "gnu")]
    // SAFETY: touches only memory that the allocator itself has free, under its own lock.
    let _ = unsafe { libc::malloc_trim(0) };
}
