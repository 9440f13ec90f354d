//! Becoming somebody else, for good: what is to run in a user's directory runs as that user.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

const GROUP: &str = "/etc/group";

/// If root calls, this process becomes the owner of a directory, with the directory's group and those that the user is in.
/// Anybody else stays who they are. Call it while the process has one thread: each thread has a user of its own.
///
/// # Errors
/// The directory cannot be looked at, or the kernel refuses.
pub fn become_owner_of(directory: &Path) -> io::Result<()> {
    let owner = fs::metadata(directory)?;
    if !geteuid().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    let name = crate::foreign::user_name(owner.uid());
    let mut groups = groups_in(&fs::read_to_string(GROUP).unwrap_or_default(), &name);
    groups.push(owner.gid());
    let groups: Vec<Gid> = groups.into_iter().map(Gid::from_raw).collect();
    let (user, group) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
    set_thread_groups(&groups)?;
    set_thread_res_gid(group, group, group)?;
    Ok(set_thread_res_uid(user, user, user)?)
}

/// group(5): `name:password:gid:user,user`.
fn groups_in(groups: &str, user: &str) -> Vec<u32> {
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        let (number, members) = (fields.nth(2)?, fields.next()?);
        members.split(',').any(|member| member == user).then(|| number.parse().ok())?
    };
    groups.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_in_the_groups_that_name_it() {
        let groups = "root:x:0:\nbad line\ndocker:x:999:web,shop\nadm:x:4:shopkeeper\nbroken:x:many:web\n";
        assert_eq!(groups_in(groups, "web"), [999]);
        assert_eq!(groups_in(groups, "shopkeeper"), [4]);
        assert_eq!(groups_in(groups, "root"), Vec::<u32>::new());
    }
}
