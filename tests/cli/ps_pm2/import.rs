//! A pm2 that runs, and whose apps come over one by one. npm installs it where a registry answers, in long runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::clients::get;
use crate::home::{Home, eventually, lives};

/// The directory with the program `pm2`.
fn installed() -> Option<PathBuf> {
    static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
    INSTALLED.get_or_init(install).clone()
}

fn install() -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pm2-latest");
    let programs = directory.join("node_modules/.bin");
    if !programs.join("pm2").exists() {
        if std::env::var_os("FORMATION_TEST_LONG").is_none() {
            skipped::skip("a real pm2 is installed in long runs alone");
            return None;
        }
        fs::create_dir_all(&directory).expect("a directory");
        fs::write(directory.join("package.json"), "{}").expect("written");
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "pm2@latest"]).current_dir(&directory);
        if !npm.output().is_ok_and(|output| output.status.success()) {
            skipped::skip("npm installs no pm2");
            return None;
        }
    }
    Some(programs)
}

/// A real pm2, ended with its test.
struct Pm2<'a> {
    programs: PathBuf,
    home: &'a Home,
}

impl Pm2<'_> {
    fn path(&self) -> String {
        format!("{}:{}", self.programs.display(), std::env::var("PATH").expect("a PATH"))
    }

    fn say(&self, words: &[&str]) -> String {
        let mut command = Command::new(self.programs.join("pm2"));
        command.args(words).current_dir(self.home.app("")).env("PATH", self.path());
        let ran = command.env("PM2_HOME", self.home.path().join("theirs")).output().expect("pm2 runs");
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }

    fn names(&self) -> Vec<String> {
        let said = self.say(&["jlist"]);
        let list = said.lines().rfind(|line| line.starts_with('[')).unwrap_or("[]");
        let list: Vec<serde_json::Value> = serde_json::from_str(list).expect("JSON");
        list.iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Pm2<'_> {
    fn drop(&mut self) {
        self.say(&["kill"]);
    }
}

#[test]
fn apps_come_over_one_by_one_and_what_cannot_stays_where_it_is() {
    let Some(programs) = installed() else { return };
    let home = Home::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = listener.expect("a port").port();
    let program =
        format!("require('http').createServer((q, r) => r.end(String(process.pid))).listen({port});");
    fs::write(home.app("srv.js"), program).expect("a script");
    fs::copy(home.app("tick.js"), home.app("gone.js")).expect("a script");
    let pm2 = Pm2 { programs, home: &home };
    pm2.say(&["start", "srv.js", "-i", "2", "--name", "api"]);
    pm2.say(&["start", "say.sh", "--name", "talker", "--", "-a b"]);
    pm2.say(&["start", "tick.js", "--name", "resting"]);
    pm2.say(&["stop", "resting"]);
    pm2.say(&["start", "gone.js"]);
    fs::remove_file(home.app("gone.js")).expect("it was there");
    let theirs: u64 = eventually(|| get(port)).parse().expect("a pid");
    let ran = home.command(&["import", "../theirs"]).env("PATH", pm2.path()).output().expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(
        out.starts_with("PM2 api is taken over\nPM2 talker is taken over\nPM2 resting is taken over\n"),
        "{out}{err}"
    );
    assert!(
        ran.status.code() == Some(1) && err.contains("gone stays where it is: script not found"),
        "{out}{err}"
    );
    assert_eq!(pm2.names(), ["gone"]);
    assert!(!lives(theirs));
    let pids: Vec<String> = [0, 1].map(|id| home.pid(id).to_string()).into();
    assert!(pids.contains(&eventually(|| get(port))));
    assert_eq!([2, 3].map(|id| home.status(id)), ["online", "stopped"]);
    home.log("../../theirs/logs/talker-out.log", |text| text.contains("args: -a b"));
}

/// Puts a program `pm2` before the real one that has `ps-pm2` killed once the real one has done what `verb` says.
fn killed_after(home: &Home, pm2: &Pm2<'_>, verb: &str) -> String {
    let programs = home.path().join(format!("killing-{verb}"));
    fs::create_dir(&programs).expect("a directory");
    let real = pm2.programs.join("pm2");
    let program = format!(
        "#!/bin/sh\n'{0}' \"$@\" || exit\n[ \"$1\" != {verb} ] || kill -KILL $PPID\n",
        real.display()
    );
    fs::write(programs.join("pm2"), program).expect("a script");
    fs::set_permissions(programs.join("pm2"), fs::Permissions::from_mode(0o755)).expect("ours");
    format!("{}:{}", programs.display(), pm2.path())
}

#[test]
fn an_import_that_was_killed_on_its_way_is_carried_to_its_end_by_the_next_one() {
    let Some(programs) = installed() else { return };
    for verb in ["stop", "delete"] {
        let home = Home::new();
        let pm2 = Pm2 { programs: programs.clone(), home: &home };
        pm2.say(&["start", "say.sh", "--name", "first"]);
        pm2.say(&["start", "tick.js", "--name", "api", "-i", "2", "--watch"]);
        // pm2 forgets that it watches what it stops.
        pm2.say(&["stop", "2"]);
        pm2.say(&["start", "deaf.sh", "--name", "resting"]);
        pm2.say(&["stop", "resting"]);
        let import = |path: String| {
            home.command(&["import", "../theirs"]).env("PATH", path).output().expect("it runs").status
        };
        // Killed with the first one, and with the one that it finds next.
        let killing = killed_after(&home, &pm2, verb);
        assert_eq!(import(killing.clone()).code(), None, "{verb}");
        assert_eq!(import(killing).code(), None, "{verb}");
        assert!(import(pm2.path()).success(), "{verb}");
        assert_eq!(pm2.names(), [""; 0], "{verb}");
        let here = home.list();
        let status = |name: &str| -> Vec<String> {
            let of_name = here.iter().filter(|one| one["name"] == name);
            of_name.map(|one| one["pm2_env"]["status"].as_str().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(
            ["first", "api", "resting"].map(|name| status(name).join(" ")),
            ["online", "online stopped", "stopped"],
            "{verb}"
        );
        let api = here.iter().find(|one| one["name"] == "api").expect("it is there");
        assert_eq!(api["pm2_env"]["watch"], true, "{verb}");
    }
}

#[test]
fn only_what_a_list_on_stdin_names_is_taken_over() {
    let Some(programs) = installed() else { return };
    let home = Home::new();
    let pm2 = Pm2 { programs, home: &home };
    pm2.say(&["start", "tick.js", "--name", "api"]);
    pm2.say(&["start", "say.sh", "--name", "other"]);
    let list: Vec<serde_json::Value> = serde_json::from_str(
        pm2.say(&["jlist"]).lines().rfind(|line| line.starts_with('[')).expect("a list"),
    )
    .expect("JSON");
    let chosen: Vec<_> = list.iter().filter(|one| one["name"] == "other").collect();
    let mut import = home.command(&["import", "-", "../theirs"]);
    let chosen = serde_json::to_string_pretty(&chosen).expect("JSON");
    let ran = import.env("PATH", pm2.path()).write_stdin(chosen).output().expect("it runs");
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(pm2.names(), ["api"]);
    assert_eq!((home.list().len(), home.one(0)["name"].as_str()), (1, Some("other")));
    let nonsense = import_of(&home, &pm2, "no list");
    assert!(nonsense.contains("stdin has no list of apps: pm2 jlist prints one"), "{nonsense}");
}

fn import_of(home: &Home, pm2: &Pm2<'_>, stdin: &str) -> String {
    let mut import = home.command(&["import", "../theirs", "-"]);
    let ran = import.env("PATH", pm2.path()).write_stdin(stdin).output().expect("it runs");
    assert_eq!(ran.status.code(), Some(1));
    String::from_utf8(ran.stderr).expect("text")
}

#[test]
fn where_no_pm2_runs_none_is_started() {
    let home = Home::new();
    let ran = home.say(&["import"]);
    assert!(ran.status == 1 && ran.stderr.contains("no pm2 runs in "), "{ran:?}");
}

#[test]
fn beside_a_pm2_that_runs_in_the_same_home_nothing_is_started_or_overwritten() {
    let Some(programs) = installed() else { return };
    let home = Home::new();
    let pm2 = Pm2 { programs, home: &home };
    pm2.say(&["start", "tick.js", "--name", "api"]);
    pm2.say(&["start", "say.sh", "--name", "other"]);
    pm2.say(&["save"]);
    let theirs = home.path().join("theirs");
    let files = || ["pm2.pid", "dump.pm2"].map(|name| fs::read(theirs.join(name)).expect("it is theirs"));
    let before = files();
    let daemon = String::from_utf8_lossy(&before[0]).trim().to_owned();
    let here = |words: &[&str]| {
        let mut command = home.command(words);
        let ran = command.env("PM2_HOME", &theirs).env("PATH", pm2.path()).output().expect("it runs");
        (ran.status.code(), String::from_utf8(ran.stderr).expect("text"))
    };
    for words in [&["start", "deaf.sh"][..], &["list"], &["save"], &["resurrect"], &["kill"], &["flush"]] {
        let (status, said) = here(words);
        assert!(status == Some(1) && said.contains(&format!("(pid {daemon}) runs in")), "{words:?}: {said}");
        assert!(said.contains("ps-pm2 import takes over what it has"), "{words:?}: {said}");
    }
    assert!(!theirs.join("formation").exists() && !theirs.join("custom_options.sh").exists());
    // Of two apps one comes over: both programs go on, each with its own.
    fs::remove_file(home.app("tick.js")).expect("it was there");
    assert_eq!(here(&["import"]).0, Some(1));
    assert_eq!(pm2.names(), ["api"]);
    let (status, said) = here(&["restart", "other"]);
    assert!(status == Some(0) && said.contains("its apps are not meant"), "{said}");
    assert_eq!(here(&["start", "deaf.sh"]).0, Some(1));
    assert_eq!(files(), before);
    pm2.say(&["kill"]);
    assert_eq!(here(&["restart", "other"]), (Some(0), String::new()));
    assert_ne!(files()[0], before[0]);
    assert_eq!(here(&["kill"]).0, Some(0));
}
