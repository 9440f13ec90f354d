//! Whose turn it is to have a cluster: tests of all programs of this machine take turns, as many at a time as it can bear.

use std::fs::File;
use std::sync::mpsc::channel;
use std::thread;

use rustix::fs::{FlockOperation, flock};

/// The names of the clusters of the tests, each with the directory that is locked for it; a cluster that somebody looks at by hand has another
/// name. Every test program of the machine sees these directories, whatever its own place for files is, and nothing has to be left in them.
const PLACES: [(&str, &str); 3] = [("test", "/run"), ("test2", "/dev"), ("test3", "/var")];

/// The right to have the cluster of a name, for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) name: &'static str,
    _lock: File,
}

impl Turn {
    /// Waits until one of the names is free.
    pub(crate) fn wait() -> Self {
        let (free, turns) = channel();
        for (name, directory) in PLACES {
            let free = free.clone();
            thread::spawn(move || {
                let lock = File::open(directory).expect("every machine has it");
                flock(&lock, FlockOperation::LockExclusive).expect("a directory can be locked");
                // Where another name was free before, nobody takes this one: the lock ends with its file.
                let _ = free.send(Self { name, _lock: lock });
            });
        }
        turns.recv().expect("a name that is locked is free some time")
    }
}
