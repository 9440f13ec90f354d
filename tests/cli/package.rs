//! The Debian package, on a machine that has nothing but Debian and systemd: installed, its app back after each boot, upgraded while
//! that runs, removed, and gone without a trace. `scripts/package` makes it of today's programs.

#[path = "package/audit.rs"]
mod audit;
#[path = "package/beside_dokku.rs"]
mod beside_dokku;
#[path = "support/cage.rs"]
mod cage;
#[path = "package/downgrade.rs"]
mod downgrade;
#[path = "ps_lifecycle/home.rs"]
#[allow(dead_code, reason = "these tests use a part of it")]
mod home;
#[path = "package/lintian.rs"]
mod lintian;
#[path = "ps_lifecycle/program.rs"]
#[allow(dead_code, reason = "these tests use a part of it")]
mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::cage::Cage;
use crate::home::programs;

/// Packing, three boots and three installations, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(420);
/// What the administrator of the machine does, boot after boot; `@` becomes the folder, which lies at the same place there.
const ADMINISTRATOR: &str = include_str!("package/administrator");

fn script(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The files of a Debian called `name`, empty but for `packages`; `None`, noted as skipped: there are none to be had.
fn debian(name: &str, packages: &[&str]) -> Option<PathBuf> {
    let place = skipped::state_of_setup().join(name);
    let made =
        Command::new(script("tests/package/base")).arg(&place).args(packages).output().expect("bash runs");
    match made.status.code() {
        Some(0) => Some(place),
        Some(3) => {
            skipped::skip(String::from_utf8_lossy(&made.stderr).trim());
            None
        }
        _ => panic!("{made:?}"),
    }
}

/// Packs the programs of today into `folder`: twice, as this version and as a later one, whose supervisor is another program.
fn pack(folder: &Path) {
    let made = Command::new("bash")
        .arg("-c")
        .arg(include_str!("package/pack"))
        .args([
            "pack".as_ref(),
            script("scripts/package").as_os_str(),
            programs().as_os_str(),
            folder.as_os_str(),
        ])
        .output()
        .expect("bash runs");
    assert!(made.status.success(), "{made:?}");
}

/// Packs the programs of today for a machine, and puts there what its administrator does.
fn prepare(folder: &Path, administrator: &str) {
    fs::create_dir(folder.join("out")).expect("made");
    pack(folder);
    let here = format!("here={}", cage::quoted(&folder.display().to_string()));
    fs::write(folder.join("administrator"), administrator.replace("here=@", &here)).expect("written");
}

/// Lets the administrator of a machine do what is to be done, boot after boot, and gives what was said meanwhile.
fn carry_out(base: &Path, folder: &Path, patience: Duration) -> String {
    let here = cage::quoted(&folder.display().to_string());
    let machine = Cage::machine(
        base,
        folder,
        &format!("exec 2>&1; . {here}/administrator; install_before_the_first_boot"),
    );
    let until = Instant::now() + patience;
    while !folder.join("off").exists() && Instant::now() < until {
        thread::sleep(Duration::from_millis(200));
    }
    let progress = fs::read_to_string(folder.join("out/log")).unwrap_or_default();
    assert!(folder.join("off").exists(), "the administrator came to an end: {progress}");
    drop(machine);
    progress
}

/// What the administrator wrote down.
fn noted(folder: &Path, name: &str) -> String {
    let text = fs::read_to_string(folder.join("out").join(name));
    text.unwrap_or_else(|error| panic!("{name} was not written: {error}")).trim().to_owned()
}

#[test]
fn an_app_of_the_package_comes_back_after_each_boot_runs_on_through_an_upgrade_and_nothing_stays_behind() {
    if !cage::can_be_built() {
        return;
    }
    let Some(base) = debian("empty-debian", &[]) else { return };
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().canonicalize().expect("it is there");
    prepare(&folder, ADMINISTRATOR);
    // It takes as long as the boots, and is asked for its judgement after them.
    let judged = lintian::starts_on(&folder, "today.deb");
    let progress = carry_out(&base, &folder, PATIENCE);

    let noted = |name: &str| noted(&folder, name);
    assert_eq!(noted("installed"), "0", "{progress}");
    assert_eq!(noted("version"), noted("version.wanted"), "the programs are on PATH");
    assert_eq!(noted("procfile-util"), "theirs", "the package of that name keeps its program");
    assert_eq!(noted("owner"), "formation formation", "of the app and its supervisor: {progress}");
    assert_eq!(noted("boot-check"), "0", "the unit of the package is the one that boot would write");
    let wanted = "web,1,running\nworker,1,stopped";
    for when in ["deployed", "rebooted", "upgraded", "reinstalled"] {
        assert_eq!(noted(&format!("status.{when}")), wanted, "{when}: {progress}");
    }
    assert_eq!(
        noted("pid.unit-restarted"),
        noted("pid.before-restart"),
        "a restart of the unit restarts no app"
    );
    assert_eq!(noted("pid.upgraded"), noted("pid.rebooted"), "an upgrade restarts no app");
    assert_eq!(noted("supervisor.upgraded"), "the new program, in the same process");
    assert!(noted("removed").contains("/var/lib/formation stays"), "{progress}");
    assert_eq!(noted("after-removal"), "0", "processes of apps once the package was removed");
    assert_eq!(noted("left-behind"), "", "once the apps are destroyed and the package is purged");
    assert_eq!(noted("theirs-still"), "theirs");
    if let Some(lintian) = judged {
        lintian.finds_nothing();
        lintian::starts_on(&folder, "theirs.deb").expect("it was there").finds("no-copyright-file");
    }
}
