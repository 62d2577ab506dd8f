//! Random numbers that can be had again.

use std::time::SystemTime;

/// xorshift64*: small, and good enough to spread tests over time.
pub(crate) struct Random(u64);

impl Random {
    /// Another seed each time, printed; `RINIT_TEST_SEED` gives one of them again.
    pub(crate) fn seeded() -> Self {
        let given = std::env::var("RINIT_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let now = || SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64);
        let seed = given.unwrap_or_else(now);
        println!("RINIT_TEST_SEED={seed}");
        Self::from(seed)
    }

    /// The numbers of one seed.
    pub(crate) fn from(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// A number below the bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % bound
    }
}
