//! Freed memory that the allocator keeps.

/// Returns freed memory to the kernel. The environment that was copied for the child may be larger than all memory that the
/// loop needs.
pub(crate) fn give_back_free_memory() {
    // musl returns freed memory by itself.
    #[cfg(target_env = "gnu")]
    // SAFETY: touches only memory that is free in the allocator, under the allocator's own lock.
    let _ = unsafe { libc::malloc_trim(0) };
}
