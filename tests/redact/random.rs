//! Random text from a fixed seed: a failure can be run again.

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).expect("48 bits fit") % end.max(1)
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Random characters of a class of `kinds.rs`. The first is a letter where the class has any.
    pub(crate) fn run(&mut self, class: char, length: usize) -> String {
        if class == 'k' {
            let letters: [&[u8]; 2] = [b"bdfgklmnprstvz", b"aeiou"];
            return (0..length).map(|at| char::from(*self.pick(letters[at % 2]))).collect();
        }
        let alphabet: &[u8] = match class {
            'a' => b"abcdefghijklmnopqrstuvwxyz",
            'A' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
            'n' => b"0123456789",
            'h' => b"0123456789abcdef",
            'H' => b"0123456789ABCDEF",
            'l' => b"abcdefghijklmnopqrstuvwxyz0123456789",
            'u' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
            'w' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            'b' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
            'B' => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
            other => unreachable!("no class {other}"),
        };
        (0..length).map(|_| char::from(*self.pick(alphabet))).collect()
    }
}
