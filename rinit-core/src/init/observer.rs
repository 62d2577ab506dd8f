//! Hands events to the program that observes the run.

use super::event::Event;
use std::panic::{AssertUnwindSafe, catch_unwind};

type Observer = Box<dyn FnMut(&Event)>;

/// The observer, if there is one.
#[derive(Default)]
pub(super) struct Observers {
    observer: Option<Observer>,
}

impl Observers {
    pub(super) fn set(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    /// Calls the observer. After a panic it is not called again: the loop goes on without it.
    pub(super) fn emit(&mut self, event: Event) {
        if let Some(observer) = &mut self.observer {
            if catch_unwind(AssertUnwindSafe(|| observer(&event))).is_err() {
                self.observer = None;
            }
        }
    }
}
