use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::home::Home;

#[test]
fn what_was_dumped_comes_back_as_it_was() {
    let home = Home::new();
    home.done(&["start", "tick.js", "-i", "2", "--name", "api"]);
    home.done(&["start", "say.sh", "--", "a b"]);
    home.done(&["stop", "1"]);
    assert_eq!(home.done(&["dump"]), "PM2 Dumping processes\nProcessing......\n");
    let dump = home.pm2("dump.pm2");
    assert_eq!(fs::metadata(&dump).expect("a dump").permissions().mode() & 0o777, 0o600);
    let entries: Vec<Value> = serde_json::from_slice(&fs::read(&dump).expect("a dump")).expect("JSON");
    assert_eq!(entries.len(), 3);
    assert!(entries.iter().all(|entry| entry.get("pm_id").is_none() && entry.get("instances").is_none()));
    home.done(&["kill"]);
    let out = home.done(&["resurrect"]);
    assert_eq!(out.matches(" launched\n").count(), 3, "{out}");
    let states: Vec<String> = (0..3).map(|id| home.status(id)).collect();
    assert_eq!(states, ["online", "stopped", "online"], "what was stopped stays so");
    assert_eq!(home.one(1)["name"], "api");
    home.log("say.sh-out-2.log", |text| text.contains("args: a b\n"));
    home.done(&["resurrect"]);
    assert_eq!(home.list().len(), 3, "nothing is started twice");
}

/// A process that ends with its test.
struct Left(Child);

impl Drop for Left {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn what_has_outlived_a_pm2_that_died_is_not_started_a_second_time() {
    let home = Home::new();
    let mut command = Command::new("sh");
    let mut left = Left(command.arg(home.app("say.sh")).stdout(Stdio::null()).spawn().expect("it runs"));
    let entry = |name: &str, pid: u32| {
        let file = home.path().join(format!("{name}-0.pid"));
        fs::write(&file, pid.to_string()).expect("a file");
        let env = serde_json::json!({"PATH": std::env::var("PATH").expect("a PATH")});
        serde_json::json!({"name": name, "script": home.app("say.sh"), "pm_pid_path": file, "status": "online", "env": env})
    };
    // The pid of the other one belongs to another program by now.
    let dump = serde_json::json!([entry("left", left.0.id()), entry("gone", std::process::id())]);
    home.done(&["ping"]);
    fs::write(home.pm2("dump.pm2"), dump.to_string()).expect("a dump");
    let ran = home.say(&["resurrect"]);
    let says =
        format!("left is not started, because its process {0} has outlived pm2: kill {0}", left.0.id());
    assert!(ran.status == 0 && ran.stderr.contains(&says), "{ran:?}");
    assert_eq!((home.list().len(), home.one(0)["name"].as_str()), (1, Some("gone")));
    left.0.kill().and_then(|()| left.0.wait()).expect("it is ours");
    home.done(&["resurrect"]);
    assert_eq!(home.list().len(), 2);
}

#[test]
fn instances_that_came_behind_another_app_come_back_with_their_own() {
    let home = Home::new();
    home.done(&["start", "tick.js", "-i", "1", "--name", "api"]);
    home.done(&["start", "say.sh"]);
    home.done(&["scale", "api", "3"]);
    home.done(&["save"]);
    home.done(&["kill"]);
    let out = home.done(&["resurrect"]);
    assert_eq!(out.matches(" launched\n").count(), 4, "{out}");
    let names: Vec<String> =
        home.list().iter().map(|row| row["name"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(names.iter().filter(|name| *name == "api").count(), 3, "{names:?}");
}

#[test]
fn a_dump_that_is_missing_or_damaged_is_refused_and_a_script_that_is_gone_is_named() {
    let home = Home::new();
    let ran = home.say(&["resurrect"]);
    assert!(ran.status == 1 && ran.stderr.contains("dump.pm2 is not there"), "{ran:?}");
    home.done(&["start", "tick.js"]);
    home.done(&["start", "say.sh"]);
    home.done(&["save"]);
    let whole = fs::read(home.pm2("dump.pm2")).expect("a dump");
    home.done(&["kill"]);
    for half in [&whole[..whole.len() / 2], b"", b"[{"] {
        fs::write(home.pm2("dump.pm2"), half).expect("it is ours");
        let ran = home.say(&["resurrect"]);
        assert!(ran.status == 1 && ran.stderr.contains("is damaged"), "{ran:?}");
    }
    fs::write(home.pm2("dump.pm2"), &whole).expect("it is ours");
    fs::remove_file(home.app("tick.js")).expect("it was there");
    let ran = home.say(&["resurrect"]);
    let said =
        format!("PM2 [ERROR]  Process {} not launched - (script missing)\n", home.app("tick.js").display());
    assert_eq!((ran.status, ran.stderr), (0, said));
    assert_eq!(home.one(1)["name"], "say.sh");
    home.done(&["kill"]);
    let ran = home.say(&["save"]);
    assert!(ran.status == 1 && ran.stderr.contains("--force"), "{ran:?}");
    assert_eq!(fs::read(home.pm2("dump.pm2")).expect("a dump"), whole, "it is kept");
}

/// `.pm2` on a file system of its own, which is taken away when this is dropped.
struct Small(std::path::PathBuf);

impl Small {
    fn of(home: &Home) -> Option<Self> {
        let place = home.pm2("");
        fs::create_dir(&place).expect("a directory");
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(&place)
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Self(place))
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        for size in [4096, 1] {
            let block = vec![b'x'; size];
            let mut file =
                fs::OpenOptions::new().create(true).append(true).open(self.0.join("filler")).expect("a file");
            while std::io::Write::write_all(&mut file, &block).is_ok() {}
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_named_and_what_runs_and_what_was_dumped_stay() {
    let home = Home::new();
    let Some(disk) = Small::of(&home) else {
        return skipped::skip("no file system can be mounted here");
    };
    home.done(&["start", "say.sh"]);
    home.done(&["dump"]);
    let pid = home.pid(0);
    disk.fill();
    let refused = home.say(&["start", "tick.js"]);
    assert_eq!(refused.status, 1, "{} {}", refused.stdout, refused.stderr);
    assert_eq!(refused.stderr.matches("PM2 [ERROR]").count(), 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("No space left"), "{}", refused.stderr);
    assert_eq!((home.pid(0), home.list().len()), (pid, 1), "what runs is left alone");
    // What was refused may have made the room of one small file.
    disk.fill();
    let dumped = home.say(&["dump"]);
    let errors = dumped.stderr.matches("PM2 [ERROR]").count();
    assert_eq!(errors, usize::from(dumped.status != 0), "{}", dumped.stderr);
    let dump: Vec<Value> =
        serde_json::from_slice(&fs::read(home.pm2("dump.pm2")).expect("it is there")).expect("it is whole");
    assert_eq!(dump.len(), 1);
    fs::remove_file(home.pm2("filler")).expect("it is ours");
    home.done(&["start", "tick.js"]);
    home.done(&["dump"]);
    assert_eq!(home.list().len(), 2);
    home.done(&["kill"]);
}

#[test]
fn the_dump_before_the_last_one_takes_the_place_of_one_that_is_damaged_or_missing() {
    let home = Home::new();
    home.done(&["start", "say.sh", "--name", "kept"]);
    home.done(&["dump"]);
    home.done(&["kill"]);
    fs::rename(home.pm2("dump.pm2"), home.pm2("dump.pm2.bak")).expect("moved");
    let ran = home.say(&["resurrect"]);
    assert!(ran.status == 0 && ran.stderr.contains("dump.pm2.bak is taken in its place"), "{ran:?}");
    assert_eq!(home.one(0)["name"], "kept");
    home.done(&["kill"]);
    fs::write(home.pm2("dump.pm2"), "[{\"name\":\"ke").expect("written");
    let ran = home.say(&["resurrect"]);
    assert!(ran.status == 0 && ran.stderr.contains("dump.pm2 is damaged"), "{ran:?}");
    assert_eq!(home.one(0)["name"], "kept");
}
