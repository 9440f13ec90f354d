//! A checksum for small records: it tells one that was written whole from one that was not, or that somebody else wrote.

/// Fowler, Noll and Vo's hash (FNV-1a) of these bytes.
pub(crate) fn check(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
