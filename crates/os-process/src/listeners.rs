//! The TCP ports that are listened on, and the processes that listen. `/proc/net/tcp*` lists the sockets, and the
//! descriptors of a process show which sockets it has. No connection is made, so no program notices the check.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};

/// The state of a listening socket in the table.
const LISTENS: &str = "0A";

/// A listening socket, on any address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) port: u16,
    pub(crate) uid: u32,
    pub(crate) inode: u64,
}

/// The listening sockets of this machine, as of the last reading.
#[derive(Debug, Default)]
pub struct Listeners(Option<Vec<Listener>>);

/// Which process listens on a port, compared with a set of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listens {
    /// Nobody.
    Nobody,
    /// One of these processes.
    Own,
    /// Perhaps one of these processes: the descriptors of some of them may not be read.
    Unknown,
    /// Another process.
    Other,
}

impl Listeners {
    /// Discards the table of sockets, so that the next question reads it again.
    pub fn forget(&mut self) {
        self.0 = None;
    }

    /// Whether the table has been read since [`Listeners::forget`].
    pub fn is_read(&self) -> bool {
        self.0.is_some()
    }

    /// Who listens on a port. The processes are examined one by one, until one has the socket.
    pub fn on(&mut self, port: u16, pids: impl IntoIterator<Item = u32>) -> Listens {
        let of_port = self.all().iter().filter(|listener| listener.port == port);
        let inodes: Vec<u64> = of_port.map(|listener| listener.inode).collect();
        if inodes.is_empty() {
            return Listens::Nobody;
        }
        let mut found = Listens::Other;
        for pid in pids {
            match sockets(pid).map(|mut sockets| sockets.any(|inode| inodes.contains(&inode))) {
                Ok(true) => return Listens::Own,
                Ok(false) => (),
                Err(_) => found = Listens::Unknown,
            }
        }
        found
    }

    /// The ports that these processes listen on.
    pub fn ports_of(&mut self, pids: impl IntoIterator<Item = u32>) -> BTreeSet<u16> {
        let inodes: BTreeSet<u64> = pids.into_iter().flat_map(sockets).flatten().collect();
        let own = self.all().iter().filter(|listener| inodes.contains(&listener.inode));
        own.map(|listener| listener.port).collect()
    }

    /// The ports on which two of these groups of processes listen by a socket of their own each (`SO_REUSEPORT`). A socket that several of them
    /// have does not count.
    pub fn ports_of_two(&mut self, groups: impl IntoIterator<Item = BTreeSet<u32>>) -> BTreeSet<u16> {
        let (mut taken, mut twice) = (BTreeMap::<u16, BTreeSet<u64>>::new(), BTreeSet::new());
        for pids in groups {
            let inodes: BTreeSet<u64> = pids.into_iter().flat_map(sockets).flatten().collect();
            let own = self.all().iter().filter(|listener| inodes.contains(&listener.inode));
            let mut ports = BTreeMap::<u16, BTreeSet<u64>>::new();
            for listener in own {
                ports.entry(listener.port).or_default().insert(listener.inode);
            }
            for (port, inodes) in ports {
                let others = taken.entry(port).or_default();
                if !others.is_empty() && others.is_disjoint(&inodes) {
                    twice.insert(port);
                }
                others.extend(inodes);
            }
        }
        twice
    }

    fn all(&mut self) -> &[Listener] {
        self.0.get_or_insert_with(all)
    }
}

/// How many connections wait at sockets of this port, on whatever address, because nobody has accepted them yet.
pub fn waiting_to_be_accepted(port: u16) -> u64 {
    lines()
        .filter(|line| listener(line).is_some_and(|listener| listener.port == port))
        .filter_map(|line| queue(&line))
        .sum()
}

/// How many connections wait at the listening socket of a line: the table says it where it has the bytes to be read of a connection.
fn queue(line: &str) -> Option<u64> {
    let (_, waiting) = line.split_ascii_whitespace().nth(4)?.split_once(':')?;
    u64::from_str_radix(waiting, 16).ok()
}

/// The listening sockets as of now.
pub(crate) fn all() -> Vec<Listener> {
    lines().filter_map(|line| listener(&line)).collect()
}

/// The lines of the tables of all TCP sockets.
fn lines() -> impl Iterator<Item = String> {
    let tables = ["tcp", "tcp6"].into_iter().filter_map(|name| File::open(format!("/proc/net/{name}")).ok());
    // A table also has a line for each connection, so it is not read as a whole.
    tables.flat_map(|table| BufReader::new(table).lines().skip(1).map_while(Result::ok))
}

/// The socket of a line of the table, if it listens (proc(5), net/tcp).
fn listener(line: &str) -> Option<Listener> {
    let mut fields = line.split_ascii_whitespace();
    let (_, port) = fields.nth(1)?.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    fields.nth(1).filter(|state| *state == LISTENS)?;
    Some(Listener { port, uid: fields.nth(3)?.parse().ok()?, inode: fields.nth(1)?.parse().ok()? })
}

/// The inodes of the sockets of a process; empty if the process has ended, an error if its descriptors may not be
/// read.
fn sockets(pid: u32) -> io::Result<impl Iterator<Item = u64>> {
    let descriptors = match fs::read_dir(format!("/proc/{pid}/fd")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        descriptors => descriptors.ok(),
    };
    let links =
        descriptors.into_iter().flatten().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    Ok(links.filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::process::{Command, id};

    use super::*;

    #[test]
    fn a_port_is_listened_on_as_long_as_somebody_does_and_what_was_read_stays_until_it_is_forgotten() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let port = listener.local_addr().expect("bound").port();
            let mut listeners = Listeners::default();
            assert!(!listeners.is_read());
            assert_eq!(listeners.on(port, [id()]), Listens::Own, "{address}");
            assert!(listeners.is_read());
            drop(listener);
            assert_eq!(listeners.on(port, []), Listens::Other, "{address}");
            // A child that another test is just starting may still have a copy of the socket.
            let is_free = (0..1000).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                listeners.forget();
                listeners.on(port, [id()]) == Listens::Nobody
            });
            assert!(is_free, "{address}");
        }
    }

    #[test]
    fn a_port_belongs_to_whoever_has_its_socket_and_to_nobody_else() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let mut stranger = Command::new("sleep").arg("600").spawn().expect("it runs");
        let mut listeners = Listeners::default();
        assert_eq!(listeners.on(port, [stranger.id()]), Listens::Other);
        assert_eq!(listeners.on(port, [stranger.id(), id()]), Listens::Own);
        assert!(listeners.ports_of([id()]).contains(&port));
        assert_eq!(listeners.ports_of([stranger.id()]), BTreeSet::new());
        stranger.kill().and_then(|()| stranger.wait()).expect("it ends");
        assert_eq!(listeners.on(port, [stranger.id()]), Listens::Other, "who has ended has no descriptors");
    }

    #[test]
    fn a_port_is_of_two_only_where_each_has_a_socket_of_its_own() {
        let script = "import socket, sys, time\n\
            held = socket.create_server(('127.0.0.1', int(sys.argv[1])), reuse_port=True)\n\
            print(held.getsockname()[1], flush=True)\ntime.sleep(600)\n";
        let listen = |port: u16| {
            let mut command = Command::new("python3");
            command.args(["-c", script, &port.to_string()]).stdout(std::process::Stdio::piped());
            let mut child = command.spawn().expect("python3 runs");
            let mut line = String::new();
            let output = child.stdout.take().expect("a pipe");
            BufReader::new(output).read_line(&mut line).expect("a port");
            (child, line.trim().parse::<u16>().expect("a port"))
        };
        let (mut one, port) = listen(0);
        let (mut two, same) = listen(port);
        assert_eq!(port, same);
        let group = |pid: u32| BTreeSet::from([pid]);
        let of = |groups: [BTreeSet<u32>; 2]| Listeners::default().ports_of_two(groups);
        assert_eq!(of([group(one.id()), group(two.id())]), BTreeSet::from([port]));
        assert_eq!(of([group(one.id()), group(one.id())]), BTreeSet::new(), "it is the same socket");
        for child in [&mut one, &mut two] {
            child.kill().and_then(|()| child.wait()).expect("it ends");
        }
    }

    #[test]
    fn who_connects_waits_until_somebody_accepts() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        assert_eq!(waiting_to_be_accepted(address.port()), 0);
        let clients = [0; 3].map(|_| std::net::TcpStream::connect(address).expect("it is listened on"));
        assert_eq!(waiting_to_be_accepted(address.port()), 3);
        let _accepted = listener.accept().expect("they wait");
        assert_eq!((waiting_to_be_accepted(address.port()), clients.len()), (2, 3));
    }

    #[test]
    fn a_line_of_the_table_is_a_socket_that_listens_or_nothing() {
        let line = "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A \
                    00000000:00000000 00:00000000 00000000    33        0 12345 1 0000000000000000 100 0 0 10 0";
        assert_eq!(listener(line), Some(Listener { port: 8080, uid: 33, inode: 12_345 }));
        for other in [line.replace(" 0A ", " 01 "), line[..90].to_owned(), String::new()] {
            assert_eq!(listener(&other), None, "{other:?}");
        }
    }
}
