//! An app whose supervisor systemd started, of an earlier version: no verb takes it from systemd. Each names the unit and what to
//! change, changes nothing, and once that was done by hand the app is taken over running. systemd is process 1 of a cage.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cage::{self, Cage};
use crate::home::{Home, programs};
use crate::program::run;
use crate::upgrade::{FIRST, built};

/// systemd takes its time to boot, more so where the machine is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The unit that the page of ps-supervise showed at that commit.
const UNIT: &str = "[Service]\nExecStart=@/bin/ps-supervise @/lib/data/scheduler-native/shop\nEnvironment=HOME=@\n\
                    KillMode=mixed\nRestart=always\n[Install]\nWantedBy=multi-user.target\n";

/// What an administrator does once the programs of today are installed: tries the verbs, then does what they say.
const UPGRADE: &str = "cd @; mkdir out; export HOME=@ DOKKU_ROOT=@/home DOKKU_LIB_ROOT=@/lib PATH=@/bin:$PATH
pid() { systemctl show -p MainPID --value shop.service; }
files() { find home lib -type f ! -path '*/log/*' ! -path '*/.stage/lock' ! -path lib/data/formation/\\* -exec sha256sum {} + | sort; }
see() { cp lib/data/scheduler-native/shop/web.1/status.json out/$1.status; pid >out/$1.pid; files >out/$1.files; }
status=lib/data/scheduler-native/shop/web.1/status.json
until grep -q '\"running\"' $status && ! cmp -s $status of-before-the-power-cut; do sleep 0.1; done
see before
# As a package manager does it: a program takes the name of the other, which runs on.
mv -f today/ps-lifecycle today/ps-supervise bin
for verb in start restart stop converge rebuild destroy; do
  ps-lifecycle $verb shop >out/$verb.said 2>&1; echo $? >>out/$verb.said
  see $verb
done
mkdir -p /etc/systemd/system/shop.service.d
printf '[Service]\\nKillMode=process\\nRestart=always\\n' >/etc/systemd/system/shop.service.d/override.conf
systemctl daemon-reload
systemctl kill --kill-whom=main --signal=KILL shop.service
until now=$(pid) && [ $now != 0 ] && [ $now != $(cat out/before.pid) ] && ps-lifecycle start shop; do sleep 0.1; done
see after
ps-lifecycle restart shop web.1 >out/obeyed.said 2>&1; echo $? >>out/obeyed.said
see obeyed
touch out/finished
";

#[test]
fn an_earlier_supervisor_that_systemd_started_is_left_to_systemd_and_the_verb_says_what_its_unit_needs() {
    if !cage::can_be_built() || !cage::has("systemctl") {
        return;
    }
    let Some(earlier) = built(FIRST) else { return };
    let home = Home::new();
    let source = home.source("shop", "web: exec sleep 100000\n");
    fs::create_dir(home.path("home/shop")).expect("an app");
    let deployed =
        run(home
            .command_at(&earlier, &["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=1"]));
    assert_eq!(deployed.status, Some(0), "{deployed:?}");
    home.power_cut();
    // It says that a process runs which is gone: what runs in the cage is known once it says something else.
    let status = home.path("lib/data/scheduler-native/shop/web.1/status.json");
    fs::copy(status, home.path("of-before-the-power-cut")).expect("copied");
    for (from, to) in [(&*earlier, "bin"), (programs(), "today")] {
        fs::create_dir_all(home.path(to)).expect("made");
        for program in ["ps-lifecycle", "ps-supervise"] {
            fs::copy(from.join(program), home.path(to).join(program)).expect("copied");
        }
    }
    let here = home.path("bin");
    let here = here.parent().expect("a directory").to_str().expect("text");
    home.write("shop.service", &UNIT.replace('@', here));
    home.write("upgrade.sh", &UPGRADE.replace('@', here));
    let upgrade =
        format!("[Service]\nExecStart=/bin/sh {here}/upgrade.sh\n[Install]\nWantedBy=multi-user.target\n");
    home.write("upgrade.service", &upgrade);
    let script =
        format!("cp {here}/*.service /etc/systemd/system; systemctl enable shop.service upgrade.service");
    let cage = Cage::boot(Path::new(here), &script);
    let begin = Instant::now();
    while !home.path("out/finished").exists() {
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
    drop(cage);
    let out = |name: &str| fs::read_to_string(home.path("out").join(name)).unwrap_or_default();
    let process = |name: &str| -> Value {
        let status: Value = serde_json::from_str(&out(&format!("{name}.status"))).expect("JSON");
        assert_eq!(status["state"], "running", "{name}: {status}");
        status["process"].clone()
    };
    for verb in ["start", "restart", "stop", "converge", "rebuild", "destroy"] {
        let said = out(&format!("{verb}.said"));
        let pid = out("before.pid");
        for words in
            [&*format!("process {} ", pid.trim()), "main process of shop.service", "KillMode=process"]
        {
            assert!(said.contains(words), "{verb}: {words:?} is not in {said}");
        }
        assert!(said.ends_with("\n1\n"), "{verb}: {said}");
        let seen = ["pid", "files"].map(|what| out(&format!("{verb}.{what}")));
        assert_eq!(
            seen,
            ["pid", "files"].map(|what| out(&format!("before.{what}"))),
            "{verb} changed something"
        );
        assert_eq!(process(verb), process("before"));
    }
    assert_eq!(process("after"), process("before"), "the app did not survive its supervisor");
    assert_ne!(out("after.pid"), out("before.pid"));
    assert!(out("obeyed.said").ends_with("0\n"), "{}", out("obeyed.said"));
    assert_eq!(out("obeyed.pid"), out("after.pid"), "the supervisor is not systemd's any more");
    assert_ne!(process("obeyed"), process("before"));
}
