//! Paths of the host, and binds. Directories that every host has, and paths that the engine made itself, are shown. The
//! last two components of any other path are masked, unless the path is in Dokku's storage: `/home/ann/shop/keys` becomes
//! `/home/ann/` and two placeholders.

use crate::placeholder::Kind;
use crate::scan::Scanner;
use crate::shape::{self, Shape};
use crate::verdict::{Parts, Verdict};
use crate::words;

const DOKKU_STORAGE: &str = "/var/lib/dokku/data/storage/";

/// Judges a path of the host.
pub(crate) fn path<'a>(scanner: &Scanner, text: &'a str) -> Verdict<'a> {
    let mut parts = Parts::default();
    append_path(scanner, &mut parts, text);
    parts.verdict()
}

/// Judges `source:destination[:mode]`, and `container[:mode]` of `VolumesFrom`.
pub(crate) fn bind<'a>(scanner: &Scanner, text: &'a str) -> Verdict<'a> {
    let fields = fields(text);
    let mode = |mode: &str| shape::is_mount_mode(mode);
    let destination = |path: &str| {
        path.starts_with('/') && Shape::named("directory").fits(path) && scanner.hit(path).is_none()
    };
    let mut parts = Parts::default();
    match fields[..] {
        [source, to] if destination(to) => append_source(scanner, &mut parts, source),
        [source, to, how] if destination(to) && mode(how) => append_source(scanner, &mut parts, source),
        [container, how] if mode(how) && is_volume(scanner, container) => return Verdict::Show,
        _ => return Verdict::Mask(Kind::Path),
    }
    parts.show(&text[fields[0].len()..]);
    parts.verdict()
}

/// Judges a device of the host: devices that every host has are shown.
pub(crate) fn device(text: &str) -> Verdict<'_> {
    let name = text.strip_prefix("/dev/").unwrap_or_default();
    let known = [
        "fuse",
        "kvm",
        "dri",
        "snd",
        "net/tun",
        "null",
        "zero",
        "random",
        "urandom",
        "tty",
        "mem",
        "ttyUSB",
        "ttyACM",
        "ttyS",
        "video",
        "sd",
        "nvme",
        "vd",
        "xvd",
        "loop",
        "dri/card",
        "dri/renderD",
        "bus/usb",
        "mapper",
        "i2c-",
        "gpiomem",
        "vchiq",
    ];
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let disk =
        ["sd", "vd", "xvd"].iter().any(|disk| stem.strip_prefix(disk).is_some_and(|rest| rest.len() == 1));
    if name.len() <= 16 && (known.contains(&stem) || disk) {
        Verdict::Show
    } else {
        Verdict::Mask(Kind::Path)
    }
}

/// The fields between colons.
pub(crate) fn fields(text: &str) -> Vec<&str> {
    // A document that was sanitised before has placeholders, which contain colons.
    let mut fields = Vec::new();
    let mut start = 0;
    let mut inside = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' => inside += 1,
            b']' => inside = inside.saturating_sub(1),
            b':' if inside == 0 => {
                fields.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    fields.push(&text[start..]);
    fields
}

/// Judges the source of a bind: a named volume, or a path.
fn append_source<'a>(scanner: &Scanner, parts: &mut Parts<'a>, text: &'a str) {
    if is_volume(scanner, text) { parts.show(text) } else { append_path(scanner, parts, text) }
}

fn append_path<'a>(scanner: &Scanner, parts: &mut Parts<'a>, text: &'a str) {
    if let Some(below) = text.strip_prefix(DOKKU_STORAGE)
        && shape::is_directory(text)
        && below.split('/').all(|part| shape::is_name(part) && scanner.hit(part).is_none())
    {
        return parts.show(text);
    }
    if !text.starts_with('/') {
        return parts.mask(Kind::Path, text);
    }
    let count = text.split('/').filter(|part| !part.is_empty()).count();
    let engine = text.starts_with("/var/lib/docker/")
        || text.starts_with("/var/lib/containers/")
        || text.contains("/volumes/");
    let mut seen = 0;
    let mut before = "";
    for (at, part) in text.split('/').enumerate() {
        parts.show(if at > 0 { "/" } else { "" });
        seen += usize::from(!part.is_empty());
        let last = seen + 2 > count && !engine && !words::is_common_path(text);
        let volume = engine && before == "volumes" && is_volume(scanner, part);
        parts.show_if((is_known(part) && !last) || volume, Kind::Path, part);
        before = part;
    }
}

/// Whether the text is a named volume. A name of 64 hexadecimal digits was made by the engine.
fn is_volume(scanner: &Scanner, text: &str) -> bool {
    let shape = Shape::named("volume");
    shape.fits(text) && scanner.hit(&shape.unexplained(text)).is_none()
}

fn is_known(part: &str) -> bool {
    part.is_empty() || shape::is_engine_part(part)
}
