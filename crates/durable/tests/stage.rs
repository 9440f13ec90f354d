//! What a writer leaves that was killed while it opened a directory.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};

use durable::{Access, Directory, STAGE};

#[test]
fn a_stage_that_root_had_made_and_not_given_away_is_given_to_its_owner_by_the_next_writer() {
    let base = tempfile::tempdir().expect("a directory");
    // Whoever is not root can give nothing away; then all of this belongs to one user.
    let owner =
        if rustix::process::geteuid().is_root() { 4_711 } else { rustix::process::geteuid().as_raw() };
    chown(base.path(), Some(owner), None).expect("given away");
    let stage = base.path().join(STAGE);
    fs::create_dir(&stage).expect("made");
    fs::write(stage.join("0.left"), "what the dead writer has staged").expect("written");
    let directory = Directory::open(base.path(), base.path()).expect("it can be written to");
    assert_eq!(fs::metadata(&stage).expect("it is there").uid(), owner);
    assert!(!stage.join("0.left").exists(), "nobody publishes it any more");
    directory.write("file", b"next", Access::like(base.path(), 0o600)).expect("written");
    assert_eq!(fs::read(base.path().join("file")).expect("it is there"), b"next");
}
