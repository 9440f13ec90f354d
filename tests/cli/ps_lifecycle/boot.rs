//! `boot`: apps come back when the machine starts, by whichever init system it has.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::cage::{self, Cage};
use crate::home::{Home, programs};

/// systemd takes its time to boot, more so where the machine is busy.
const PATIENCE: Duration = Duration::from_secs(120);
const INITS: [(&str, &str); 5] = [
    ("systemd", "etc/systemd/system/NAME.service"),
    ("systemd-user", ".config/systemd/user/NAME.service"),
    ("openrc", "etc/init.d/NAME"),
    ("runit", "etc/sv/NAME/run"),
    ("sysv", "etc/init.d/NAME"),
];

/// The name of the service of a world that is not the usual one: it says where the world lies.
fn service(home: &Home) -> String {
    let path = home.path("").display().to_string();
    let path = path.trim_matches('/').replace('_', "__").replace('-', "_-").replace('/', "-");
    format!("formation-{path}")
}

/// All that lies below a directory: path to content, mode or target.
fn files(base: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().expect("it is there");
        if kind.is_symlink() {
            found.insert(path.clone(), format!("-> {}", fs::read_link(&path).expect("a link").display()));
        } else if kind.is_dir() {
            found.insert(path.clone(), "a directory".to_owned());
            found.extend(files(&path));
        } else {
            let mode = path.metadata().expect("it is there").permissions().mode();
            found.insert(path.clone(), format!("{mode:o} {}", fs::read_to_string(&path).expect("text")));
        }
    }
    found
}

/// An image that is being made, empty.
fn image(home: &Home) -> PathBuf {
    let image = home.path("image");
    fs::create_dir_all(&image).expect("made");
    image
}

fn boot(home: &Home, what: &str, init: &str) -> crate::program::Ran {
    let image = image(home);
    home.run(&["ps-lifecycle", "boot", what, "--init", init, "--root", image.to_str().expect("text")])
}

/// The file with the words of an init system, below the image.
fn words(home: &Home, init: &str) -> PathBuf {
    let (_, path) = INITS.into_iter().find(|(name, _)| *name == init).expect("a known one");
    let path = path.replace("NAME", &service(home));
    match init {
        "systemd-user" => image(home).join(home.path(&path).strip_prefix("/").expect("absolute")),
        _ => image(home).join(path),
    }
}

#[test]
fn enable_can_be_done_twice_and_disable_leaves_nothing() {
    for (init, _) in INITS {
        let home = Home::new();
        assert_eq!(boot(&home, "check", init).status, Some(1), "{init}: nothing is there");
        let shown = boot(&home, "show", init);
        assert_eq!((shown.status, files(&image(&home)).len()), (Some(0), 0), "{init}: show changes nothing");
        let enabled = boot(&home, "enable", init);
        assert_eq!(enabled.status, Some(0), "{init}: {enabled:?}");
        let before = files(&image(&home));
        let text = fs::read_to_string(words(&home, init)).expect("it was written");
        assert!(shown.stdout.contains(&text), "{init}: what is shown is what is written: {shown:?}");
        for needed in
            ["ps-lifecycle restore --all", "DOKKU_LIB_ROOT=", home.path("lib").to_str().expect("text")]
        {
            assert!(text.contains(needed), "{init}: {needed} is not in {text}");
        }
        assert_eq!(boot(&home, "check", init).stdout, "", "{init}");
        let again = boot(&home, "enable", init);
        assert!(again.status == Some(0) && again.stderr.contains("already"), "{init}: {again:?}");
        assert_eq!(files(&image(&home)), before, "{init}");
        let disabled = boot(&home, "disable", init);
        assert_eq!(disabled.status, Some(0), "{init}: {disabled:?}");
        assert_eq!(files(&image(&home)), BTreeMap::new(), "{init}");
        assert_eq!(boot(&home, "disable", init).status, Some(0), "{init}: nothing is there to remove");
    }
}

#[test]
fn two_worlds_have_a_service_each_and_one_that_was_made_under_the_name_of_all_keeps_it() {
    let home = Home::new();
    for (init, _) in INITS {
        let image = image(&home);
        let of_the_usual = |what: &str| {
            let text = image.to_str().expect("text");
            let mut command = home.command(&["ps-lifecycle", "boot", what, "--init", init, "--root", text]);
            let base = match init {
                "systemd-user" => home.path(".local/state/formation"),
                _ => PathBuf::from("/var/lib/formation"),
            };
            command.env("DOKKU_ROOT", base.join("home")).env("DOKKU_LIB_ROOT", base.join("lib"));
            crate::program::run(command)
        };
        assert_eq!(boot(&home, "enable", init).status, Some(0), "{init}");
        let other = fs::read_to_string(words(&home, init)).expect("it was written");
        assert_eq!(of_the_usual("enable").status, Some(0), "{init}");
        let path = words(&home, init).display().to_string().replace(&service(&home), "formation");
        let path = Path::new(&path);
        assert!(fs::read_to_string(path).expect("it was written") != other, "{init}");
        assert_eq!(fs::read_to_string(words(&home, init)).expect("it is there"), other, "{init}");
        assert_eq!(of_the_usual("disable").status, Some(0), "{init}");
        assert_eq!(boot(&home, "check", init).stdout, "", "{init}");
        // As an earlier version left it.
        assert_eq!(boot(&home, "disable", init).status, Some(0), "{init}");
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, &other).expect("written");
        assert_eq!(boot(&home, "enable", init).status, Some(0), "{init}");
        assert!(path.exists() && !words(&home, init).exists(), "{init}");
        assert_eq!(boot(&home, "disable", init).status, Some(0), "{init}");
        assert_eq!(files(&image), BTreeMap::new(), "{init}");
    }
}

#[test]
fn systemd_is_told_the_group_of_the_root_that_supervisors_look_beside_and_to_clear_the_unit_after_it() {
    let home = Home::new();
    for init in ["systemd", "systemd-user"] {
        let shown = boot(&home, "show", init).stdout;
        let subgroup = format!("\nDelegate=yes\nDelegateSubgroup={}\n", os_process::UNIT_SUBGROUP);
        assert!(shown.contains(&subgroup), "{init}: {shown}");
        let clear = shown.lines().find_map(|line| line.strip_prefix("ExecStopPost=-")).expect("it is told");
        // A process that is no control process of a unit has nothing to clear.
        let cleared = home.run(&clear.split(' ').collect::<Vec<_>>());
        assert_eq!(
            (cleared.status, &*cleared.stdout, &*cleared.stderr),
            (Some(0), "", ""),
            "{init}: {clear}"
        );
    }
}

#[test]
fn with_watch_a_service_sees_to_containers_too_and_disable_removes_both() {
    for (init, path) in [
        ("systemd", "etc/systemd/system/NAME-watch.service"),
        ("systemd-user", ".config/systemd/user/NAME-watch.service"),
        ("openrc", "etc/init.d/NAME-watch"),
        ("runit", "etc/sv/NAME-watch/run"),
    ] {
        let home = Home::new();
        let image = image(&home);
        let base = if init == "systemd-user" {
            image.join(home.path("").strip_prefix("/").expect("absolute"))
        } else {
            image.clone()
        };
        let text = image.to_str().expect("text");
        let watched =
            |what: &str| home.run(&["ps-lifecycle", "boot", what, "--watch", "--init", init, "--root", text]);
        assert_eq!(watched("enable").status, Some(0), "{init}");
        let service =
            fs::read_to_string(base.join(path.replace("NAME", &service(&home)))).expect("it was written");
        for needed in ["watch", "--all", "DOKKU_LIB_ROOT=", home.path("lib").to_str().expect("text")] {
            assert!(service.contains(needed), "{init}: {needed} is not in {service}");
        }
        assert_eq!(watched("check").stdout, "", "{init}");
        assert_eq!(boot(&home, "disable", init).status, Some(0), "{init}");
        assert_eq!(files(&image), BTreeMap::new(), "{init}");
    }
    let home = Home::new();
    let text = image(&home);
    let words = [
        "ps-lifecycle",
        "boot",
        "enable",
        "--watch",
        "--init",
        "sysv",
        "--root",
        text.to_str().expect("text"),
    ];
    home.refuses(&words, 1, &["System V init keeps no program running"]);
}

#[test]
fn check_names_what_differs_and_enable_mends_it() {
    for (init, _) in INITS {
        let home = Home::new();
        boot(&home, "enable", init);
        let path = words(&home, init);
        let text = fs::read_to_string(&path).expect("it was written");
        fs::write(&path, text.replace("restore --all", "restore one")).expect("written");
        let checked = boot(&home, "check", init);
        assert_eq!(checked.status, Some(1), "{init}: {checked:?}");
        let has = |sign: &str, word: &str| {
            checked.stdout.lines().any(|line| line.contains(&format!(": {sign}")) && line.contains(word))
        };
        assert!(has("-", "restore one") && has("+", "restore --all"), "{init}: {checked:?}");
        assert_eq!(boot(&home, "enable", init).status, Some(0), "{init}");
        assert_eq!(boot(&home, "check", init).status, Some(0), "{init}");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), text, "{init}");
    }
}

#[test]
fn what_somebody_else_wrote_is_neither_overwritten_nor_removed() {
    for (init, _) in INITS {
        let home = Home::new();
        let path = words(&home, init);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(&path, "#!/bin/sh\n# my own\n").expect("written");
        let before = files(&image(&home));
        let enabled = boot(&home, "enable", init);
        enabled.is_refused(1, &[path.to_str().expect("text"), "was not written by ps-lifecycle boot"]);
        let disabled = boot(&home, "disable", init);
        assert!(disabled.status == Some(0) && disabled.stderr.contains("it stays"), "{init}: {disabled:?}");
        assert_eq!(files(&image(&home)), before, "{init}");
    }
}

#[test]
fn a_link_to_which_another_number_was_given_is_the_same_link() {
    let home = Home::new();
    boot(&home, "enable", "sysv");
    let level = image(&home).join("etc/rc3.d");
    let [ours, theirs] = ["S20", "S01"].map(|number| level.join(format!("{number}{}", service(&home))));
    fs::rename(&ours, theirs).expect("renamed");
    assert_eq!(boot(&home, "check", "sysv").stdout, "");
    boot(&home, "enable", "sysv");
    assert!(!ours.exists());
    boot(&home, "disable", "sysv");
    assert_eq!(files(&image(&home)), BTreeMap::new());
}

#[test]
fn a_path_without_a_version_comes_before_one_with_a_version() {
    let home = Home::new();
    let version = home.path("opt/formation-1.2.3/bin");
    let lasting = home.path("links");
    for directory in [&version, &lasting] {
        fs::create_dir_all(directory).expect("made");
    }
    for program in ["ps-lifecycle", "ps-supervise"] {
        fs::copy(programs().join(program), version.join(program)).expect("copied");
        std::os::unix::fs::symlink(version.join(program), lasting.join(program)).expect("linked");
    }
    let show = |path: &[&Path]| {
        let mut command = home.command_at(&version, &["ps-lifecycle", "boot", "show", "--init", "systemd"]);
        command.env("PATH", std::env::join_paths(path).expect("a PATH"));
        crate::program::run(command)
    };
    let with = show(&[&version, &lasting]);
    let lines = [format!("ExecStart={}/ps-supervise --root ", lasting.display())];
    assert!(lines.iter().all(|line| with.stdout.contains(line)), "{with:?}");
    assert_eq!(with.stderr, "");
    let without = show(&[&version]);
    assert!(without.stderr.contains("contains a version"), "{without:?}");
}

#[test]
fn what_cannot_be_done_is_refused_and_says_why() {
    let home = Home::new();
    home.refuses(
        &["ps-lifecycle", "boot", "enable", "--init", "upstart"],
        2,
        &["systemd-user, openrc, runit, sysv"],
    );
    home.refuses(
        &["ps-lifecycle", "boot", "show", "--init", "systemd", "--user", "no-such-user"],
        1,
        &["no-such-user"],
    );
    home.refuses(
        &["ps-lifecycle", "boot", "show", "--init", "systemd-user", "--user", "daemon"],
        1,
        &["run this as daemon"],
    );
    let mut odd = home.command(&["ps-lifecycle", "boot", "show", "--init", "systemd-user"]);
    odd.env("HOME", "relative").env_remove("XDG_CONFIG_HOME");
    crate::program::run(odd).is_refused(1, &["set one of them to an absolute path"]);
    let mut odd = home.command(&["ps-lifecycle", "boot", "show", "--init", "systemd"]);
    odd.env("DOKKU_LIB_ROOT", home.path("a\nExecStart=/bin/sh"));
    crate::program::run(odd).is_refused(1, &["control character"]);
}

#[test]
fn the_scripts_are_scripts_of_a_shell_and_the_unit_is_one_of_systemd() {
    let home = Home::new();
    for init in ["openrc", "runit", "sysv"] {
        boot(&home, "enable", init);
        let judged = Command::new("sh").arg("-n").arg(words(&home, init)).output().expect("sh runs");
        assert!(judged.status.success(), "{init}: {judged:?}");
        boot(&home, "disable", init);
    }
    if !cage::has("systemd-analyze") {
        return;
    }
    boot(&home, "enable", "systemd");
    let judged =
        Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(words(&home, "systemd")).output();
    let said = String::from_utf8_lossy(&judged.expect("it runs").stderr).into_owned();
    // Before version 254 it ignores this key, and says so.
    let is_newer = |line: &&str| line.contains("'DelegateSubgroup' in section");
    let about_ours: Vec<&str> =
        said.lines().filter(|line| line.contains(&service(&home)) && !is_newer(line)).collect();
    assert_eq!(about_ours, Vec::<&str>::new());
}

/// What happens after systemd has started: the apps come back by themselves; then the service is started anew, and its root killed.
const AFTER_BOOT: &str = "cd @; mkdir -p out; export HOME=@ DOKKU_ROOT=@/home DOKKU_LIB_ROOT=@/lib PATH=@/bin:$PATH
see() {
  until ps-lifecycle status --json >out/$1.json 2>out/$1.said; ! grep -q starting out/$1.json; do sleep 0.1; done
  systemctl show -p MainPID --value NAME.service >out/$1.root
}
until [ $(systemctl is-active NAME.service) = active ]; do sleep 0.1; done
see booted
systemctl restart NAME.service; echo $? >out/restarted
see restarted
systemctl kill --kill-whom=main --signal=KILL NAME.service
until now=$(systemctl show -p MainPID --value NAME.service) && [ $now != 0 ] && [ $now != $(cat out/restarted.root) ] && [ $(systemctl is-active NAME.service) = active ]; do sleep 0.1; done
see killed
ps-lifecycle boot check --init systemd >out/check; echo $? >>out/check
ps-lifecycle boot disable --init systemd 2>out/disable; echo $? >>out/disable
see disabled
find /etc/systemd/system -name '*formation*' >out/left
touch out/finished
";

#[test]
fn under_systemd_apps_come_back_at_boot_those_that_were_stopped_stay_so_and_a_restart_of_the_unit_restarts_no_app()
 {
    if !cage::can_be_built() || !cage::has("systemctl") {
        return;
    }
    let home = Home::new();
    fs::create_dir_all(home.path("bin")).expect("made");
    for program in ["ps-lifecycle", "ps-supervise"] {
        fs::copy(programs().join(program), home.path("bin").join(program)).expect("copied");
    }
    let source = home.source("source", "web: exec sleep 100000\nworker: exec sleep 100000\n");
    for app in ["shop", "box"] {
        home.does(&["ps-lifecycle", "deploy", app, "--dir", &source, "--scale", "web=2", "worker=1"]);
    }
    home.does(&["ps-lifecycle", "stop", "box"]);
    home.does(&["ps-lifecycle", "stop", "shop", "web.2"]);
    home.power_cut();
    let here = home.path("bin");
    let here = here.parent().expect("a directory").to_str().expect("text");
    home.write("after.sh", &AFTER_BOOT.replace('@', here).replace("NAME", &service(&home)));
    home.write(
        "after.service",
        &format!("[Service]\nExecStart=/bin/sh {here}/after.sh\n[Install]\nWantedBy=multi-user.target\n"),
    );
    let script = format!(
        "export HOME={here} DOKKU_ROOT={here}/home DOKKU_LIB_ROOT={here}/lib PATH={here}/bin:$PATH
cp {here}/after.service /etc/systemd/system; systemctl enable after.service
ps-lifecycle boot enable --init systemd"
    );
    let cage = Cage::boot(Path::new(here), &script);
    let began = Instant::now();
    while !home.path("out/finished").exists() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
    drop(cage);
    let out = |name: &str| fs::read_to_string(home.path("out").join(name)).unwrap_or_default();
    let seen = |name: &str| -> BTreeMap<String, String> {
        let rows = out(&format!("{name}.json"));
        let rows = rows.lines().map(|row| serde_json::from_str::<serde_json::Value>(row).expect("JSON"));
        rows.map(|row| {
            let name = format!("{}.{}", row["app"], crate::home::slot(&row)).replace('"', "");
            (name, format!("{} {}", row["state"], row["pid"]).replace('"', ""))
        })
        .collect()
    };
    let booted = seen("booted");
    for (slot, state) in &booted {
        let is_up = ["shop.web.1", "shop.worker.1"].contains(&&**slot);
        assert_eq!(state.starts_with("running "), is_up, "{booted:?}, {}", out("booted.said"));
    }
    assert_eq!(booted.len(), 6, "{booted:?}");
    for later in ["restarted", "killed", "disabled"] {
        assert_eq!(seen(later), booted, "{later}: {}", out(&format!("{later}.said")));
        assert_eq!(out(&format!("{later}.said")), out("booted.said"));
    }
    assert_eq!(out("restarted"), "0\n");
    assert_ne!(out("restarted.root"), out("booted.root"));
    assert_eq!(out("check"), "0\n");
    assert!(out("disable").ends_with("\n0\n"), "{}", out("disable"));
    assert_eq!(out("left"), "", "something is left");
}
