//! The last program of `cargo test --workspace`: what all others have skipped, and how to run it.

fn main() {
    support::skip::summary();
}
