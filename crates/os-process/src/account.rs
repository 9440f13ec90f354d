//! Users and groups of the machine, from passwd(5) and group(5), and changing the user of this process. A number is valid
//! without a line in the files.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Gid, Uid, getegid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::foreign::user_name;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name; for a user without a line, the number.
    pub name: String,
    /// The number of the user.
    pub user: u32,
    /// The number of the primary group; `None` for a user without a line.
    pub group: Option<u32>,
    /// Its home directory.
    pub home: OsString,
    /// Its login shell.
    pub shell: OsString,
}

/// A user with all of its groups, which a process can change to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    user: u32,
    group: u32,
    groups: Vec<u32>,
}

/// Why an identity cannot be found.
#[derive(Debug, PartialEq, Eq)]
pub enum Unknown {
    /// There is no user of that name.
    User(String),
    /// There is no group of that name.
    Group(String),
    /// The user is a number without a line, so its group is not known.
    GroupOf(String),
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "{PASSWD} has no user {name}"),
            Self::Group(name) => write!(f, "{GROUP} has no group {name}"),
            Self::GroupOf(number) => write!(f, "{PASSWD} has no user {number}: set its group too"),
        }
    }
}

impl std::error::Error for Unknown {}

impl Account {
    /// The user of that name or number; `None` if no user has the name.
    pub fn of(text: &str) -> Option<Self> {
        account_in(&fs::read_to_string(PASSWD).unwrap_or_default(), text)
    }
}

impl Identity {
    /// The identity of a user (`None`: that of this process) and a group (`None`: the user's own).
    ///
    /// # Errors
    /// There is no such user or group.
    pub fn of(user: Option<&str>, group: Option<&str>) -> Result<Self, Unknown> {
        let groups = fs::read_to_string(GROUP).unwrap_or_default();
        let (name, user, own) = match user {
            Some(text) => {
                let account = Account::of(text).ok_or_else(|| Unknown::User(text.to_owned()))?;
                (account.name, account.user, account.group)
            }
            None => (user_name(geteuid().as_raw()), geteuid().as_raw(), Some(getegid().as_raw())),
        };
        let group = match group {
            Some(text) => group_in(&groups, text).ok_or_else(|| Unknown::Group(text.to_owned()))?,
            None => own.ok_or_else(|| Unknown::GroupOf(name.clone()))?,
        };
        let mut groups = groups_of(&groups, &name);
        groups.push(group);
        Ok(Self { user, group, groups })
    }

    /// A user and a group by their numbers, with the other groups that the user is in.
    pub(crate) fn of_numbers(user: u32, group: u32) -> Self {
        let mut groups = groups_of(&fs::read_to_string(GROUP).unwrap_or_default(), &user_name(user));
        groups.push(group);
        Self { user, group, groups }
    }

    /// The number of the user.
    pub fn user(&self) -> u32 {
        self.user
    }

    /// The number of the group.
    pub fn group(&self) -> u32 {
        self.group
    }

    /// Whether the modes of a file and of the directories above it let this user read the file. Access control lists are
    /// not considered.
    pub fn may_read(&self, file: &Path) -> bool {
        let is_let = |path: &Path, read: u32| {
            let Ok(found) = fs::metadata(path) else { return false };
            let needed = match (found.uid() == self.user, self.groups.contains(&found.gid())) {
                (true, _) => read << 6,
                (false, true) => read << 3,
                (false, false) => read,
            };
            self.user == 0 || found.mode() & needed == needed
        };
        is_let(file, 0o4) && file.ancestors().skip(1).all(|directory| is_let(directory, 0o1))
    }

    /// Whether this process has that user and group already.
    pub fn is_own(&self) -> bool {
        (self.user, self.group) == (geteuid().as_raw(), getegid().as_raw())
    }

    /// Changes the user and groups of this process for good. Must be called while the process has one thread, since each
    /// thread has a user of its own.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn assume(&self) -> io::Result<()> {
        let groups: Vec<Gid> = self.groups.iter().copied().map(Gid::from_raw).collect();
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.group));
        set_thread_groups(&groups)?;
        set_thread_res_gid(group, group, group)?;
        Ok(set_thread_res_uid(user, user, user)?)
    }
}

/// passwd(5): `name:password:uid:gid:comment:home:shell`.
fn account_in(users: &str, text: &str) -> Option<Account> {
    let of_line = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, user, group, _, home, shell] = fields[..] else { return None };
        let shell = if shell.is_empty() { "/bin/sh" } else { shell };
        (name == text || user == text).then_some(())?;
        Some(Account {
            name: name.to_owned(),
            user: user.parse().ok()?,
            group: Some(group.parse().ok()?),
            home: home.into(),
            shell: shell.into(),
        })
    };
    let without_line = || {
        let (home, shell) = ("/".into(), "/bin/sh".into());
        Some(Account { name: text.to_owned(), user: text.parse().ok()?, group: None, home, shell })
    };
    users.lines().find_map(of_line).or_else(without_line)
}

/// group(5): `name:password:gid:user,user`.
fn group_in(groups: &str, text: &str) -> Option<u32> {
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        (fields.next()? == text).then(|| fields.nth(1)?.parse().ok())?
    };
    groups.lines().find_map(of_line).or_else(|| text.parse().ok())
}

/// The groups that name a user.
fn groups_of(groups: &str, user: &str) -> Vec<u32> {
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        let (number, members) = (fields.nth(2)?, fields.next()?);
        members.split(',').any(|member| member == user).then(|| number.parse().ok())?
    };
    groups.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const GROUPS: &str =
        "root:x:0:\nbad line\ndocker:x:999:web,shop\nadm:x:4:shopkeeper\nbroken:x:many:web\n";

    #[test]
    fn a_user_is_in_the_groups_that_name_it() {
        assert_eq!(groups_of(GROUPS, "web"), [999]);
        assert_eq!(groups_of(GROUPS, "shopkeeper"), [4]);
        assert_eq!(groups_of(GROUPS, "root"), Vec::<u32>::new());
    }

    #[test]
    fn who_may_read_a_file_is_decided_by_its_mode_and_that_of_its_directory() {
        let place = tempfile::tempdir().expect("a directory");
        let (file, mode) = (place.path().join("server.key"), fs::Permissions::from_mode);
        fs::write(&file, "").expect("written");
        let found = fs::metadata(&file).expect("it is there");
        let owner = Identity { user: found.uid(), group: 1, groups: vec![1] };
        let member = Identity { user: u32::MAX - 1, group: found.gid(), groups: vec![found.gid()] };
        let other = Identity { user: u32::MAX - 1, group: u32::MAX - 1, groups: vec![u32::MAX - 1] };
        let is_root = found.uid() == 0;
        for (of_file, of_directory, may) in [
            (0o600, 0o700, [true, false, false]),
            (0o640, 0o710, [true, true, false]),
            (0o644, 0o755, [true, true, true]),
            (0o644, 0o740, [true, false, false]),
            (0o200, 0o755, [is_root, false, false]),
        ] {
            fs::set_permissions(&file, mode(of_file)).expect("changed");
            fs::set_permissions(place.path(), mode(of_directory)).expect("changed");
            let said = [&owner, &member, &other].map(|who| who.may_read(&file));
            assert_eq!(said, may, "{of_file:o} in {of_directory:o}");
        }
        assert!(!owner.may_read(&place.path().join("nothing")));
    }

    #[test]
    fn users_and_groups_are_found_by_name_and_by_number() {
        let users = "bad line\nweb:x:33:34:a comment:/var/www:\nodd:x:many:1::/:/bin/sh\n";
        let web = account_in(users, "web").expect("a user");
        assert_eq!((web.user, web.group, web.home.as_os_str()), (33, Some(34), "/var/www".as_ref()));
        assert_eq!(web.shell, "/bin/sh");
        assert_eq!(account_in(users, "33"), Some(web));
        let stranger = account_in(users, "4711").expect("a number is a user");
        assert_eq!((&*stranger.name, stranger.user, stranger.group), ("4711", 4711, None));
        assert_eq!(
            [account_in(users, "we"), account_in(users, "odd"), account_in(users, "")],
            [None, None, None]
        );
        let numbers = ["adm", "4", "12", "ad", "broken"].map(|text| group_in(GROUPS, text));
        assert_eq!(numbers, [Some(4), Some(4), Some(12), None, None]);
    }
}
