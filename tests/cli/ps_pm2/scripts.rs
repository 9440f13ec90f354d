//! Lines of deploy scripts, Makefiles and CI jobs as people write them for pm2, run by sh with this program in PATH as `pm2`.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::home::Home;

/// Each with what the script prints itself; what pm2 prints is left away.
const SCRIPTS: [(&str, &str); 13] = [
    (
        "pm2 start tick.js -i 4 --name api -- --port 3000 >&2\n\
         pm2 jlist | grep -o '\"status\":\"online\"' | wc -l\n\
         tr '\\0' ' ' < /proc/$(pm2 pid api | head -1)/cmdline | grep -c -- '--port 3000'",
        "4\n1\n",
    ),
    (
        "pm2 startOrRestart two.json --env production >&2; pm2 startOrReload two.json >&2\n\
         pm2 describe 0 | grep status | grep -c online; pm2 restart all >&2 && pm2 save >&2; test -s ~/.pm2/dump.pm2 && echo saved",
        "1\nsaved\n",
    ),
    (
        "pm2 delete all >&2 || true; pm2 start two.json --only other,unknown >&2; pm2 list | grep -c online",
        "1\n",
    ),
    (
        "pm2 start tick.js >&2; pm2 scale tick +2 >&2; pm2 id tick; pm2 sendSignal SIGCONT tick >&2; pm2 reset all >&2\n\
         pm2 dump >&2; pm2 kill >&2; pm2 resurrect >&2; pm2 list | grep -c tick",
        "[ 0, 1, 2 ]\n3\n",
    ),
    (
        "cat two.json | pm2 start - >&2; pm2 prettylist | grep -c \"name: 'one'\"; pm2 list -m | grep status | awk '{print $3}' | uniq",
        "4\nonline\n",
    ),
    (
        "PM2_HOME=$HOME/other pm2 start tick.js >&2; pm2 list | grep -c tick; PM2_HOME=$HOME/other pm2 kill",
        "0\nDaemon killed\n",
    ),
    (
        "for i in 1 2; do if pm2 list | grep -q ' api '; then pm2 reload api >&2; echo reloaded; else pm2 start tick.js --name api >&2; fi; done\n\
         pm2 show api >/dev/null 2>&1 && echo known; pm2 show nosuch >/dev/null 2>&1 || echo unknown",
        "reloaded\nknown\nunknown\n",
    ),
    // A command in one word; programs of the machine run several apps.
    (
        "pm2 start 'sleep 1000' >&2; pm2 start sleep --name two -- 1001 >&2; pm2 stop two >&2; pm2 start sleep --name three -- 1002 >&2\n\
         pm2 jlist | grep -o '\"status\":\"online\"' | wc -l; pm2 id 'sleep 1000'; pm2 start two >&2; pm2 id two\n\
         pm2 start 'sleep 1 | cat' >&2 || echo refused",
        "2\n[ 0 ]\n[ 1 ]\nrefused\n",
    ),
    (
        "pm2 start tick.js --name a --time --log /tmp/a.log --log-date-format YYYY --namespace ns --no-color --no-vizion >&2\n\
         pm2 start tick.js -f --name b --exp-backoff-restart-delay=100 --min-uptime 100 --stop-exit-codes 0,3 --ignore-watch node_modules -a '--x 1' >&2\n\
         pm2 list | grep -c online; tr '\\0' ' ' < /proc/$(pm2 pid b)/cmdline | grep -c -- '--x 1'",
        "2\n1\n",
    ),
    // One instance of several.
    (
        "pm2 start tick.js -i 2 -x >&2; a=$(pm2 pid tick | tail -1); pm2 reload 0 >&2; b=$(pm2 pid tick | tail -1)\n\
         [ \"$a\" = \"$b\" ] && echo kept; pm2 jlist | grep -o '\"restart_time\":[0-9]*'",
        "kept\n\"restart_time\":1\n\"restart_time\":0\n",
    ),
    (
        "pm2 init >&2; ls ecosystem.json; pm2 set pm2:autodump true || echo refused; pm2 serve . || echo refused",
        "ecosystem.json\nrefused\nrefused\n",
    ),
    (
        "x=$(pm2 start tick.js); echo \"$x\" | head -1; kill -0 $(cat ~/.pm2/pm2.pid) && echo daemon; kill -0 $(cat ~/.pm2/pids/tick.pid0.pid) && echo app",
        "PM2 Process launched\ndaemon\napp\n",
    ),
    (
        "pm2 -n api start tick.js >&2; pm2 -s restart api; pm2 logs api --lines 1 --nostream >&2; pm2 flush >&2; pm2 monit | head -1 | wc -l",
        "Processing......\nPM2 Restarting process by name api\nPM2 Process api restarted\n1\n",
    ),
];

#[test]
fn scripts_of_others_do_what_they_do_with_pm2() {
    for (script, wanted) in SCRIPTS {
        let home = Home::new();
        let bin = home.path().join("bin");
        fs::create_dir(&bin).expect("a directory");
        symlink(env!("CARGO_BIN_EXE_ps-pm2"), bin.join("pm2")).expect("a link");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a PATH"));
        let mut sh = Command::new("sh");
        sh.args(["-c", script]).current_dir(home.app("")).env("HOME", home.path()).env("PATH", path);
        let ran = sh.env("PWD", home.app("")).env_remove("PM2_HOME").output().expect("sh runs");
        let said = String::from_utf8_lossy(&ran.stdout);
        assert_eq!(said, wanted, "{script}\n{}", String::from_utf8_lossy(&ran.stderr));
        // The apps of the other home end as well.
        let _ = home.command(&["kill"]).env("PM2_HOME", home.path().join("other")).output();
    }
}
