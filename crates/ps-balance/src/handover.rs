//! What a program that is replaced passes on to the next one: descriptors, and a description of them and of the bytes
//! in transit. The description is in anonymous memory (memfd): a line of JSON, and the bytes that it refers to.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, bail, ensure};
use balance::Options;
use rustix::fs::{MemfdFlags, SeekFrom};
use serde::{Deserialize, Serialize};

use crate::balancer::Carried;
use crate::carried::CarriedConnection;
use crate::talk::{CarriedControl, CarriedControls};

/// The format of the description. A program refuses to replace itself by one that reads another format.
pub(crate) const FORMAT: u32 = 1;

/// What the descriptors are. They come in the order of the fields; a connection has that of its client, and then that of its backend.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) format: u32,
    pub(crate) carried: Carried,
    pub(crate) listeners: usize,
    /// How connections are handed on; the command line says it where it is absent.
    #[serde(default)]
    pub(crate) options: Option<Options>,
    pub(crate) has_control: bool,
    pub(crate) controls: Vec<CarriedControl>,
    pub(crate) told: CarriedControls,
    pub(crate) connections: Vec<CarriedConnection>,
}

/// Puts the description and the descriptors into a socket, from which the next program takes them: the other end.
pub(crate) fn pack(description: &Description, residues: &[u8], fds: &[BorrowedFd<'_>]) -> Result<UnixStream> {
    let memory = rustix::fs::memfd_create("ps-balance", MemfdFlags::CLOEXEC).context("describe them")?;
    let mut file = File::from(memory);
    serde_json::to_writer(&mut file, description).context("describe them")?;
    file.write_all(b"\n").and_then(|()| file.write_all(residues)).context("describe them")?;
    rustix::fs::seek(&file, SeekFrom::Start(0)).context("describe them")?;
    let (here, there) = UnixStream::pair().context("make a pair of sockets")?;
    // The next program reads it only once this one is gone: what does not fit now never will.
    here.set_nonblocking(true).context("make a pair of sockets")?;
    let memory = [std::os::fd::AsFd::as_fd(&file)];
    for part in memory.chunks(1).chain(fds.chunks(passed_fds::MOST)) {
        let sent = passed_fds::send(&here, b"x", part).context("queue them in a socket")?;
        ensure!(sent == 1, "queue them in a socket");
    }
    Ok(there)
}

/// What was taken out of the socket, beside the description.
#[derive(Debug)]
pub(crate) struct Unpacked {
    fds: std::vec::IntoIter<OwnedFd>,
    residues: BufReader<File>,
}

/// Takes the description and the descriptors out of the socket.
pub(crate) fn unpack(socket: BorrowedFd<'_>) -> Result<(Description, Unpacked)> {
    let mut fds = Vec::new();
    loop {
        let received = passed_fds::receive(socket, &mut [0; 1]).context("receive descriptors")?;
        if received.bytes == 0 {
            break;
        }
        fds.extend(received.fds);
    }
    let mut fds = fds.into_iter();
    let Some(memory) = fds.next() else { bail!("no descriptor was handed over") };
    let mut residues = BufReader::new(File::from(memory));
    let mut line = Vec::new();
    residues.read_until(b'\n', &mut line).context("read their description")?;
    let description: Description = serde_json::from_slice(&line).context("read their description")?;
    ensure!(description.format == FORMAT, "their description is in format {}", description.format);
    Ok((description, Unpacked { fds, residues }))
}

impl Unpacked {
    /// The next descriptor, as what it is.
    pub(crate) fn next<T: From<OwnedFd>>(&mut self) -> Result<T> {
        self.fds.next().map(T::from).context("fewer descriptors were handed over than described")
    }

    /// The next bytes that were on their way.
    pub(crate) fn residue(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut residue = vec![0; count];
        self.residues.read_exact(&mut residue)?;
        Ok(residue)
    }
}
