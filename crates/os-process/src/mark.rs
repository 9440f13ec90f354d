//! The two marks that a process inherits and passes on to its children: an environment variable, and a number among its
//! resource limits.

use std::fs::{self, File};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The marks of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The value of the variable. A process that clears its environment loses it.
    pub marker: Option<String>,
    /// The soft limit of file locks, if it can be the tag of an instance, that is if bit 52 is set. Linux has ignored that
    /// limit since 2.4.25. `env -i`, a new session and a new parent leave it unchanged.
    pub tag: Option<u64>,
}

/// The tag of the instance with this marker, a number that is never set by accident. Its upper part depends on the service
/// directory alone, its lower part on the slot, so the processes of a removed service directory can be found.
pub(crate) fn tag(marker: &str) -> u64 {
    let (service, slot) = marker.rsplit_once('/').unwrap_or(("", marker));
    tag_of_service(service) | (hash(slot) & SLOT_BITS)
}

/// The part of a tag that all instances of a service directory share.
pub(crate) fn tag_of_service(service: &str) -> u64 {
    TAG_BIT | (hash(service) & (TAG_BIT - 1) & !SLOT_BITS)
}

/// The part of a tag that only the service directory determines.
pub(crate) fn service_of_tag(tag: u64) -> u64 {
    tag & !SLOT_BITS
}

/// Whether a tag belongs to the service directory with this part.
pub(crate) fn is_of_service(tag: u64, service: u64) -> bool {
    service_of_tag(tag) == service
}

/// The first size of the buffer: most environments are smaller, in bytes.
const ROOM: usize = 1 << 14;
const TAG_BIT: u64 = 1 << 52;
const SLOT_BITS: u64 = (1 << 16) - 1;

/// FNV-1a and not the hash of the standard library, because another version of this program must compute the same number.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Calls `start` while this process has the limit `tag`, so that processes it starts inherit it.
pub fn tagged<T>(tag: u64, start: impl FnOnce() -> T) -> T {
    let before = getrlimit(Resource::Locks);
    // If the limit cannot be set, the process can still be found by its other marks.
    let _ = setrlimit(Resource::Locks, Rlimit { current: Some(tag), ..before });
    let started = start();
    let _ = setrlimit(Resource::Locks, before);
    started
}

/// Reads the marks of many processes into one buffer that is allocated once: allocations of every size would leave holes
/// in the heap.
pub(crate) struct Reader<'a> {
    /// The environment variable that marks processes.
    variable: &'a str,
    /// The service directory whose marks are kept; `None`: all are.
    service: Option<&'a str>,
    buffer: Vec<u8>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(variable: &'a str, service: Option<&'a str>) -> Self {
        Self { variable, service, buffer: Vec::with_capacity(ROOM) }
    }

    /// The current marks of a process.
    pub(crate) fn marks(&mut self, pid: u32) -> Marks {
        let variable = self.variable.as_bytes();
        let value = |entry: &[u8]| {
            let value = entry.strip_prefix(variable)?.strip_prefix(b"=")?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        let is_meant = |marker: &String| {
            self.service.is_none_or(|service| marker.rsplit_once('/').is_some_and(|(of, _)| of == service))
        };
        let environment = read(&format!("/proc/{pid}/environ"), &mut self.buffer);
        let marker = environment.split(|byte| *byte == 0).find_map(value).filter(is_meant);
        let limits = String::from_utf8_lossy(read(&format!("/proc/{pid}/limits"), &mut self.buffer));
        let soft = limits.lines().find_map(|line| line.strip_prefix("Max file locks"));
        let soft = soft.and_then(|line| line.split_whitespace().next()?.parse().ok());
        let tag = soft.filter(|soft| (TAG_BIT..TAG_BIT * 2).contains(soft));
        let is_meant =
            |tag: &u64| self.service.is_none_or(|service| is_of_service(*tag, tag_of_service(service)));
        Marks { marker, tag: tag.filter(is_meant) }
    }
}

/// The content of a file of `/proc`, as far as it can be read.
pub(crate) fn read<'b>(path: &str, buffer: &'b mut Vec<u8>) -> &'b [u8] {
    buffer.clear();
    if let Ok(mut file) = File::open(path) {
        // `read_to_end` asks for the length of the file first, which the kernel does not know for files of `/proc`.
        loop {
            buffer.reserve(ROOM / 2);
            match rustix::io::read(&mut file, rustix::buffer::spare_capacity(buffer)) {
                Ok(1..) => (),
                Ok(0) | Err(_) => break,
            }
        }
    }
    buffer
}

/// The environment of a process: entries that each end with a NUL byte; `None` if it may not be read.
pub fn environment(pid: u32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/environ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLE: &str = "OS_PROCESS_TEST_MARK";

    #[test]
    fn a_tag_depends_on_the_directory_alone_and_is_told_from_a_limit_that_somebody_set() {
        assert_eq!(tag("/a/web.1"), tag("/a/web.1"));
        assert_ne!(tag("/a/web.1"), tag("/a/web.2"));
        assert!((TAG_BIT..2 * TAG_BIT).contains(&tag("")));
        assert!(is_of_service(tag("/a/web.1"), tag_of_service("/a")));
        assert!(!is_of_service(tag("/a/web.1"), tag_of_service("/b")));
    }

    #[test]
    fn whoever_clears_its_environment_keeps_its_tag() {
        let tag = tag("/some/web.1");
        let mut command = std::process::Command::new("env");
        command.args(["-i", "sleep", "100"]).env(VARIABLE, "/some/web.1");
        let mut child = tagged(tag, || command.spawn()).expect("env is there");
        let pid = child.id();
        let begin = std::time::Instant::now();
        // Until env has become sleep its environment is the old one; while it becomes that, it has none at all.
        let has_become =
            || fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep"));
        while !has_become() && begin.elapsed().as_secs() < 60 {
            std::thread::yield_now();
        }
        let found = Reader::new(VARIABLE, None).marks(pid);
        let [of_it, of_another] =
            ["/some", "/other"].map(|service| Reader::new(VARIABLE, Some(service)).marks(pid));
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert_eq!(found, Marks { marker: None, tag: Some(tag) });
        assert_eq!([of_it, of_another], [found, Marks::default()]);
    }
}
