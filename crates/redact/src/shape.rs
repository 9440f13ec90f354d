//! The shapes that a shown value may have. Every row of the show-list names a path and a shape, and a value at that path that
//! does not have the shape is masked. The shapes are as narrow as the values that engines really write there.

use crate::hex::is_hex;
use crate::{decode, vocabulary, words};

/// A shape by its name in `show_list.txt`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// One of these words, joined by `|`.
    OneOf(&'static str),
    /// A shape that no secret can have, such as a time. The value is not scanned for credentials.
    Exact(fn(&str) -> bool),
    /// A shape that a secret could also have, such as a name. The value is scanned for credentials as well.
    Loose(fn(&str) -> bool),
    /// The network of a container: a word of the engine, or the name of a network or of another container.
    NetworkMode,
    /// The name of a volume. The 64 digits of an anonymous volume are not scanned.
    Volume,
    /// An image, with or without a digest.
    Image,
    /// Paths of the engine: each component is an id or a word that every machine has.
    EnginePath,
}

impl Shape {
    /// The shape with that name. A name with a `|`, or one that is no shape's name, is itself the list of permitted words.
    pub(crate) fn named(name: &'static str) -> Self {
        match name {
            "id" => Self::Exact(is_id),
            "swarm-id" => Self::Exact(is_swarm_id),
            "any-id" => Self::Exact(|text| is_id(text) || is_swarm_id(text)),
            "time" => Self::Exact(is_time),
            "ip" => Self::Exact(is_ip),
            "cidr" => Self::Exact(is_cidr),
            "mac" => Self::Exact(is_mac),
            "port" => Self::Exact(is_port),
            "numbers" => Self::Exact(is_numbers),
            "cpus" => Self::Exact(is_cpus),
            "version" => Self::Exact(is_version),
            "revision" => Self::Exact(is_revision),
            "signal" => Self::Exact(is_signal),
            "selinux" => Self::Exact(is_selinux),
            "mode" => Self::Exact(vocabulary::is_mode),
            "security-opt" => Self::Exact(vocabulary::is_security_opt),
            "search-path" => Self::Exact(is_search_path),
            "known-path" => Self::Exact(words::is_common_path),
            "dyno" => Self::Exact(is_dyno),
            "locale" => Self::Exact(is_locale),
            "zone" => Self::Exact(is_zone),
            "mount-mode" => Self::Exact(is_mount_mode),
            "kernel-path" => Self::Exact(vocabulary::is_kernel_path),
            "endpoint" => Self::Exact(is_endpoint),
            "image" => Self::Image,
            "network-mode" => Self::NetworkMode,
            "object" => Self::Loose(|text| is_container_name(text) || is_image(text)),
            "names" => Self::Loose(|text| text.len() <= 1024 && text.split(',').all(is_container_name)),
            "link" => Self::Loose(is_link),
            "volumes-from" => Self::Loose(is_volumes_from),
            "container" => Self::Loose(is_container_name),
            "name" | "app" | "file" => Self::Loose(is_name),
            "volume" => Self::Volume,
            "hostname" => Self::Loose(is_hostname),
            "user" => Self::Loose(is_user),
            "title" => Self::Loose(is_title),
            "directory" => Self::Loose(is_directory),
            "engine-path" => Self::EnginePath,
            other => Self::OneOf(vocabulary::named(other)),
        }
    }

    /// Whether the value has the shape.
    pub(crate) fn fits(self, value: &str) -> bool {
        value.len() <= 8192
            && match self {
                Self::OneOf(words) => words.split('|').any(|word| word == value),
                Self::Exact(fits) | Self::Loose(fits) => fits(value),
                Self::Volume => is_name(value),
                Self::NetworkMode => {
                    vocabulary::is_mode(value) || is_name(value.strip_prefix("container:").unwrap_or(value))
                }
                Self::Image => is_image(value),
                Self::EnginePath => is_engine_path(value),
            }
    }

    /// The part of a fitting value that is scanned for credentials: what the shape leaves open.
    pub(crate) fn unexplained(self, value: &str) -> String {
        match self {
            Self::OneOf(_) | Self::Exact(_) | Self::EnginePath => String::new(),
            Self::Image | Self::NetworkMode if self.is_no_name(value) => String::new(),
            Self::Image => without_digest(value).to_owned(),
            Self::Volume if is_hex(value, 64..=64) && !decode::hides_text(value) => String::new(),
            Self::Loose(_) | Self::Volume | Self::NetworkMode => value.to_owned(),
        }
    }

    /// Whether the value is a word or an id of the engine, at a place where a name may also be.
    pub(crate) fn is_no_name(self, value: &str) -> bool {
        match self {
            Self::NetworkMode => vocabulary::is_mode(value),
            Self::Image => value.starts_with("sha256:") && is_id(value) && !decode::hides_text(value),
            Self::OneOf(_) | Self::Exact(_) | Self::Loose(_) | Self::Volume | Self::EnginePath => false,
        }
    }
}

/// The image without `@sha256:…`, which is as public as the image.
pub(crate) fn without_digest(image: &str) -> &str {
    match image.rsplit_once("@sha256:") {
        Some((name, digest)) if is_hex(digest, 64..=64) => name,
        _ => image,
    }
}

fn all(text: &str, lengths: std::ops::RangeInclusive<usize>, extra: &[u8]) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b))
}

fn is_number(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// 64 hexadecimal digits with or without `sha256:`.
fn is_id(text: &str) -> bool {
    is_hex(text.strip_prefix("sha256:").unwrap_or(text), 64..=64)
}

/// Whether the text is an id of a swarm: 25 characters of base 36 that are not all letters.
fn is_swarm_id(text: &str) -> bool {
    let chars = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() == 25 && chars && text.bytes().any(|b| b.is_ascii_digit())
}

/// Whether the text is a time: RFC 3339, or Go's `2026-11-21 05:43:45.38 +0000 UTC`, or the beginning of one.
pub(crate) fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let date = bytes.len() >= 19
        && bytes[..19].iter().zip(b"dddd-dd-ddTdd:dd:dd").all(|(&b, &wanted)| match wanted {
            b'd' => b.is_ascii_digit(),
            b'T' => b == b'T' || b == b' ',
            other => b == other,
        });
    if !date {
        return false;
    }
    let rest = &text[19..];
    let rest = rest.strip_prefix('.').map_or(rest, |r| r.trim_start_matches(|c: char| c.is_ascii_digit()));
    let zone = rest.strip_suffix(" UTC").unwrap_or(rest).trim_start_matches(' ');
    text.len() <= 45 && (matches!(zone, "" | "Z") || is_offset(zone))
}

fn is_offset(zone: &str) -> bool {
    let digits = zone.strip_prefix(['+', '-']).map(|rest| rest.replacen(':', "", 1));
    digits.is_some_and(|digits| is_number(&digits, 4..=4))
}

/// An IPv4 or IPv6 address.
pub(crate) fn is_ip(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok() && !spells_text(text)
}

/// Whether separated pairs of hexadecimal digits are the bytes of readable text, at a place for a MAC address.
fn spells_text(text: &str) -> bool {
    let byte = |pair: &str| (pair.len() == 2).then(|| u8::from_str_radix(pair, 16).ok()).flatten();
    let bytes: Option<Vec<u8>> = text.split([':', '-']).map(byte).collect();
    bytes.is_some_and(|bytes| bytes.len() > 1 && bytes.iter().all(|byte| matches!(byte, b' '..=b'~')))
}

fn is_cidr(text: &str) -> bool {
    match text.split_once('/') {
        Some((address, bits)) => is_ip(address) && is_number(bits, 1..=3),
        None => is_ip(text),
    }
}

fn is_mac(text: &str) -> bool {
    text.len() == 17
        && text.split([':', '-']).all(|pair| pair.len() == 2 && all(pair, 2..=2, b""))
        && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'-')
        && !spells_text(text)
}

/// Whether the text is one to five digits.
pub(crate) fn is_port(text: &str) -> bool {
    is_number(text, 1..=5)
}

/// Whether the text has the numbers of a kernel setting or a CPU set: `1024 65535`, `0-3,5`.
fn is_numbers(text: &str) -> bool {
    text.len() <= 64 && text.split([' ', '\t', ',', '-']).all(|word| is_number(word, 1..=12))
}

/// Whether the text is a CPU set: `0-3,5`.
fn is_cpus(text: &str) -> bool {
    text.len() <= 64 && text.split([',', '-']).all(|word| is_number(word, 1..=3))
}

/// Whether the text is a version: `1.2.3`, `v20.10.24`, `1.0.2-dev`, `3.12-alpine`: short numbers with dots, followed by a
/// known word at most.
pub(crate) fn is_version(text: &str) -> bool {
    let (numbers, suffix) = match text.split_once(['-', '+', '~']) {
        Some((numbers, suffix)) => (numbers, Some(suffix)),
        None => (text, None),
    };
    let known = |word: &str| {
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        word.len() <= 16
            && (matches!(
                letters,
                "" | "dev" | "rc" | "rc." | "alpha" | "beta" | "ce" | "ee" | "SNAPSHOT" | "dfsg" | "pre"
            ) || words::is_common_part(word))
    };
    let digits = numbers.strip_prefix('v').unwrap_or(numbers);
    digits.split('.').count() <= 5
        && (digits.len() <= 2 || digits.contains('.'))
        && digits.split('.').all(|part| is_number(part, 1..=5))
        && digits.len() <= 20
        && suffix.is_none_or(|suffix| suffix.len() <= 32 && suffix.split('-').all(known))
}

fn is_revision(text: &str) -> bool {
    is_hex(text, 7..=7) || is_hex(text, 40..=40)
}

fn is_signal(text: &str) -> bool {
    let name = text.strip_prefix("SIG").unwrap_or(text);
    is_number(text, 1..=2)
        || matches!(
            name,
            "HUP"
                | "INT"
                | "QUIT"
                | "ABRT"
                | "KILL"
                | "USR1"
                | "USR2"
                | "ALRM"
                | "TERM"
                | "CONT"
                | "STOP"
                | "TSTP"
                | "WINCH"
                | "PWR"
        )
        || name.strip_prefix("RTMIN").is_some_and(|n| n.is_empty() || is_number(&n[1..], 1..=2))
}

fn is_selinux(text: &str) -> bool {
    let mut parts = text.splitn(4, ':');
    let known = [
        "system_u",
        "unconfined_u",
        "object_r",
        "system_r",
        "container_t",
        "container_file_t",
        "svirt_lxc_net_t",
        "svirt_sandbox_file_t",
        "spc_t",
    ];
    parts.by_ref().take(3).all(|part| known.contains(&part))
        && parts.next().is_some_and(|level| {
            level.split([':', ',']).all(|part| is_number(part.trim_start_matches(['s', 'c']), 1..=4))
        })
}

/// Whether the text is a list of absolute directories joined by colons.
fn is_search_path(text: &str) -> bool {
    text.split(':').all(|dir| dir.starts_with('/') && dir.split('/').skip(1).all(is_search_part))
}

/// Whether a part of a search path is common to thousands of machines, or a version.
fn is_search_part(part: &str) -> bool {
    part.is_empty() || words::is_common_part(part.trim_start_matches('.')) || is_version(part)
}

/// Whether the text is a process type and a number.
fn is_dyno(text: &str) -> bool {
    let Some((kind, number)) = text.rsplit_once('.') else { return false };
    let letter = |b: u8| b.is_ascii_lowercase() || b == b'-';
    is_number(number, 1..=5) && (1..=24).contains(&kind.len()) && kind.bytes().all(letter)
}

fn is_locale(text: &str) -> bool {
    let name = text.split(['.', '@', ':']).next().unwrap_or_default();
    let charset = text.split_once('.').map(|(_, rest)| rest.to_ascii_lowercase());
    let language = name.len() == 2 || (name.len() == 5 && name.as_bytes()[2] == b'_');
    (matches!(name, "C" | "POSIX") || (language && all(name, 2..=5, b"_")))
        && charset.is_none_or(|set| matches!(set.as_str(), "utf8" | "utf-8" | "iso-8859-1" | "iso-8859-15"))
        && !text.contains(['@', ':'])
}

fn is_zone(text: &str) -> bool {
    let areas = [
        "Africa",
        "America",
        "Antarctica",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
        "Etc",
    ];
    let place = |name: &str| {
        (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'/'))
    };
    matches!(text, "UTC" | "GMT" | "CET" | "EST" | "PST" | "local" | "Etc/UTC" | "Etc/GMT")
        || text.split_once('/').is_some_and(|(area, name)| areas.contains(&area) && place(name))
}

pub(crate) fn is_mount_mode(text: &str) -> bool {
    let known = [
        "",
        "rw",
        "ro",
        "z",
        "Z",
        "nocopy",
        "copy",
        "cached",
        "delegated",
        "consistent",
        "private",
        "rprivate",
        "shared",
        "rshared",
        "slave",
        "rslave",
        "rbind",
        "bind",
        "nosuid",
        "nodev",
        "noexec",
        "suid",
        "dev",
        "exec",
        "U",
        "O",
        "idmap",
        "relatime",
        "noatime",
    ];
    text.split(',').all(|word| known.contains(&word))
}

fn is_image(text: &str) -> bool {
    text.len() <= 400
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && without_digest(text).bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:".contains(&b))
        && !spells_text(text)
}

fn is_container_name(text: &str) -> bool {
    is_name(text.strip_prefix('/').unwrap_or(text))
}

/// Whether the text is a link of containers: `/db:/web/db`: a container, and the name that another one has for it.
fn is_link(text: &str) -> bool {
    let path = |text: &str| text.strip_prefix('/').unwrap_or(text).split('/').all(is_name);
    text.split_once(':').is_some_and(|(container, alias)| path(container) && path(alias))
}

/// Whether the text is `data` or `data:ro`.
fn is_volumes_from(text: &str) -> bool {
    let (name, mode) = text.split_once(':').unwrap_or((text, "rw"));
    is_name(name) && is_mount_mode(mode)
}

/// Whether the text is an address and a port: `10.0.0.4:2377`.
fn is_endpoint(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(ip, port)| is_ip(ip.trim_matches(['[', ']'])) && is_port(port))
}

/// Whether Docker permits the text as the name of a container, network, volume or service.
pub(crate) fn is_name(text: &str) -> bool {
    all(text, 1..=128, b"_.-") && text.as_bytes()[0].is_ascii_alphanumeric()
}

fn is_hostname(text: &str) -> bool {
    all(text, 1..=253, b"_.-")
}

fn is_user(text: &str) -> bool {
    all(text, 1..=64, b"_.-:") && text.split(':').count() <= 2
}

fn is_title(text: &str) -> bool {
    all(text, 1..=64, b" _.-")
}

/// Whether the text is an absolute path, of Unix or of Windows.
pub(crate) fn is_directory(text: &str) -> bool {
    let drive = text.as_bytes().get(1) == Some(&b':') && text.as_bytes()[0].is_ascii_alphabetic();
    (text.starts_with('/') || drive) && all(text, 1..=1024, b"/._- :\\+")
}

fn is_engine_path(text: &str) -> bool {
    let absolute = text.starts_with('/') || text.as_bytes().get(1) == Some(&b':');
    let known = |part: &str| part.is_empty() || is_engine_part(part) || part == "C";
    (absolute || is_hex(text, 64..=64)) && text.split(['/', '\\', ':']).all(known)
}

/// Whether a component was made by the engine, or is on every machine.
pub(crate) fn is_engine_part(part: &str) -> bool {
    if part.len() >= 16 && decode::hides_text(part) {
        return false;
    }
    let bare = ["-init", "-json.log", ".log"].iter().find_map(|end| part.strip_suffix(end)).unwrap_or(part);
    is_hex(bare, 64..=64)
        || is_hex(bare, 12..=12)
        || words::is_common_part(part)
        || matches!(
            part,
            "ProgramData"
                | "Docker"
                | "diff"
                | "fs"
                | "netns"
                | "_data"
                | "snapshots"
                | "io.containerd.snapshotter.v1.overlayfs"
        )
}
