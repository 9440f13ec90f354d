//! A path that is not a regular file is refused at once; a path that a person names may be a pipe.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use durable::ReadError;
use rustix::fs::{CWD, Mode};

const MAX: u64 = 1000;

fn fifo(path: &Path) {
    rustix::fs::mkfifoat(CWD, path, Mode::from_raw_mode(0o600)).expect("a FIFO");
}

/// The result of a read as text. The read must return at once.
fn said(read: impl FnOnce() -> Result<Vec<u8>, ReadError>) -> String {
    let began = Instant::now();
    let answer = read().map(|bytes| format!("{} bytes", bytes.len()));
    assert!(began.elapsed() < Duration::from_secs(3), "it took {:?}", began.elapsed());
    answer.unwrap_or_else(|error| error.to_string())
}

#[test]
fn what_is_no_file_is_told_at_once() {
    let place = tempfile::tempdir().expect("a directory");
    let at = |name: &str| place.path().join(name);
    fs::write(at("file"), "A=1\n").expect("a file");
    fs::write(at("large"), vec![b'x'; 1001]).expect("a file");
    fs::create_dir(at("directory")).expect("a directory");
    fifo(&at("fifo"));
    let _socket = UnixListener::bind(at("socket")).expect("a socket");
    for (link, to) in
        [("to-fifo", "fifo"), ("to-file", "file"), ("to-device", "/dev/zero"), ("round", "round")]
    {
        symlink(to, at(link)).expect("a link");
    }
    for (name, input, state) in [
        ("file", "4 bytes", "4 bytes"),
        ("large", "is larger than 1 KiB", "is larger than 1 KiB"),
        ("gone", "no such file", "no such file"),
        ("directory", "is not a file but a directory", "is not a file but a directory"),
        ("fifo", "is not a file but a FIFO", "is not a file but a FIFO"),
        ("socket", "is not a file but a socket", "is not a file but a socket"),
        ("to-fifo", "is not a file but a FIFO", "is a symbolic link"),
        ("to-file", "4 bytes", "is a symbolic link"),
        ("to-device", "is not a file but a device", "is a symbolic link"),
        ("round", "is a symbolic link that leads to itself", "is a symbolic link"),
    ] {
        assert_eq!(said(|| durable::input(&at(name), MAX)), input, "{name} as input");
        assert_eq!(said(|| durable::state(&at(name), MAX)), state, "{name} as state");
    }
    assert_eq!(said(|| durable::state(Path::new("/dev/zero"), MAX)), "is not a file but a device");
    // Files of /proc have the length 0.
    assert!(durable::input(Path::new("/proc/self/status"), 1 << 20).expect("readable").len() > 100);
}

#[test]
fn what_is_named_may_be_a_pipe_and_reading_it_can_be_stopped() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("fifo");
    fifo(&path);
    let writer = {
        let path = path.clone();
        thread::spawn(move || fs::write(path, "A=1\n"))
    };
    assert_eq!(durable::argument(&path, MAX, &|| false).expect("bytes"), b"A=1\n");
    writer.join().expect("no panic").expect("written");

    let began = Instant::now();
    let stop = || began.elapsed() > Duration::from_millis(100);
    assert_eq!(said(|| durable::argument(&path, MAX, &stop)), "interrupted");
    assert_eq!(said(|| durable::argument(Path::new("/dev/zero"), MAX, &|| false)), "is larger than 1 KiB");
    assert_eq!(said(|| durable::argument(Path::new("/dev/null"), MAX, &|| false)), "0 bytes");
    assert_eq!(said(|| durable::argument(place.path(), MAX, &|| false)), "is not a file but a directory");
}

#[test]
fn a_fifo_that_nobody_writes_to_is_not_waited_for_for_ever() {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("fifo");
    fifo(&path);
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        send.send(durable::argument(&path, MAX, &|| false).map_err(|error| error.to_string()))
    });
    let answer = receive.recv_timeout(Duration::from_secs(60)).expect("an answer within a minute");
    assert_eq!(answer, Err("did not answer within 10 s".to_owned()));
}
