//! The Debian package on the machine of a real Dokku, whose packages somebody has made from its sources (`tests/package/dokku`).

use std::env;
use std::fs;
use std::path::PathBuf;

use crate::{PATIENCE, cage, carry_out, debian, noted, prepare};

/// What the administrator does; `@` becomes the folder, which lies at the same place there.
const ADMINISTRATOR: &str = include_str!("beside_dokku");
/// The directory with the packages of Dokku and of the programs that it needs.
const VARIABLE: &str = "FORMATION_TEST_DOKKU";
/// What Dokku needs of Debian.
const NEEDED: &str = "adduser apache2-utils bind9-dnsutils ca-certificates cpio cron curl debconf docker-compose docker.io dos2unix git jq locales \
                      logrotate man-db net-tools netcat-openbsd nginx openssh-client openssh-server parallel procps python3 rsync rsyslog sudo \
                      unzip util-linux";

fn packages_of_dokku() -> Option<PathBuf> {
    let place = env::var_os(VARIABLE).map(PathBuf::from);
    if place.is_none() {
        skipped::skip(format_args!(
            "no packages of Dokku: tests/package/dokku makes them from its sources, and {VARIABLE} names their directory"
        ));
    }
    place
}

#[test]
fn beside_a_dokku_an_app_comes_back_after_a_boot_and_the_package_leaves_dokku_as_it_was() {
    let Some(packages) = packages_of_dokku() else { return };
    if !cage::can_be_built() {
        return;
    }
    let needed: Vec<&str> = NEEDED.split_whitespace().collect();
    let Some(base) = debian("debian-for-dokku", &needed) else { return };
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().canonicalize().expect("it is there");
    fs::create_dir(folder.join("dokku")).expect("made");
    for package in fs::read_dir(packages).expect("the directory that was named") {
        let package = package.expect("an entry");
        fs::copy(package.path(), folder.join("dokku").join(package.file_name())).expect("copied");
    }
    let busybox = cage::program("busybox").expect("scripts/setup installs it");
    fs::copy(busybox, folder.join("busybox")).expect("copied");
    prepare(&folder, ADMINISTRATOR);
    let progress = carry_out(&base, &folder, 3 * PATIENCE);
    let noted = |name: &str| noted(&folder, name);

    assert_eq!(noted("dokku-installed"), "0", "{progress}");
    assert_eq!(noted("box-deployed"), "0", "{progress}");
    assert_eq!(noted("procfile-util.ours"), "/usr/lib/formation/procfile-util", "where there is no other");
    for when in ["both", "theirs"] {
        assert_eq!(
            noted(&format!("procfile-util.{when}")),
            noted("procfile-util.alone"),
            "{when}: {progress}"
        );
    }
    assert_eq!(noted("installed"), "0", "{progress}");
    for when in ["installed", "deployed", "rebooted", "removed"] {
        assert_eq!(noted(&format!("changed.{when}")), "", "files of the machine, {when}: {progress}");
    }
    for when in ["deployed", "rebooted"] {
        assert_eq!(noted(&format!("status.{when}")), "web,1,running\nworker,1,stopped", "{when}: {progress}");
    }
    for what in ["plugin-installed", "plugin-checked", "plugin-uninstalled"] {
        assert_eq!(noted(what), "0", "{progress}");
    }
    let alone = noted("dokku.alone");
    assert!(alone.contains("-----> Scaling idle processes: web=2 worker=1"), "{alone}");
    assert!(alone.contains("start 0: true, 1"), "{alone}");
    for when in ["with-package", "with-plugin", "rebooted", "without-package", "uninstalled", "purged"] {
        assert_eq!(noted(&format!("dokku.{when}")), alone, "what Dokku answers, {when}");
    }
    assert!(noted("removed").contains("Dokku keeps the plugin ps of Formation"), "{progress}");
    assert_eq!(noted("left-behind"), "", "once the plugin and the package are gone");
}
