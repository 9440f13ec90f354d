//! `state`: what every slot of an app is doing, in one file. It is read at once, however many slots there are, and it is true on a
//! full disk: each slot has a block of its own, allocated beforehand and written in place. `<slot>/status.json` says the same for
//! people, and for whoever comes from before; where the two differ, `state` is right.
//!
//! ```text
//! block 0       which supervisor writes here: the one that made the socket `control`
//! block n       one slot: two cells, which are written in turn
//! cell          its number in the series, the length of the text, a checksum of both and of the text; then the text, JSON
//! ```
//!
//! A cell that was torn by the death of its writer bears a wrong checksum, and the other one counts, which was written before it.
//! A block whose text is empty is nobody's. The socket in block 0 tells whether another supervisor has been at work since: one of
//! before writes no `state`, and what stands there is out of date.

mod cell;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use formation::Slot;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::control::CONTROL_SOCKET;
use crate::status::Status;
use cell::{CELL, cell, newest};

const FILE: &str = "state";
const FORMAT: u32 = 1;
const BLOCK: usize = 2 * CELL;
/// More slots than fit into this are read from their own files.
const MAX_BYTES: u64 = 256 << 20;
/// How much is left of a sentence that makes a status too long for its block, in characters.
const SHORTENED: usize = 300;

/// What block 0 says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    format: u32,
    /// The socket of the supervisor that writes here: inode, and seconds and nanoseconds of its birth.
    control: (u64, i64, i64),
}

/// The block of a slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// 0: it has none.
    block: u32,
    sequence: u64,
}

/// What blocks say.
type Known = BTreeMap<Slot, (Status, Place)>;

/// What the slots of a service directory are doing, for whoever reads it.
#[derive(Debug)]
pub struct Statuses {
    service: PathBuf,
    known: Known,
    blocks: u32,
}

impl Statuses {
    /// Those of a service directory.
    pub fn of(service: &Path) -> Self {
        let (known, blocks) = read(service).unwrap_or_default();
        Self { service: service.to_owned(), known, blocks }
    }

    /// Whether `state` could be read, and is not out of date.
    #[must_use]
    pub fn are_in_one_file(&self) -> bool {
        self.blocks > 0
    }

    /// The status of the run that fills a slot, or filled it last; `None` if none was ever written. What `state` does not say is
    /// read from the slot's own file.
    ///
    /// # Errors
    /// That file cannot be read, makes no sense, or is of a later format.
    pub fn read(&self, slot: &Slot) -> Result<Option<Status>, Error> {
        match self.known.get(slot) {
            Some((status, _)) => Ok(Some(status.clone())),
            None => Status::read(&self.service.join(slot.to_string())),
        }
    }

    /// Every run of a slot that may live: the one that [`Statuses::read`] tells of comes first.
    ///
    /// # Errors
    /// As for [`Statuses::read`].
    pub fn read_all(&self, slot: &Slot) -> Result<Vec<Status>, Error> {
        let Some(current) = self.read(slot)? else { return Ok(Vec::new()) };
        Ok(current.with_others(&self.service.join(slot.to_string())))
    }
}

/// The file, as the one supervisor that writes it knows it.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// `None`: it could not be made, or not be written.
    file: Option<File>,
    /// How many blocks it has.
    blocks: u32,
    free: Vec<u32>,
    /// What an earlier supervisor left, until the slots' seats are opened.
    left: Known,
}

impl State {
    /// Goes on with what `left` says, which was read before the socket that lies in the service directory was made.
    pub(crate) fn begin(service: &Path, left: Statuses) -> Self {
        let mut state = Self { file: None, blocks: left.blocks, free: Vec::new(), left: left.known };
        let begun =
            open(service, state.blocks > 0).and_then(|file| state.write_head(service, &file).map(|()| file));
        match begun {
            Ok(file) => state.file = Some(file),
            Err(_) => give_up(service),
        }
        let used: Vec<u32> = state.left.values().map(|(_, place)| place.block).collect();
        state.free = (1..state.blocks).filter(|block| !used.contains(block)).collect();
        state
    }

    fn write_head(&mut self, service: &Path, file: &File) -> io::Result<()> {
        let head = Head { format: FORMAT, control: birth(service)? };
        let before = read_block(file, 0).and_then(|block| newest(&block).map(|(sequence, _)| sequence));
        self.blocks = self.blocks.max(1);
        allocate(file, self.blocks)?;
        let json = serde_json::to_vec(&head).expect("numbers are plain data");
        write_cell(file, 0, before.unwrap_or(0) + 1, &json)
    }

    /// What an earlier supervisor left of a slot.
    pub(crate) fn take_left(&mut self, slot: &Slot) -> Option<(Status, Place)> {
        self.left.remove(slot)
    }

    /// The slots that an earlier supervisor left, and that have no seat yet.
    pub(crate) fn slots_left(&self) -> Vec<Slot> {
        self.left.keys().cloned().collect()
    }

    /// Sees to it that so many slots have room. Where that fails, those that have none are written to their own files alone.
    pub(crate) fn reserve(&mut self, slots: usize) {
        let Some(file) = &self.file else { return };
        let blocks = u32::try_from(slots).unwrap_or(u32::MAX - 1).saturating_add(1);
        if blocks > self.blocks && allocate(file, blocks).is_ok() {
            self.free.extend(self.blocks..blocks);
            self.blocks = blocks;
        }
    }

    /// Writes the status of a slot into its block. Whether it stands there.
    pub(crate) fn write(&mut self, service: &Path, place: &mut Place, status: &Status) -> bool {
        let Some(file) = &self.file else { return false };
        if place.block == 0 {
            let Some(block) = self.free.pop() else { return false };
            *place = Place { block, sequence: last(file, block) };
        }
        let text = text(status);
        let is_whole = text.is_some();
        let written = self.put(place, &text.unwrap_or_default());
        if written.is_err() {
            // What stands there is not so any more.
            self.file = None;
            give_up(service);
        }
        is_whole && written.is_ok()
    }

    /// The slot is nobody's any more.
    pub(crate) fn erase(&mut self, service: &Path, place: &mut Place) {
        if place.block == 0 {
            return;
        }
        if self.put(place, &[]).is_err() {
            self.file = None;
            give_up(service);
        }
        self.free.push(std::mem::take(place).block);
    }

    fn put(&self, place: &mut Place, text: &[u8]) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        place.sequence += 1;
        write_cell(file, place.block, place.sequence, text)
    }

    /// Whether the file that is written is the one that lies there.
    pub(crate) fn is_in_place(&self, service: &Path) -> bool {
        let Some(ours) = self.file.as_ref().and_then(|file| file.metadata().ok()) else { return true };
        let there = service.join(FILE).symlink_metadata();
        there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
    }
}

/// What the blocks of a service directory say, and how many there are; `None` if that is not so any more, or makes no sense.
fn read(service: &Path) -> Option<(Known, u32)> {
    let bytes = durable::state(&service.join(FILE), MAX_BYTES).ok()?;
    let blocks = bytes.chunks_exact(BLOCK);
    let count = u32::try_from(blocks.len()).ok()?;
    let mut newest = (0..count).zip(blocks).filter_map(|(block, bytes)| Some((block, newest(bytes)?)));
    let (_, (_, head)) = newest.next().filter(|(block, _)| *block == 0)?;
    let head: Head = serde_json::from_slice(head).ok()?;
    if head.format > FORMAT || head.control != birth(service).ok()? {
        return None;
    }
    let status = |(block, (sequence, text)): (u32, (u64, &[u8]))| {
        let status: Status = serde_json::from_slice(text).ok()?;
        Some((status.slot.clone(), (status, Place { block, sequence })))
    };
    Some((newest.filter_map(status).collect(), count))
}

/// Whose socket that is: every supervisor makes its own.
fn birth(service: &Path) -> io::Result<(u64, i64, i64)> {
    let control = service.join(CONTROL_SOCKET).symlink_metadata()?;
    Ok((control.ino(), control.mtime(), control.mtime_nsec()))
}

/// The file, empty unless `goes_on`.
fn open(service: &Path, goes_on: bool) -> io::Result<File> {
    if !goes_on {
        give_up(service);
    }
    let path = service.join(FILE);
    OpenOptions::new().read(true).write(true).create_new(!goes_on).mode(0o600).open(path)
}

/// Whoever reads has to do with the files of the slots. To remove a file needs no room.
fn give_up(service: &Path) {
    let path = service.join(FILE);
    let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
}

fn allocate(file: &File, blocks: u32) -> io::Result<()> {
    let bytes = u64::from(blocks) * BLOCK as u64;
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
        // A file system that allocates nothing beforehand: on a full disk the slots' own files say no more either.
        Err(Errno::OPNOTSUPP) => file.set_len(bytes.max(file.metadata()?.len())),
        allocated => Ok(allocated?),
    }
}

fn read_block(file: &File, block: u32) -> Option<Vec<u8>> {
    let mut bytes = vec![0; BLOCK];
    file.read_exact_at(&mut bytes, u64::from(block) * BLOCK as u64).ok()?;
    Some(bytes)
}

/// The number of what a block said last.
fn last(file: &File, block: u32) -> u64 {
    read_block(file, block).and_then(|bytes| newest(&bytes).map(|(sequence, _)| sequence)).unwrap_or(0)
}

fn write_cell(file: &File, block: u32, sequence: u64, text: &[u8]) -> io::Result<()> {
    let offset = u64::from(block) * BLOCK as u64 + sequence % 2 * CELL as u64;
    file.write_all_at(&cell(sequence, text), offset)
}

/// A status as it fits into a cell, its sentences shortened if need be; `None` if it does not fit even so.
fn text(status: &Status) -> Option<Vec<u8>> {
    let json = |status: &Status| serde_json::to_vec(status).expect("a status is plain data");
    let fits = |json: &Vec<u8>| json.len() <= cell::LONGEST_TEXT;
    let whole = Some(json(status)).filter(fits);
    whole.or_else(|| {
        let shortened =
            |text: &Option<String>| text.as_ref().map(|text| text.chars().take(SHORTENED).collect());
        let (reason, note) = (shortened(&status.reason), shortened(&status.note));
        Some(json(&Status { reason, note, ..status.clone() })).filter(fits)
    })
}

#[cfg(test)]
mod tests;
