//! Archives that somebody may send, hostile ones included.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};
use unpack::{Limits, UnpackError, unpack};

/// One entry: its path as raw bytes, its kind, and its content or the target of a link.
type Item<'a> = (&'a str, EntryType, &'a str);

fn archive(items: &[Item<'_>]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, kind, content) in items {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o6755);
        let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
        header.set_size(if is_link { 0 } else { content.len() as u64 });
        // The path is written directly, because the library that writes the archive would refuse it.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        if is_link {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_cksum();
        builder.append(&header, if is_link { &b""[..] } else { content.as_bytes() }).expect("an entry");
    }
    builder.into_inner().expect("an archive")
}

fn unpacked(bytes: &[u8]) -> (tempfile::TempDir, Result<unpack::Unpacked, UnpackError>) {
    let place = tempfile::tempdir().expect("a directory");
    let inside = place.path().join("in");
    fs::create_dir(&inside).expect("a directory");
    let unpacked = unpack(bytes, &inside, Limits { entries: 10, bytes: 1000 });
    (place, unpacked)
}

fn read(place: &Path, path: &str) -> String {
    fs::read_to_string(place.join("in").join(path)).expect("it is there")
}

#[test]
fn files_directories_and_links_come_out_as_they_were_packed_without_rights_of_others() {
    let bytes = archive(&[
        ("./", EntryType::Directory, ""),
        ("./a/", EntryType::Directory, ""),
        ("./a/b/run", EntryType::Regular, "one"),
        ("a/up", EntryType::Symlink, "../a/b/run"),
        ("a/same", EntryType::Link, "./a/b/run"),
        ("a/b/run", EntryType::Regular, "two"),
    ]);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&bytes).expect("memory");
    for bytes in [bytes, gzip.finish().expect("memory")] {
        let (place, done) = unpacked(&bytes);
        assert_eq!(done.expect("a sound archive").files, 3);
        assert_eq!((read(place.path(), "a/up"), read(place.path(), "a/same")), ("two".into(), "one".into()));
        let mode = fs::metadata(place.path().join("in/a/b/run")).expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
    }
}

#[test]
fn whatever_would_come_to_lie_or_lead_outside_is_refused_and_nothing_does() {
    let regular = EntryType::Regular;
    for (items, says) in [
        (&[("../evil", regular, "x")][..], "../evil would lie outside"),
        (&[("/evil", regular, "x")], "/evil would lie outside"),
        (&[("a/../../evil", regular, "x")], "would lie outside"),
        (&[("a", EntryType::Symlink, "/etc")], "leads out, to /etc"),
        (&[("a", EntryType::Symlink, "..")], "leads out"),
        (&[("d/a", EntryType::Symlink, ".."), ("b", EntryType::Symlink, "d/a/..")], "the link b leads out"),
        (
            &[("d/", EntryType::Directory, ""), ("a", EntryType::Symlink, "d"), ("a/evil", regular, "x")],
            "leads through a link",
        ),
        (&[("a", EntryType::Link, "../evil")], "would lie outside"),
        (&[("a", EntryType::Link, "nowhere")], "neither a file"),
        (
            &[
                ("d/", EntryType::Directory, ""),
                ("l", EntryType::Symlink, "d"),
                ("a", EntryType::Link, "l/x"),
            ],
            "leads through a link",
        ),
        (&[("a", EntryType::Char, "")], "neither a file"),
        (&[("a", EntryType::Fifo, "")], "neither a file"),
        (&[("a", regular, "x"), ("a/b", regular, "x")], "neither a file"),
    ] {
        let (place, done) = unpacked(&archive(items));
        let refused = done.expect_err("it must not be unpacked").to_string();
        assert!(refused.contains(says), "{says}: {refused}");
        let left: Vec<_> =
            fs::read_dir(place.path()).expect("there").flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["in"], "{items:?}");
    }
}

#[test]
fn what_is_no_archive_or_too_much_is_named() {
    let whole = archive(&[("a", EntryType::Regular, &"x".repeat(700))]);
    for (bytes, says) in [
        (&b""[..], "empty"),
        (&whole[..600], "not whole"),
        (&[b'x'; 600], "no tar archive"),
        (&vec![0; 1024], "empty"),
        (b"BZh91AY", "bzip2 -dc"),
        (b"\xfd7zXZ\0", "xz -dc"),
        (b"\x28\xb5\x2f\xfd..", "zstd -dc"),
        (b"\x1f\x8b and no gzip", "no tar archive"),
    ] {
        let refused = unpacked(bytes).1.expect_err("it is none").to_string();
        assert!(refused.contains(says), "{says}: {refused}");
    }
    let large =
        archive(&[("a", EntryType::Regular, &"x".repeat(700)), ("b", EntryType::Regular, &"x".repeat(400))]);
    assert!(matches!(unpacked(&large).1, Err(UnpackError::TooLarge { .. })));
    let names: Vec<String> = (0..11).map(|number| number.to_string()).collect();
    let many: Vec<Item<'_>> = names.iter().map(|name| (name.as_str(), EntryType::Regular, "")).collect();
    assert!(matches!(unpacked(&archive(&many)).1, Err(UnpackError::TooMany { most: 10 })));
}
