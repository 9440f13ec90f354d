//! The user that `ps-balance` runs as if the supervisor is root. Only the supervisor binds ports, so `ps-balance`,
//! which talks to clients, need not be root.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use formation::FIRST_TYPE;
use os_process::Identity;

use crate::spec::Spec;

/// Who owns nothing.
const NOBODY: &str = "nobody";
/// Its number, where it has no line in passwd(5).
const NUMBER_OF_NOBODY: &str = "65534";
/// What is read of a certificate (docs/address.md#certificates).
const FILES: [&str; 2] = ["server.crt", "server.key"];

/// As whom it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// As the supervisor: that is not root, or a certificate has to be read that root alone may read.
    Supervisor,
    /// As a user other than root.
    Other(Other),
}

/// A user and perhaps a group, by names or numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    identity: Identity,
    user: String,
    group: Option<String>,
}

impl Runner {
    /// The user of `web`; without one, the owner of the directory that the app runs in; without that, `nobody`.
    pub(crate) fn of(spec: &Spec) -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::Supervisor;
        }
        let other = Other::set(spec).or_else(|| Other::owner(&spec.directory)).or_else(Other::nobody);
        other.filter(|other| other.may_show(spec)).map_or(Self::Supervisor, Self::Other)
    }

    /// The words of its command line.
    pub(super) fn words(&self) -> Vec<OsString> {
        let Self::Other(Other { user, group, .. }) = self else { return Vec::new() };
        let group = group.iter().map(|group| format!("--group={group}").into());
        std::iter::once(format!("--user={user}").into()).chain(group).collect()
    }
}

impl Other {
    fn new(user: String, group: Option<String>) -> Option<Self> {
        let identity = Identity::of(Some(&user), group.as_deref()).ok()?;
        (identity.user() != 0).then_some(Self { identity, user, group })
    }

    fn set(spec: &Spec) -> Option<Self> {
        let first = FIRST_TYPE.parse().ok()?;
        let settings = spec.settings(&first)?;
        let name = |account: &type_settings::Account| account.as_str().to_owned();
        Self::new(settings.user.as_ref().map(name)?, settings.group.as_ref().map(name))
    }

    fn owner(directory: &Path) -> Option<Self> {
        let owned = fs::metadata(directory).ok()?;
        Self::new(owned.uid().to_string(), Some(owned.gid().to_string()))
    }

    fn nobody() -> Option<Self> {
        let number = || NUMBER_OF_NOBODY.to_owned();
        Self::new(NOBODY.to_owned(), None).or_else(|| Self::new(number(), Some(number())))
    }

    /// Whether it can read the certificate of the app, if there is one to be shown.
    fn may_show(&self, spec: &Spec) -> bool {
        let mut files = FILES.iter().map(|name| spec.certificates.join(name));
        spec.frontend.tls.is_empty() || files.all(|file| !file.exists() || self.identity.may_read(&file))
    }
}
