//! Copies listening sockets of other processes (pidfd_getfd(2)). A socket that two processes have open stays open when one of them closes
//! it.

use std::fs::{self, DirEntry};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::{getsockname, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// A copy of the socket on which one of these processes listens at exactly this address. `None` if none of them does, or if this process may
/// not copy it: copying needs the right to trace the other process (ptrace(2)).
pub fn copy_listener(address: SocketAddr, pids: impl IntoIterator<Item = u32>) -> Option<OwnedFd> {
    let listens = |socket: &OwnedFd| {
        let own = getsockname(socket).ok().and_then(|own| SocketAddr::try_from(own).ok());
        sockopt::socket_acceptconn(socket).unwrap_or(false) && own == Some(address)
    };
    pids.into_iter().find_map(|pid| {
        let process = pidfd_open(Pid::from_raw(i32::try_from(pid).ok()?)?, PidfdFlags::empty()).ok()?;
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten().filter(is_socket);
        let mut numbers = descriptors.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers
            .find_map(|number| pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok().filter(listens))
    })
}

fn is_socket(descriptor: &DirEntry) -> bool {
    fs::read_link(descriptor.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::process::id;

    use super::*;

    #[test]
    fn a_copy_goes_on_listening_when_the_other_process_has_closed_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let elsewhere = SocketAddr::from(([0, 0, 0, 0], address.port()));
        assert!(copy_listener(elsewhere, [id()]).is_none(), "it listens at another address");
        assert!(copy_listener(address, []).is_none());
        let copy = copy_listener(address, [id()]).expect("it listens");
        drop(listener);
        TcpStream::connect(address).expect("somebody listens");
        drop(copy);
        assert!(copy_listener(address, [id()]).is_none());
    }
}
