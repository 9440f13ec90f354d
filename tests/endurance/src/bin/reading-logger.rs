//! A logger as one would write it first: it reads, then writes. What it has read and not yet written is lost with it. The
//! harness must catch it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let mut names = std::env::args_os().skip(1);
    let mut name = || names.next().ok_or(io::ErrorKind::InvalidInput);
    let mut fifo = File::open(name()?)?;
    let mut log = OpenOptions::new().append(true).create(true).open(name()?)?;
    let mut block = vec![0; 64 * 1024];
    loop {
        let read = fifo.read(&mut block)?;
        log.write_all(&block[..read])?;
    }
}
