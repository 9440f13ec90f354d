//! The table of ps properties (docs/programs/ps-set.md#usage): their names, scopes and defaults, and which values are
//! accepted. A value is checked when it is written. Dokku or an editor may write an unchecked one into the file: then the
//! default is used, and `ps-set --list` warns.
//!
//! The settings of process types (`type-settings`) are properties too. If both tables have a name, the kind of value is the one
//! that Dokku knows, but the property may also be set for one type alone.

use std::sync::LazyLock;

use balance::{OPTIONS, Options};
use formation::{Addresses, RestartPolicy};
use type_settings::{LONGEST_VALUE, Setting};

/// A whole day, in seconds: a longer grace period is taken for a mistake.
const MAX_STOP_SECONDS: u64 = 86_400;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct PsProperty {
    /// Its name, which is its file's name.
    pub name: &'static str,
    /// Whether it can be set for all apps at once.
    pub is_global: bool,
    /// The value if none is set; `None`: there is no default.
    pub default: Option<&'static str>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// An option of the app's address, under its own name.
    AddressOption,
    Addresses,
    Boolean,
    Command,
    Path,
    Policy,
    Port,
    Seconds,
    Setting(&'static Setting),
    /// An address that alerts are sent to.
    Webhook,
}

/// A value that the property does not accept. Displays as a phrase that names the property, the value and the accepted values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{property} cannot be {value:?}: {rule}")]
pub struct InvalidValue {
    /// The property.
    pub property: String,
    /// The value, shortened.
    pub value: String,
    /// What a value must be.
    pub rule: String,
}

/// The first port of an app's instances.
const PORT: &str = "port";
/// Whether commands of app.json that concern containers are run on this machine, outside of any container.
pub const HOST_COMMANDS: &str = "host-commands";
/// The addresses at which the app is reached.
pub const LISTEN: &str = "listen";
/// The value of [`LISTEN`] with which an app gets an address at its first deploy; also the effect of an unset property.
pub const AUTO: &str = "auto";
/// The addresses among [`LISTEN`] whose clients speak TLS.
pub const TLS: &str = "tls";
/// Where alerts are sent to. Its value is a secret.
pub const WEBHOOK: &str = "webhook";
/// Shown in place of a secret value.
const HIDDEN: &str = "[redacted]";
/// Properties that Dokku does not have, in addition to [`OPTIONS`].
const OURS: [&str; 5] = [HOST_COMMANDS, LISTEN, PORT, TLS, WEBHOOK];

const TABLE: &[PsProperty] = &[
    PsProperty { name: "dockerfile-start-cmd", is_global: false, default: None, kind: Kind::Command },
    PsProperty { name: HOST_COMMANDS, is_global: true, default: Some("false"), kind: Kind::Boolean },
    PsProperty { name: LISTEN, is_global: true, default: None, kind: Kind::Addresses },
    PsProperty { name: PORT, is_global: false, default: None, kind: Kind::Port },
    PsProperty { name: "procfile-path", is_global: true, default: Some("Procfile"), kind: Kind::Path },
    PsProperty {
        name: "restart-policy",
        is_global: true,
        default: Some("on-failure:10"),
        kind: Kind::Policy,
    },
    PsProperty { name: "restore", is_global: false, default: Some("true"), kind: Kind::Boolean },
    PsProperty { name: "skip-deploy", is_global: true, default: Some("false"), kind: Kind::Boolean },
    PsProperty { name: "start-cmd", is_global: false, default: None, kind: Kind::Command },
    PsProperty { name: "stop-timeout-seconds", is_global: true, default: Some("30"), kind: Kind::Seconds },
    PsProperty { name: TLS, is_global: false, default: None, kind: Kind::Addresses },
    PsProperty { name: WEBHOOK, is_global: true, default: None, kind: Kind::Webhook },
];

/// All tables, sorted by name.
static ALL: LazyLock<Vec<PsProperty>> = LazyLock::new(|| {
    let is_new = |setting: &&Setting| TABLE.iter().all(|property| property.name != setting.name);
    let of_types = Setting::all().iter().filter(is_new).map(PsProperty::of_setting);
    let of_address = OPTIONS.iter().copied().map(PsProperty::of_address);
    let mut all: Vec<PsProperty> = TABLE.iter().copied().chain(of_address).chain(of_types).collect();
    all.sort_by_key(|property| property.name);
    all
});

impl PsProperty {
    /// Every property, sorted by name.
    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// A setting of a process type, as a property.
    pub const fn of_setting(setting: &'static Setting) -> Self {
        Self {
            name: setting.name,
            is_global: !setting.is_local,
            default: setting.default,
            kind: Kind::Setting(setting),
        }
    }

    /// An option of the app's address, as a property.
    const fn of_address(name: &'static str) -> Self {
        Self { name, is_global: false, default: None, kind: Kind::AddressOption }
    }

    /// Whether it is an option of the app's address.
    pub fn is_of_address(&self) -> bool {
        matches!(self.kind, Kind::AddressOption | Kind::Addresses)
    }

    /// The setting of a process type that this property is, if it can be set for one type alone.
    pub fn setting(&self) -> Option<&'static Setting> {
        Setting::named(self.name)
    }

    /// Whether it can be set for one type alone, but not for an app.
    pub fn is_only_of_a_type(&self) -> bool {
        matches!(self.kind, Kind::Setting(setting) if setting.is_local)
    }

    /// Whether its value is a secret, which is never shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Webhook)
    }

    /// The text that is shown for a value.
    pub fn shown<'a>(&self, value: &'a str) -> &'a str {
        if self.is_secret() { HIDDEN } else { value }
    }

    /// Whether it is listed even if it is not set.
    pub fn is_always_listed(&self) -> bool {
        !matches!(self.kind, Kind::Setting(_) | Kind::Webhook) && !self.is_of_address()
    }

    /// The properties that Dokku has too.
    pub fn of_dokku() -> impl Iterator<Item = &'static Self> {
        TABLE.iter().filter(|property| !OURS.contains(&property.name))
    }

    /// The property of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|property| property.name == name)
    }

    /// The present name of a property with an older spelling: Dokku's documentation used `stop-timeout` for years.
    pub fn modern_name(name: &str) -> Option<&'static str> {
        (name == "stop-timeout").then_some("stop-timeout-seconds")
    }

    /// Whether the property accepts a value. The empty value clears it and is not checked here.
    pub fn check(&self, value: &str) -> Result<(), InvalidValue> {
        let rule = if value.len() > LONGEST_VALUE {
            Some("it is longer than 32 KiB".to_owned())
        } else if value.contains(['\n', '\0']) {
            Some("a value is one line of text".to_owned())
        } else if let Kind::Setting(setting) = self.kind {
            setting.fault(value)
        } else if let Kind::AddressOption = self.kind {
            Options::default().set(self.name, value).err().map(|error| error.to_string())
        } else if self.name == LISTEN && value == AUTO {
            None
        } else if let Kind::Addresses = self.kind {
            value.parse::<Addresses>().err().map(|error| error.to_string())
        } else {
            self.kind.broken_rule(value).map(str::to_owned)
        };
        rule.map_or(Ok(()), |rule| Err(InvalidValue::new(self.name.to_owned(), self.shown(value), rule)))
    }
}

impl InvalidValue {
    pub(crate) fn new(property: String, value: &str, rule: String) -> Self {
        Self { property, value: value.chars().take(80).collect(), rule }
    }
}

impl Kind {
    fn broken_rule(self, value: &str) -> Option<&'static str> {
        let (holds, rule) = match self {
            Self::AddressOption | Self::Addresses | Self::Command | Self::Setting(_) => (true, ""),
            Self::Boolean => (matches!(value, "true" | "false"), "use true or false"),
            Self::Policy => (
                value.parse::<RestartPolicy>().is_ok(),
                "use no, always, unless-stopped, on-failure or on-failure:<retries>",
            ),
            Self::Seconds => (
                value.bytes().all(|b| b.is_ascii_digit())
                    && value.parse().is_ok_and(|seconds: u64| seconds <= MAX_STOP_SECONDS),
                "use whole seconds, 0 to 86400",
            ),
            Self::Port => (
                value.bytes().all(|b| b.is_ascii_digit()) && value.parse().is_ok_and(|port: u16| port > 0),
                "use a whole number, 1 to 65535",
            ),
            Self::Webhook => return fault_of_web_address(value),
            Self::Path => (
                !value.trim_matches('/').is_empty() && !value.split('/').any(|part| part == ".."),
                "use a path inside the app's source, without ..",
            ),
        };
        (!holds).then_some(rule)
    }
}

/// What is wrong with an address to which alerts are sent, in words that contain nothing of it: it is a secret.
fn fault_of_web_address(value: &str) -> Option<&'static str> {
    let Some(rest) = ["https://", "http://"].iter().find_map(|scheme| value.strip_prefix(scheme)) else {
        return Some(
            "it does not begin with https:// or http://; use an address such as https://example.org/hook",
        );
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if value.contains(' ') {
        Some("it has a blank; use one address, and write %20 for a blank in it")
    } else if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some(
            "it has a control character or one that is not ASCII; write such a character as % and its bytes in hexadecimal",
        )
    } else if host.contains('@') {
        Some(
            "it has a user or a password, which would not be sent; use the address without what stands before the @",
        )
    } else if host.is_empty() || host.starts_with(':') {
        Some("it has no host; use an address such as https://example.org/hook")
    } else if !has_a_port_or_none(host) {
        Some("its port is no whole number from 1 to 65535")
    } else {
        None
    }
}

/// Whether a host such as `example.org`, `example.org:8080` or `[::1]:8080` names a port that there can be, or none.
fn has_a_port_or_none(host: &str) -> bool {
    let behind = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
    let Some((_, port)) = behind.rsplit_once(':') else { return true };
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse().is_ok_and(|port: u16| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_make_no_sense_are_refused_and_the_others_are_not() {
        let rows = [
            (
                "restart-policy",
                &["no", "on-failure:20", "unless-stopped"][..],
                &["on-failure:abc", "on-failure:-1", "maybe"][..],
            ),
            (
                "stop-timeout-seconds",
                &["0", "45", "86400"],
                &["-1", "abc", "1.5", "+3", "86401", "99999999999999999999"],
            ),
            ("skip-deploy", &["true", "false"], &["maybe", "1", "True"]),
            ("restore", &["true", "false"], &["no"]),
            ("tls", &["443", "[::]:443", "none"], &["0", "https"]),
            ("http", &["true", "false"], &["yes", "1"]),
            ("trust-proxy", &["10.0.0.0/8 ::1", "none"], &["10.0.0.0/33", "lan"]),
            (
                "listen",
                &["5000", "0.0.0.0:80 [::]:80", "none", "auto"],
                &["0", "auto 80", "http", "example.org:80"],
            ),
            ("port", &["1", "3000", "65535"], &["0", "65536", "-1", "+1", "http", "80 81", "3000.5"]),
            (
                "procfile-path",
                &["Procfile", ".dokku/Procfile", "/deep/Procfile", "a..b"],
                &["../../etc/passwd", "a/../../b", "/", ".."],
            ),
            (
                "webhook",
                &["https://example.org/hook?x=1", "http://[::1]:8080", "http://localhost"],
                &[
                    "example.org",
                    "ftp://example.org",
                    "https://",
                    "https:///x",
                    "http://:80",
                    "http://u:p@h/",
                    "http://a b",
                    "https://example.org:0/x",
                    "https://example.org:99999/x",
                    "https://[::1]:http/x",
                    "https://example.org/\u{e9}",
                ],
            ),
            ("start-cmd", &["node --harmony server.js", "-x", "a  b"], &["two\nlines"]),
        ];
        for (name, good, bad) in rows {
            let property = PsProperty::named(name).expect("a property of the table");
            for value in good {
                assert_eq!(property.check(value), Ok(()), "{name} {value}");
            }
            for value in bad {
                assert!(property.check(value).is_err(), "{name} {value}");
            }
        }
    }

    #[test]
    fn a_secret_is_not_quoted_where_it_is_refused() {
        let webhook = PsProperty::named(WEBHOOK).expect("a property of the table");
        let refused = webhook.check("https://u:secret@example.org").expect_err("it has a password");
        assert!(!refused.to_string().contains("secret"), "{refused}");
        assert_eq!(
            (webhook.shown("https://x"), PsProperty::named(PORT).map(|port| port.shown("1"))),
            (HIDDEN, Some("1"))
        );
    }

    #[test]
    fn an_address_that_is_refused_is_told_what_is_wrong_with_it_and_nothing_of_it() {
        let webhook = PsProperty::named(WEBHOOK).expect("a property of the table");
        for (value, says) in [
            ("s3cret.example.org", "does not begin with https://"),
            ("https://", "no host"),
            ("https://s3cret.example.org/ /x", "a blank"),
            ("https://s3cret.example.org/\tx", "a control character"),
            ("https://bob:s3cret@example.org/", "a user or a password"),
            ("https://s3cret.example.org:port/x", "its port"),
        ] {
            let refused = webhook.check(value).expect_err(value).to_string();
            assert!(refused.contains(says) && !refused.contains("s3cret"), "{refused}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_its_defaults_make_sense() {
        assert!(TABLE.is_sorted_by_key(|property| property.name));
        for property in PsProperty::all() {
            assert_eq!(property.default.map_or(Ok(()), |value| property.check(value)), Ok(()));
        }
    }
}
