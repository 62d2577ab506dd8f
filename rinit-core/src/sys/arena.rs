//! An allocator for a program that needs a few kilobytes: they lie in `.bss`, beside its other data.
//!
//! A heap costs a small program more than its contents: `brk(2)` or `mmap(2)`, a page fault for its first page, and page tables
//! for its place. rinit allocates less than 2 KiB at its start and nothing while it waits.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room of the arena, in bytes. What does not fit goes to the system's allocator. A little less than 2 KiB, so that all static data of
/// the musl build end on one page: a second one of `.bss` would be a mapping of its own.
const SIZE: usize = 1984;

/// Aligned for any block that the arena gives out; blocks with a larger alignment go to the system.
#[repr(C, align(16))]
struct Room(UnsafeCell<[u8; SIZE]>);

/// The largest alignment that the arena serves: that of [`Room`].
const MAX_ALIGN: usize = align_of::<Room>();

/// An arena of nearly 2 KiB in front of the system's allocator, to be the `#[global_allocator]` of a program.
///
/// A block is taken by moving an atomic mark. Only the last block can be given back or grow in place; others stay taken until
/// the program exits, so nothing is ever given out twice.
pub struct Arena {
    room: Room,
    /// Bytes taken from the start of the room.
    used: AtomicUsize,
}

// SAFETY: the room is only accessed through blocks, and no two blocks overlap: see `take`.
unsafe impl Sync for Arena {}

impl Arena {
    /// An empty arena.
    #[must_use]
    pub const fn new() -> Self {
        Self { room: Room(UnsafeCell::new([0; SIZE])), used: AtomicUsize::new(0) }
    }

    fn start(&self) -> *mut u8 {
        self.room.0.get().cast()
    }

    /// The offset of a block in the room; `None` for a block of the system.
    fn offset(&self, block: *mut u8) -> Option<usize> {
        let offset = block.addr().wrapping_sub(self.start().addr());
        (offset < SIZE).then_some(offset)
    }

    /// Takes a part of the room; returns its offset. The compare-and-exchange gives each byte to one caller.
    fn take(&self, layout: Layout) -> Option<usize> {
        // A block without bytes would have the offset of the next one, or lie behind the room.
        if layout.size() == 0 || layout.align() > MAX_ALIGN {
            return None;
        }
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let from = used.next_multiple_of(layout.align());
            let to = from.checked_add(layout.size()).filter(|to| *to <= SIZE)?;
            // Acquire and release: bytes that another thread gave back were written by it before it moved the mark.
            match self.used.compare_exchange_weak(used, to, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some(from),
                Err(now) => used = now,
            }
        }
    }

    /// Moves the mark from one place to another, if it is still there: so only the last block can grow or be given back.
    fn move_mark(&self, from: usize, to: usize) -> bool {
        self.used.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: a block is a part of the room that `take` gave to this caller alone, aligned and large enough, or one of the
// system's. The room lives as long as the arena, which is a static. No function panics.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.take(layout) {
            // SAFETY: the offset is inside the room.
            Some(offset) => unsafe { self.start().add(offset) },
            // SAFETY: the caller's own layout.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.offset(block) {
            Some(offset) => drop(self.move_mark(offset + layout.size(), offset)),
            // SAFETY: not a block of the room, so the system's, with the layout that it was allocated with.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(offset) = self.offset(block) else {
            // SAFETY: not a block of the room, so the system's, with the layout that it was allocated with.
            return unsafe { System.realloc(block, layout, size) };
        };
        let end = offset + layout.size();
        let in_place = size <= layout.size() || offset.checked_add(size).is_some_and(|end| end <= SIZE);
        if in_place && (self.move_mark(end, offset + size) || size <= layout.size()) {
            return block;
        }
        // SAFETY: the caller ensures that `size` is not zero and does not overflow when rounded up to the alignment.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks are at least this long, and they do not overlap: the old one is still taken.
            unsafe { ptr::copy_nonoverlapping(block, new, layout.size().min(size)) };
            // SAFETY: the old block, with its layout.
            unsafe { self.dealloc(block, layout) };
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn the_last_block_grows_and_is_given_back() {
        let arena = Arena::new();
        let layout = layout(8, 8);
        // SAFETY: each block is used with the layout that it has at that moment, and freed once.
        unsafe {
            let block = arena.alloc(layout);
            let grown = arena.realloc(block, layout, 64);
            assert_eq!(grown, block);
            arena.dealloc(grown, Layout::from_size_align(64, 8).unwrap());
            assert_eq!(arena.alloc(layout), block);
        }
    }

    #[test]
    fn blocks_that_do_not_fit_go_to_the_system() {
        let arena = Arena::new();
        for layout in [layout(SIZE + 1, 1), layout(64, 4096)] {
            // SAFETY: as above.
            unsafe {
                let block = arena.alloc(layout);
                assert_eq!(arena.offset(block), None);
                assert_eq!(block.addr() % layout.align(), 0);
                arena.dealloc(block, layout);
            }
        }
    }

    /// What a test does with the arena.
    #[derive(Debug, Clone)]
    enum Act {
        Alloc { size: usize, align: usize },
        Free(usize),
        Resize(usize, usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        let size = 1_usize..400;
        prop_oneof![
            (size.clone(), 0_u32..6).prop_map(|(size, power)| Act::Alloc { size, align: 1 << power }),
            (0_usize..16).prop_map(Act::Free),
            (0_usize..16, size).prop_map(|(index, size)| Act::Resize(index, size)),
        ]
    }

    proptest! {
        #[test]
        fn no_block_overlaps_another_and_each_keeps_its_bytes(acts in prop::collection::vec(act(), 0..60)) {
            let arena = Arena::new();
            let mut blocks: Vec<(*mut u8, Layout, u8)> = Vec::new();
            for (number, act) in acts.into_iter().enumerate() {
                let fill = number as u8;
                // SAFETY: each block is written within its size and freed once, with its layout.
                unsafe {
                    match act {
                        Act::Alloc { size, align } => {
                            let layout = layout(size, align);
                            let block = arena.alloc(layout);
                            prop_assert_eq!(block.addr() % align, 0);
                            block.write_bytes(fill, size);
                            blocks.push((block, layout, fill));
                        }
                        Act::Free(index) if index < blocks.len() => {
                            let (block, layout, _) = blocks.swap_remove(index);
                            arena.dealloc(block, layout);
                        }
                        Act::Resize(index, size) if index < blocks.len() => {
                            let (block, old, fill) = blocks[index];
                            let block = arena.realloc(block, old, size);
                            let kept = std::slice::from_raw_parts(block, old.size().min(size));
                            prop_assert!(kept.iter().all(|byte| *byte == fill));
                            block.write_bytes(fill, size);
                            blocks[index] = (block, layout(size, old.align()), fill);
                        }
                        Act::Free(_) | Act::Resize(..) => {}
                    }
                    for (block, layout, fill) in &blocks {
                        let bytes = std::slice::from_raw_parts(*block, layout.size());
                        prop_assert!(bytes.iter().all(|byte| byte == fill), "a block was overwritten");
                    }
                }
            }
            for (block, layout, _) in blocks {
                // SAFETY: as above.
                unsafe { arena.dealloc(block, layout) };
            }
        }
    }

    #[test]
    fn threads_get_blocks_of_their_own() {
        let arena = Arena::new();
        let take_some = || {
            // SAFETY: the blocks are not used, and the arena keeps them.
            let block = |_| unsafe { arena.alloc(layout(32, 8)) }.addr();
            (0..8).map(block).collect::<Vec<_>>()
        };
        let blocks: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take_some)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let mut sorted = blocks.clone();
        sorted.sort_unstable();
        assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= 32), "{sorted:?}");
    }
}
