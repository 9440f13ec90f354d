//! Checks, before anything is stopped, whether the supervisor may apply the settings of a type: a process that needs a
//! right that the supervisor lacks would fail at its start.

use rustix::process::{Resource, getpriority_process, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use type_settings::{IoPriority, Switch};

use super::{Confinement, OOM_SCORE, files_of, priority, private_tmp};

impl Confinement {
    /// The first setting that a supervisor of this user and group cannot apply, and why. If the user is ours, it is taken
    /// to have our capabilities.
    pub fn refusal(&self, supervisor: u32, group: u32) -> Option<(&'static str, String)> {
        let rights = Rights::of(supervisor);
        let of_user = || self.refused_identity((supervisor, group), rights);
        of_user()
            .or_else(|| self.refused_priority(rights))
            .or_else(|| self.refused_io_priority(rights))
            .or_else(|| self.refused_limit(rights))
            .or_else(|| self.refused_tmp(rights))
    }

    fn refused_identity(
        &self,
        (supervisor, group): (u32, u32),
        rights: Rights,
    ) -> Option<(&'static str, String)> {
        let named = if self.0.user.is_some() { "user" } else { "group" };
        let identity = match self.identity() {
            Ok(identity) => identity?,
            Err(unknown @ os_process::Unknown::Group(_)) => return Some(("group", unknown.to_string())),
            Err(unknown) => return Some((named, unknown.to_string())),
        };
        let may = rights.has(CapabilitySet::SETUID | CapabilitySet::SETGID);
        if may || (identity.user(), identity.group()) == (supervisor, group) {
            return None;
        }
        let is_users = identity.user() != supervisor;
        let (setting, whose) = if is_users { ("user", "another user") } else { ("group", "another group") };
        let own = os_process::user_name(supervisor);
        Some((
            setting,
            format!("the supervisor runs as {own} and may not run processes as {whose}: only root may"),
        ))
    }

    fn refused_priority(&self, rights: Rights) -> Option<(&'static str, String)> {
        if let Some(nice) = self.0.nice
            && !rights.has(CapabilitySet::SYS_NICE)
        {
            let own = getpriority_process(None).unwrap_or(0);
            // setrlimit(2): a limit of 20 - n allows nice values down to n.
            let lowest =
                getrlimit(Resource::Nice).current.map_or(-20, |most| 20 - i64::try_from(most).unwrap_or(40));
            let lowest = lowest.min(own.into());
            if nice.get() < lowest {
                return Some((
                    "nice",
                    format!("the supervisor may not go below {lowest} without CAP_SYS_NICE"),
                ));
            }
        }
        let score = self.0.oom_score_adj?.get();
        let own = std::fs::read_to_string(OOM_SCORE).ok().and_then(|text| text.trim().parse().ok());
        let own: i64 = own.unwrap_or(0);
        let may = score >= own || rights.has(CapabilitySet::SYS_RESOURCE);
        (!may).then(|| {
            ("oom-score-adj", format!("the supervisor may not go below {own} without CAP_SYS_RESOURCE"))
        })
    }

    fn refused_io_priority(&self, rights: Rights) -> Option<(&'static str, String)> {
        let wanted = self.0.io_priority?;
        let setting = "io-priority";
        if priority::program().is_none() {
            return Some((
                setting,
                "it is set by ionice (of util-linux or busybox), which is not there".to_owned(),
            ));
        }
        let is_first = matches!(wanted, IoPriority::Realtime(_));
        let may = rights.has_any(&[CapabilitySet::SYS_NICE, CapabilitySet::SYS_ADMIN]);
        (is_first && !may)
            .then(|| (setting, format!("the supervisor may not give {wanted} without CAP_SYS_NICE")))
    }

    fn refused_tmp(&self, rights: Rights) -> Option<(&'static str, String)> {
        let is_wanted = self.0.private_tmp.is_some_and(Switch::is_on);
        let obstacle = (is_wanted && !rights.has(CapabilitySet::SYS_ADMIN)).then(private_tmp::obstacle)?;
        obstacle.map(|reason| ("private-tmp", reason))
    }

    fn refused_limit(&self, rights: Rights) -> Option<(&'static str, String)> {
        let limits = [
            ("limit-nofile", Resource::Nofile, self.0.limit_nofile.map(files_of)),
            ("limit-core", Resource::Core, self.0.limit_core.map(type_settings::Limit::get)),
        ];
        for (name, resource, wanted) in limits {
            let (Some(wanted), Some(hard)) = (wanted, getrlimit(resource).maximum) else { continue };
            if wanted.is_none_or(|wanted| wanted > hard) && !rights.has(CapabilitySet::SYS_RESOURCE) {
                return Some((
                    name,
                    format!("the supervisor may not go above {hard} without CAP_SYS_RESOURCE"),
                ));
            }
        }
        let most = files_of("unlimited".parse().expect("a limit"))?;
        let wanted = self.0.limit_nofile.and_then(files_of)?;
        (wanted > most).then(|| ("limit-nofile", format!("the machine gives no process more than {most}")))
    }
}

/// The rights of a supervisor beyond those of every user.
#[derive(Clone, Copy, Debug)]
struct Rights(CapabilitySet);

impl Rights {
    fn of(supervisor: u32) -> Self {
        let is_ours = supervisor == rustix::process::geteuid().as_raw();
        // Root loses its capabilities when it becomes another user.
        let own = capabilities(None).ok().filter(|_| is_ours);
        Self(own.map_or_else(CapabilitySet::empty, |own| own.effective))
    }

    fn has(self, rights: CapabilitySet) -> bool {
        self.0.contains(rights)
    }

    fn has_any(self, rights: &[CapabilitySet]) -> bool {
        rights.iter().any(|rights| self.has(*rights))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A user that is not ours and has no special right.
    const STRANGER: u32 = 54321;

    fn refused(settings: &str) -> Option<&'static str> {
        let settings = serde_json::from_str(settings).expect("settings");
        Confinement::of(&settings)?.refusal(STRANGER, 54322).map(|(setting, _)| setting)
    }

    #[test]
    fn a_supervisor_without_rights_gives_less_of_everything_and_nobody_elses_name() {
        assert_eq!(refused(r#"{"user":"root"}"#), Some("user"));
        assert_eq!(refused(r#"{"user":"54321","group":"root"}"#), Some("group"));
        assert_eq!(refused(r#"{"user":"54321","group":"54322"}"#), None);
        assert_eq!(refused(r#"{"nice":"-20"}"#), Some("nice"));
        assert_eq!(refused(r#"{"oom-score-adj":"-1000"}"#), Some("oom-score-adj"));
        assert_eq!(refused(r#"{"io-priority":"realtime:4"}"#), Some("io-priority"));
        assert_eq!(refused(r#"{"limit-nofile":"18446744073709551614"}"#), Some("limit-nofile"));
        assert_eq!(refused(r#"{"nice":"19","oom-score-adj":"1000","limit-nofile":"9","umask":"077"}"#), None);
    }
}
