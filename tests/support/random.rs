//! Random numbers that can be repeated.

use std::time::SystemTime;

/// xorshift64*: small, and good enough to spread tests over time.
pub struct Random(u64);

/// Another one each time, printed; `RINIT_TEST_SEED` gives one of them again.
pub fn seed() -> u64 {
    let given = std::env::var("RINIT_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let now = || SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64);
    let seed = given.unwrap_or_else(now).max(1);
    println!("RINIT_TEST_SEED={seed}");
    seed
}

impl Random {
    /// Another seed each time, printed.
    pub fn seeded() -> Self {
        Self(seed())
    }

    /// Uses this seed. Neighbouring seeds give unrelated numbers.
    pub fn with_seed(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1))
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A number below the bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % bound
    }
}
