//! A checksum for small records, which tells whole records from incomplete ones and from bytes of other
//! programs.

/// Fowler, Noll and Vo's hash (FNV-1a) of these bytes.
pub(crate) fn check(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
