//! `state`: the status of every slot of an app in one file, which is read in one go however many slots there are. It stays
//! true on a full disk, because each slot's block is allocated in advance and written in place. `<slot>/status.json` says
//! the same for people and for earlier versions; where the two differ, `state` is right.
//!
//! ```text
//! block 0       which supervisor writes here: the one that made the socket `control`
//! block n       one slot: two cells, which are written in turn
//! cell          its number in the series, the length of the text, a checksum of both and of the text; then the text, JSON
//! ```
//!
//! If the writer dies while it writes a cell, the checksum is wrong, and the other cell, which was written before, counts.
//! A block whose text is empty is free. The socket in block 0 shows whether another supervisor has run since: supervisors
//! of the first format write no `state`, so after one of them the file is out of date.

mod cell;
pub(crate) mod head;
mod outdated;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use durable::OpenDirectory;
use formation::Slot;
use os_process::{Activity, ProcessId};
use rustix::buffer::spare_capacity;
use rustix::fs::FallocateFlags;
use rustix::io::{Errno, retry_on_intr};

use crate::socket::CONTROL_SOCKET;
use crate::status::Status;
use crate::{Error, copied};
use cell::{BLOCK, CELL, cell, newest, read_block};
use head::{Birth, FILE, Head, birth, up_to_date};
use outdated::Outdated;

/// The largest file that is read. More slots than fit into it are read from their own files.
const MAX_BYTES: u64 = 256 << 20;
/// How much is read at once: all of an app of a few instances.
const PORTION: usize = 8 * BLOCK;
/// The length to which a long sentence in a status is cut so that the status fits into its block, in characters.
const SHORTENED: usize = 300;

/// Where a slot's status is in the file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The number of the block; 0: the slot has none.
    block: u32,
    sequence: u64,
}

/// The statuses in the blocks.
/// In a box: a map of one allocates room for eleven.
type Known = BTreeMap<Slot, (Box<Status>, Place)>;

/// The statuses of the slots of a service directory, for readers.
#[derive(Debug)]
pub struct Statuses {
    service: PathBuf,
    found: Found,
    /// The directory that this one is a copy of: what ran there is none of it.
    original: Option<PathBuf>,
}

/// What is in the file.
#[derive(Debug, Default)]
struct Found {
    known: Known,
    /// 0: the file could not be read, or is out of date.
    blocks: u32,
    /// Who writes it.
    supervisor: Option<ProcessId>,
    control: Birth,
    /// In which directory it was written.
    directory: Option<String>,
    /// Whether its writer cannot write it any more, and could not remove it either.
    is_outdated: bool,
}

impl Statuses {
    /// Reads the statuses of a service directory.
    pub fn of(service: &Path) -> Self {
        Self::read_by(service, || {
            let file = durable::open(&service.join(FILE)).ok()?;
            read(&file, || birth(service))
        })
    }

    /// The same, for a service directory that was opened.
    pub fn within(opened: &OpenDirectory, service: &Path) -> Self {
        Self::read_by(service, || {
            let file = opened.file(FILE).ok()?;
            read(&file, || {
                let control = opened.stat(CONTROL_SOCKET)?;
                Ok((control.st_ino, control.st_mtime, i64::try_from(control.st_mtime_nsec).unwrap_or(0)))
            })
        })
    }

    fn read_by(service: &Path, read: impl FnOnce() -> Option<Found>) -> Self {
        let found = read().unwrap_or_default();
        let is_own = found.directory.as_deref().is_some_and(|directory| Path::new(directory) == service);
        let original = if is_own { None } else { copied::original(service) };
        let found = if original.is_some() { Found::default() } else { found };
        Self { service: service.to_owned(), found, original }
    }

    /// The service directory that this one is a copy of, and whose supervisor keeps what the files say to run.
    #[must_use]
    pub fn original(&self) -> Option<&Path> {
        self.original.as_deref()
    }

    /// Whether `state` could be read and is up to date.
    #[must_use]
    pub fn are_in_one_file(&self) -> bool {
        self.found.blocks > 0
    }

    /// Whether the supervisor knows more than is in the files, because it can write neither: the disk takes no change.
    #[must_use]
    pub fn are_outdated(&self) -> bool {
        self.found.is_outdated
    }

    /// The same statuses, with these in the place of those of the files.
    #[must_use]
    pub fn with(mut self, told: Vec<Status>) -> Self {
        let told = told.into_iter().map(|status| (status.slot.clone(), (Box::new(status), Place::default())));
        self.found.known.extend(told);
        self
    }

    /// Whether the supervisor that wrote `state` lives and is not stopped. It sees each end of a process at once, so the processes that
    /// it reports as alive need not be checked one by one.
    #[must_use]
    pub fn are_kept_true(&self) -> bool {
        let supervisor = self.found.supervisor.as_ref().and_then(ProcessId::stat);
        !self.found.is_outdated && supervisor.is_some_and(|stat| stat.activity != Activity::IsStopped)
    }

    /// Whether the supervisor that wrote `state` lives, stopped or not.
    #[must_use]
    pub fn have_a_supervisor(&self) -> bool {
        self.found.supervisor.as_ref().and_then(ProcessId::stat).is_some()
    }

    /// The pid of that supervisor, if it lives and is stopped by a signal.
    #[must_use]
    pub fn stopped_supervisor(&self) -> Option<u32> {
        let supervisor = self.found.supervisor.as_ref()?;
        supervisor.stat().filter(|stat| stat.activity == Activity::IsStopped).map(|_| supervisor.pid)
    }

    /// The status of the run that fills a slot, or filled it last; `None` if none was ever written. A slot that is not in
    /// `state` is read from its own file.
    ///
    /// # Errors
    /// That file cannot be read, makes no sense, or is of a later format.
    pub fn read(&self, slot: &Slot) -> Result<Option<Cow<'_, Status>>, Error> {
        if let Some((status, _)) = self.found.known.get(slot) {
            return Ok(Some(Cow::Borrowed(status)));
        }
        let status = Status::read(&self.service.join(slot.to_string()))?;
        let is_copy = self.original.is_some();
        Ok(status.map(|status| Cow::Owned(if is_copy { status.of_a_copy() } else { status })))
    }

    /// The statuses of all runs of a slot that may live; that of [`Statuses::read`] comes first.
    ///
    /// # Errors
    /// As for [`Statuses::read`].
    pub fn read_all(&self, slot: &Slot) -> Result<Vec<Status>, Error> {
        let Some(current) = self.read(slot)? else { return Ok(Vec::new()) };
        if self.original.is_some() {
            return Ok(vec![current.into_owned()]);
        }
        Ok(current.into_owned().with_others(&self.service.join(slot.to_string())))
    }
}

/// The file, for the one supervisor that writes it.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// `None`: it could not be made or written.
    file: Option<File>,
    /// How many blocks it has.
    blocks: u32,
    free: Vec<Place>,
    /// The statuses that an earlier supervisor wrote, until the seats of their slots are opened.
    left: Known,
    /// Whether block 0 says that what is in the file is as this supervisor has seen it.
    is_vouched_for: bool,
    /// The file that could be neither written nor removed, locked: readers see by the lock that it is out of date.
    outdated: Option<Outdated>,
}

impl State {
    /// Continues the file. `left` was read before this supervisor made its socket; afterwards it would count as out of date.
    pub(crate) fn begin(service: &Path, left: Statuses) -> Self {
        let Found { known, blocks, supervisor, control, directory, .. } = left.found;
        // This process wrote it itself, before it executed its program once more, and handed its socket on.
        let is_own = supervisor.is_some_and(|writer| ProcessId::of(std::process::id()) == Some(writer))
            && birth(service).is_ok_and(|now| now == control);
        let is_vouched_for = is_own || known.is_empty();
        let is_complete = is_own && directory.is_some();
        let mut state = Self { blocks, left: known, is_vouched_for, ..Self::default() };
        let begun = open(service, blocks > 0);
        match begun.and_then(|file| if is_complete { Ok(file) } else { state.write_head(service, file) }) {
            Ok(file) => state.file = Some(file),
            Err(_) => state.give_up(service),
        }
        if let Some(file) = &state.file {
            let used: Vec<u32> = state.left.values().map(|(_, place)| place.block).collect();
            let free = (1..state.blocks).filter(|block| !used.contains(block));
            state.free = free.map(|block| Place { block, sequence: last(file, block) }).collect();
        }
        state
    }

    fn write_head(&mut self, service: &Path, file: File) -> io::Result<File> {
        let supervisor = self.is_vouched_for.then(|| ProcessId::of(std::process::id())).flatten();
        let head = Head::of(service, &file, supervisor)?;
        self.blocks = self.blocks.max(1);
        allocate(&file, self.blocks)?;
        let json = serde_json::to_vec(&head).expect("numbers are plain data");
        write_cell(&file, 0, last(&file, 0) + 1, &json)?;
        Ok(file)
    }

    /// Says that this supervisor has looked at all that an earlier one left, and has written what has become of it.
    pub(crate) fn vouch(&mut self, service: &Path) {
        if self.is_vouched_for {
            return;
        }
        self.is_vouched_for = true;
        let written = self.file.take().map(|file| self.write_head(service, file));
        match written {
            Some(Ok(file)) => self.file = Some(file),
            Some(Err(_)) => self.give_up(service),
            None => (),
        }
    }

    /// Takes the status that an earlier supervisor wrote for a slot.
    pub(crate) fn take_left(&mut self, slot: &Slot) -> Option<(Box<Status>, Place)> {
        let left = self.left.remove(slot);
        if self.left.is_empty() {
            // An empty map keeps the room of eleven.
            self.left = Known::new();
        }
        left
    }

    /// The slots with a status of an earlier supervisor whose seats are not open yet.
    pub(crate) fn slots_left(&self) -> Vec<Slot> {
        self.left.keys().cloned().collect()
    }

    /// Allocates blocks for this many slots. If that fails, slots without a block have only their own files.
    pub(crate) fn reserve(&mut self, slots: usize) {
        let Some(file) = &self.file else { return };
        let blocks = u32::try_from(slots).unwrap_or(u32::MAX - 1).saturating_add(1);
        if blocks > self.blocks && allocate(file, blocks).is_ok() {
            // What is added holds nothing, so nothing has to be read of it.
            self.free.extend((self.blocks..blocks).map(|block| Place { block, sequence: 0 }));
            self.blocks = blocks;
        }
    }

    /// Writes the status of a slot into its block. Whether it could be written there.
    pub(crate) fn write(&mut self, service: &Path, place: &mut Place, status: &Status) -> bool {
        if self.file.is_none() {
            if self.outdated.is_some() {
                self.give_up(service);
            }
            return false;
        }
        if place.block == 0 {
            let Some(free) = self.free.pop() else { return false };
            *place = free;
        }
        let text = text(status);
        let is_whole = text.is_some();
        let written = self.put(place, &text.unwrap_or_default());
        if written.is_err() {
            // The block now holds an outdated status, so the file is removed.
            self.give_up(service);
        }
        is_whole && written.is_ok()
    }

    /// Does without the file, which is removed. Where even that cannot be done it is locked, and the next status tries again.
    fn give_up(&mut self, service: &Path) {
        self.file = None;
        remove(service);
        self.outdated = Outdated::lock(&service.join(FILE));
    }

    /// Frees the block of a slot.
    pub(crate) fn erase(&mut self, service: &Path, place: &mut Place) {
        if place.block == 0 {
            return;
        }
        if self.put(place, &[]).is_err() {
            self.give_up(service);
        }
        self.free.push(std::mem::take(place));
    }

    fn put(&self, place: &mut Place, text: &[u8]) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        place.sequence += 1;
        write_cell(file, place.block, place.sequence, text)
    }

    /// Whether the open file is still the one in the service directory.
    pub(crate) fn is_in_place(&self, service: &Path) -> bool {
        let Some(ours) = self.file.as_ref().and_then(|file| file.metadata().ok()) else { return true };
        let there = service.join(FILE).symlink_metadata();
        there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
    }
}

/// What is in the file; `None` if it is out of date or cannot be read. `control` says which socket there is.
fn read(file: &File, control: impl Fn() -> io::Result<Birth>) -> Option<Found> {
    let mut found = Found::default();
    // In portions: to get the memory for all of it would take longer than to read it.
    let mut portion = Vec::with_capacity(PORTION);
    loop {
        read_portion(file, found.blocks, &mut portion)?;
        for bytes in portion.chunks_exact(BLOCK) {
            let block = found.blocks;
            found.blocks += 1;
            match (block, newest(bytes)) {
                (0, head) => {
                    let head = up_to_date(file, head?.1, &control)?;
                    (found.supervisor, found.control, found.directory) =
                        (head.supervisor, head.control, head.directory);
                    found.is_outdated = outdated::is_locked(file);
                }
                (_, None) => (),
                (_, Some((sequence, text))) => {
                    let status: Option<Box<Status>> = serde_json::from_slice(text).ok();
                    let place = Place { block, sequence };
                    found.known.extend(status.map(|status| (status.slot.clone(), (status, place))));
                }
            }
        }
        if portion.len() < PORTION {
            return (found.blocks > 0).then_some(found);
        }
    }
}

/// Reads from a block on, at most one portion. `None` if it cannot be read, or is longer than is ever read.
fn read_portion(file: &File, block: u32, portion: &mut Vec<u8>) -> Option<()> {
    let offset = u64::from(block) * BLOCK as u64;
    if offset >= MAX_BYTES {
        return None;
    }
    portion.clear();
    // A file is read in one go up to its end, but for an interruption.
    while portion.len() < PORTION {
        let at = offset + portion.len() as u64;
        let read = retry_on_intr(|| rustix::io::pread(file, spare_capacity(portion), at)).ok()?;
        if read == 0 || portion.len().is_multiple_of(BLOCK) {
            break;
        }
    }
    Some(())
}

/// Opens the file: the existing one if `goes_on`, else a new one.
fn open(service: &Path, goes_on: bool) -> io::Result<File> {
    if !goes_on {
        remove(service);
    }
    let path = service.join(FILE);
    let file = OpenOptions::new().read(true).write(true).create_new(!goes_on).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    // A partial block at the end is cut off, so that a block that is added there does not begin with its bytes.
    if length % BLOCK as u64 != 0 {
        file.set_len(length / BLOCK as u64 * BLOCK as u64)?;
    }
    Ok(file)
}

/// Removes the file, so that readers use the files of the slots. Removing a file needs no room on the disk.
fn remove(service: &Path) {
    let path = service.join(FILE);
    let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
}

fn allocate(file: &File, blocks: u32) -> io::Result<()> {
    let bytes = u64::from(blocks) * BLOCK as u64;
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
        // The file system cannot allocate in advance. Then on a full disk `state` is no better than the slots' own files.
        Err(Errno::OPNOTSUPP) => file.set_len(bytes.max(file.metadata()?.len())),
        allocated => Ok(allocated?),
    }
}

/// The sequence number of the newest text in a block; 0: it holds none.
fn last(file: &File, block: u32) -> u64 {
    read_block(file, block).and_then(|bytes| newest(&bytes).map(|(sequence, _)| sequence)).unwrap_or(0)
}

fn write_cell(file: &File, block: u32, sequence: u64, text: &[u8]) -> io::Result<()> {
    let offset = u64::from(block) * BLOCK as u64 + sequence % 2 * CELL as u64;
    file.write_all_at(&cell(sequence, text), offset)
}

/// The text of a status that fits into a cell, with shortened sentences if necessary; `None` if it does not fit even then.
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
