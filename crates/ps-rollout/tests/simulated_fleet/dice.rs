//! Chance, read from a list of numbers that proptest makes and shrinks. When the list is used up every roll is zero,
//! which is always the harmless answer: a shrunk list is a rollout in which little goes wrong.

/// The numbers, and how many of them are used up.
pub(crate) struct Dice<'a> {
    rolls: &'a [u16],
    at: usize,
}

impl<'a> Dice<'a> {
    pub(crate) fn new(rolls: &'a [u16]) -> Self {
        Self { rolls, at: 0 }
    }

    fn next(&mut self) -> u64 {
        self.at += 1;
        self.rolls.get(self.at - 1).copied().map_or(0, u64::from)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() * n) >> 16
    }

    /// True in `percent` of a hundred calls.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) >= 100 - percent
    }
}
