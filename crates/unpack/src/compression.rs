//! The compression of an archive, recognised by its first bytes.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use crate::UnpackError;

const GZIP: &[u8] = b"\x1f\x8b";
/// Compressions that are not supported: their first bytes, and the program that unpacks each.
const OTHERS: [(&[u8], &str); 3] = [(b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd")];
/// The first bytes of a zip archive.
const ZIP: &[u8] = b"PK\x03\x04";

/// The uncompressed bytes of the archive.
pub(crate) fn plain<'a>(mut archive: impl Read + 'a) -> Result<Box<dyn Read + 'a>, UnpackError> {
    let mut first = Vec::new();
    archive.by_ref().take(6).read_to_end(&mut first).map_err(UnpackError::read)?;
    if let Some((_, program)) = OTHERS.into_iter().find(|(magic, _)| first.starts_with(magic)) {
        return Err(UnpackError::Compressed { program });
    }
    if first.starts_with(ZIP) {
        return Err(UnpackError::Zip);
    }
    if first.is_empty() {
        return Err(UnpackError::Empty);
    }
    let is_gzip = first.starts_with(GZIP);
    let whole = io::Cursor::new(first).chain(archive);
    Ok(if is_gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}
