//! Compresses complete segments. That takes a while, so a separate process does it, which may be killed at any moment. The
//! result is gzip, readable by `zcat`, in members of 1 MiB each. Every member can be decompressed by itself, and begins
//! with its own length and that of its content, so that a reader can find one without decompressing those before it.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use rustix::fs::OFlags;

use crate::limits::Limits;
use crate::packed::{EXTRA, LENGTHS, MEMBER, Packed};
use crate::prune::prune;
use crate::series::{Segment, Series};
use crate::target::lock;

/// A segment below this size, in bytes, needs the same number of disk blocks when it is compressed.
const SMALL: u64 = 4 << 10;

/// Removes segments beyond the limits and compresses complete ones. A segment that cannot be compressed, for example
/// because the disk is full, is left unchanged.
///
/// # Errors
/// The directory cannot be read.
pub fn tidy(series: &Series, limits: &Limits) -> io::Result<()> {
    prune(series, limits)?;
    let segments = series.segments()?;
    let newest = segments.last().map(|segment| segment.run);
    for (index, segment) in segments.iter().enumerate() {
        let is_last_of_run = segments.get(index + 1).is_none_or(|next| next.run != segment.run);
        // A writer may continue in the last segment of the newest run.
        if is_last_of_run && Some(segment.run) == newest {
            continue;
        }
        if pack(series, *segment).is_err() {
            let _ = fs::remove_file(stage_of(series, *segment));
        }
    }
    Ok(())
}

fn pack(series: &Series, segment: Segment) -> io::Result<()> {
    let (path, packed_path) = (series.path(segment), series.packed_path(segment));
    let Ok(plain) = durable::open(&path) else { return Ok(()) };
    if !lock(&plain)? || !durable::is_at(&plain, &path) {
        return Ok(());
    }
    let metadata = plain.metadata()?;
    if let Ok(packed) = durable::open(&packed_path) {
        // An earlier process was killed after it had compressed the segment and before it removed the original.
        let is_same = Packed::open(packed).is_ok_and(|packed| packed.len() == metadata.len());
        return if is_same { fs::remove_file(&path) } else { Ok(()) };
    }
    if metadata.len() < SMALL {
        return Ok(());
    }
    let stage = stage_of(series, segment);
    let mut file = create(&stage)?;
    compress(&plain, metadata.len(), &mut file)?;
    file.set_times(FileTimes::new().set_modified(metadata.modified()?))?;
    file.sync_all()?;
    fs::rename(&stage, &packed_path)?;
    // The compressed file must be durable before the original is removed.
    File::open(series.directory())?.sync_all()?;
    match fs::remove_file(&path) {
        // The logs were emptied meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::remove_file(&packed_path),
        removed => removed,
    }
}

/// The name begins with a dot, so that a pattern such as `log/stdout*` does not match it.
fn stage_of(series: &Series, segment: Segment) -> PathBuf {
    let packed = series.packed_path(segment);
    let name = packed.file_name().unwrap_or_default().to_string_lossy();
    packed.with_file_name(format!(".{name}.part"))
}

fn create(stage: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0);
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(flags).open(stage)
}

fn compress(plain: &File, length: u64, into: &mut File) -> io::Result<()> {
    let mut block = vec![0; MEMBER];
    let mut position = 0;
    while position < length {
        let size = usize::try_from(length - position).unwrap_or(MEMBER).min(MEMBER);
        plain.read_exact_at(&mut block[..size], position)?;
        into.write_all(&member(&block[..size])?)?;
        position += size as u64;
    }
    Ok(())
}

/// One gzip member. Its length is known only when the member is complete, and is then written into its header.
fn member(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let extra = [&EXTRA[..], &[0; 8]].concat();
    let mut encoder = GzBuilder::new().extra(extra).write(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    let mut member = encoder.finish()?;
    let lengths = [member.len(), bytes.len()].map(|length| u32::try_from(length).unwrap_or(0).to_le_bytes());
    member[LENGTHS].copy_from_slice(&lengths.concat());
    Ok(member)
}
