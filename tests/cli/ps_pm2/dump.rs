use std::fs;
use std::os::unix::fs::PermissionsExt;

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
