//! Processes of an instance that run as another user: a setuid program, or one that sudo or su started. A supervisor that
//! is not root cannot signal them, so a message names their pids and users for a person who can.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

const PASSWD: &str = "/etc/passwd";

/// The name of a user; for a user without a name, the number.
pub fn user_name(uid: u32) -> String {
    name_in(&fs::read_to_string(PASSWD).unwrap_or_default(), uid)
}

/// The number of the user of that name; `None` if there is none.
pub fn user_id(name: &str) -> Option<u32> {
    id_in(&fs::read_to_string(PASSWD).unwrap_or_default(), name)
}

/// A sentence for people about those of these processes that this process may not signal, with their users; `None` if
/// there are none.
pub fn beyond_reach(pids: impl IntoIterator<Item = u32>) -> Option<String> {
    let users = pids.into_iter().filter_map(|pid| Some((pid, owner_beyond_reach(pid)?)));
    let words = users.map(|(pid, uid)| {
        format!("process {pid} belongs to {}, and only root or that user can end it", user_name(uid))
    });
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// The user of a process that this process may not signal; `None` if it may, or if the process is gone.
pub(crate) fn owner_beyond_reach(pid: u32) -> Option<u32> {
    let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
    if test_kill_process(raw) != Err(Errno::PERM) {
        return None;
    }
    Some(fs::metadata(format!("/proc/{pid}")).ok()?.uid())
}

/// passwd(5): `name:password:uid:…`.
fn name_in(users: &str, uid: u32) -> String {
    let name_of = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    };
    users.lines().find_map(name_of).unwrap_or_else(|| uid.to_string())
}

fn id_in(users: &str, name: &str) -> Option<u32> {
    let id_of = |line: &str| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    };
    users.lines().find_map(id_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_where_they_have_one() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbad line\nweb:x:33:33::/:/bin/sh\n";
        assert_eq!([name_in(users, 0), name_in(users, 33), name_in(users, 7)], ["root", "web", "7"]);
        assert_eq!(
            [id_in(users, "web"), id_in(users, "we"), id_in(users, "bad line")],
            [Some(33), None, None]
        );
    }

    #[test]
    fn our_own_process_is_within_reach_and_one_that_is_gone_belongs_to_nobody() {
        assert_eq!(beyond_reach([std::process::id(), u32::MAX]), None);
    }
}
