use super::*;

#[test]
fn the_table_is_sorted_and_has_one_name_in_two_spellings_for_each_setting() {
    assert!(TABLE.is_sorted_by_key(|setting| setting.name));
    for setting in TABLE {
        assert_eq!(setting.name.replace('-', "_"), setting.key);
        assert!(setting.default.is_none_or(|text| setting.accepts(text)), "{}", setting.name);
        assert!(!setting.meaning.ends_with('.') && !setting.rule.is_empty(), "{}", setting.name);
    }
}

#[test]
fn what_a_process_applies_before_it_executes_its_command_holds_from_its_start_on() {
    let text = r#"{"user":"www-data","group":"33","nice":"5","io-priority":"idle","umask":"077","limit-nofile":"9","limit-core":"0",
        "oom-score-adj":"1","no-new-privileges":"yes","private-tmp":"yes","stop-signal":"QUIT","after":"db","log-max-files":"3"}"#;
    let all: TypeSettings = serde_json::from_str(text).expect("settings");
    let of = |settings: &TypeSettings| -> Vec<&str> {
        TABLE.iter().filter(|setting| setting.text(settings).is_some()).map(|setting| setting.name).collect()
    };
    let of_process = of(&all.of_process());
    assert_eq!((of(&all).len(), of_process.len()), (13, 10));
    let holds = |name: &&str| Setting::named(name).is_some_and(|setting| setting.holds_from_start);
    assert_eq!(of(&all).into_iter().filter(holds).collect::<Vec<_>>(), of_process);
}

#[test]
fn the_page_prints_the_table() {
    let rows = TABLE.iter().map(|setting| {
        let Setting { name, key, rule, meaning, .. } = setting;
        let default = setting.default.map(|text| format!("`{text}`")).unwrap_or_default();
        let yes = |holds: bool| if holds { "yes" } else { "" };
        let native = yes(!setting.is_only_for_containers);
        let (docker, swarm) = (yes(setting.is_for_containers), yes(setting.is_for_swarm));
        let rule = rule.replace('<', "\\<");
        format!("| `{name}` | `{key}` | {rule} | {default} | {meaning} | {native} | {docker} | {swarm} |\n")
    });
    let page = include_str!("../../../../docs/settings.md");
    let head = "| setting | in app.json | value | default | what it is | native | docker-local | swarm |\n|---|---|---|---|---|---|---|---|\n";
    let table = format!("{head}{}\n", rows.collect::<String>());
    assert!(page.contains(&table), "docs/settings.md should contain:\n{table}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a row for each setting of the table")]
fn values_that_make_no_sense_are_refused_and_the_others_read_back_as_written() {
    let rows: &[(&str, &[&str], &[&str])] = &[
        (
            "after",
            &["db", "db:ready,migrate:done", "a:started"],
            &["", ",", "db,", "db:", "db:up", "db:Ready", "d b", "a.b", "db,db:done", ":done"],
        ),
        ("cpu-max", &["0.5", "2", "0.01", "1.125", "1024"], &["0", "0.001", "1025", "1.", "-1", "half", ""]),
        (
            "io-priority",
            &["idle", "best-effort:7", "realtime:0"],
            &["idle:1", "best-effort", "best-effort:8", "rt:1", ""],
        ),
        ("memory-max", &["64m", "1g", "512k", "1000b"], &["0m", "64 m", "lots", "-1m", ""]),
        ("memory-restart", &["300m"], &["-1", "0k", ""]),
        ("env-as-secrets", &["yes", "no"], &["1", "Yes", ""]),
        ("no-new-privileges", &["yes", "no"], &["1", "Yes", ""]),
        ("pids-max", &["1", "4194304"], &["0", "-1", "many", "4194305", ""]),
        ("private-tmp", &["yes", "no"], &["on", ""]),
        ("require-limits", &["yes", "no"], &["maybe", ""]),
        ("failure-exit-codes", &["0", "0,SIGTERM"], &["", "256", "SIGNOPE", "-1"]),
        ("group", &["www-data", "33"], &["", "a b", "a:b", "-1", "4294967295"]),
        ("limit-core", &["0", "1048576", "unlimited"], &["", "1m", "-1", "infinity"]),
        ("limit-nofile", &["1024", "unlimited"], &["", "+5", "18446744073709551615"]),
        ("nice", &["-20", "0", "19"], &["", "20", "-21", "+1"]),
        ("oom-score-adj", &["-1000", "500"], &["", "1001"]),
        ("umask", &["022", "777"], &["", "22", "1022", "08", "0o22", "+22", "888"]),
        ("user", &["www-data", "1000"], &["", "-x", "a,b", "/root"]),
        (
            "log-max-age",
            &["30m", "12h", "90d"],
            &["0d", "+1d", "01d", "90", "d", "1y", "99999999999999999999d"],
        ),
        ("log-max-files", &["1", "10000"], &["0", "10001", "many"]),
        ("log-max-size", &["64k", "10m", "1g"], &["0k", "0", "1.m", "99999999999999999g", ""]),
        ("log-when-full", &["drop", "block"], &["Drop", "wait", ""]),
        ("port", &["1", "3000", "65535"], &["0", "65536", "-1", "+1", "http", ""]),
        ("checks", &["asked", "skipped", "disabled"], &["yes", "Skipped", ""]),
        ("ready", &["listening", "notify", "alive"], &["yes", "Alive", ""]),
        ("reload-signal", &["SIGHUP", "SIGUSR2"], &["SIGNOPE", "0", "64", ""]),
        ("restart-delay", &["100ms", "0s", "1d"], &["soon", "-1s", "1.5s", ""]),
        ("restart-delay-max", &["1m"], &["1 m", ""]),
        ("restart-policy", &["no", "on-failure:20"], &["maybe", "on-failure:abc", ""]),
        ("run-timeout", &["10m", "1h"], &["long", "-1s", ""]),
        ("schedule", &["0 3 * * *", "@daily"], &["0 3 * *", "61 * * * *", "@reboot", ""]),
        ("schedule-missed", &["skip", "run-once"], &["run", "Skip", ""]),
        ("schedule-overlap", &["forbid", "allow", "replace"], &["queue", ""]),
        ("schedule-zone", &["Europe/Berlin", "UTC"], &["../UTC", "/etc/localtime", "a b", ""]),
        ("start-timeout-seconds", &["1", "86400"], &["0", "-1", "86401", ""]),
        ("watch-delay", &["300ms", "0s", "1m"], &["soon", "-1s", "1.5s", ""]),
        ("watch-ignore", &["*.tmp", "build/,a/b"], &["", ",", "a,,b"]),
        ("watch-paths", &[".", "src,app.js"], &["", "/etc", "../x", "a/../b", "a,"]),
        ("stop-command", &["nginx -s quit", "kill -QUIT $MAINPID"], &["", "  "]),
        ("stop-signal", &["SIGQUIT", "SIGTERM"], &["SIGNOPE", "0", "64", ""]),
        ("stop-tree", &["whole", "main"], &["Main", "all", ""]),
        ("stop-timeout-seconds", &["0", "45", "86400"], &["-1", "+3", "1.5", "86401", "soon", ""]),
        ("watchdog-seconds", &["1", "86400"], &["0", "-1", "86401", ""]),
        ("stable-after", &["10s", "1h"], &["long", ""]),
        ("start-limit", &["5/10m", "1/1s", "50/365d"], &["5", "0/10s", "5/0", "+5/10s", "51/1d", "/10s", ""]),
        (
            "ulimits",
            &["nofile=1024:2048", "core=0,nproc=512", "memlock=unlimited", "stack=1:unlimited"],
            &[
                "",
                "nofile",
                "nofile=",
                "nofile=lots",
                "nofile=2:1",
                "nofile=unlimited:1",
                "files=1",
                "core=0,core=1",
                "nofile=+1",
                "core=-2",
            ],
        ),
        (
            "mounts",
            &["/srv/a:/a", "/srv/a:/a:ro", "cache:/var/cache", "/x y:/z", r"/a:/b:ro\,z,data:/d"],
            &[
                "",
                "/a",
                "./a:/a",
                "a/b:/a",
                "~/a:/a",
                "../a:/a",
                "/a:a",
                "/a:/",
                "/a:/b/../c",
                "/a:/b:rw\\,ro",
                "/a:/b:fast",
                "x:/a",
                "/a:/x,/b:/x/",
                "/../a:/b",
            ],
        ),
        ("networks", &["front", "front,back"], &["", "host", "none", "container:x", "a b", "a,a", "-a"]),
        (
            "extra-hosts",
            &["db:10.0.0.7", "a:::1,host:host-gateway"],
            &["", "db", "db:", "db:here", ":10.0.0.7", "d b:10.0.0.7", "db:10.0.0"],
        ),
        (
            "labels",
            &["team=shop", r"a=1\,2,b=", "x.y/z=Host(`a`) && b"],
            &["", "=x", "a b=c", "com.dokku.app-name=x", "com.formation.run=1", "dokku=", "a=1,a=2"],
        ),
        (
            "engine-options",
            &[
                "cap-add=NET_ADMIN,cap-add=SYS_PTRACE",
                "shm-size=64m",
                "sysctl=net.core.somaxconn=9",
                "tmpfs=/run:size=1m,read-only=yes",
            ],
            &[
                "",
                "privileged",
                "privileged=yes",
                "pid=host",
                "shm-size=lots",
                "shm-size=1m,shm-size=2m",
                "sysctl=x",
                "cap-add",
                "dns=here",
                "network=x",
                "restart=no",
            ],
        ),
        ("init", &["yes", "no"], &["1", "tini", ""]),
        ("publish", &["host", "ingress", "none"], &["Host", "8080", "host:80", ""]),
        (
            "constraints",
            &["node.role==worker", "node.labels.disk==ssd,node.hostname!=a-1", "engine.labels.os==a b"],
            &[
                "",
                "node.role",
                "node.role=worker",
                "node.role==boss",
                "node.colour==red",
                "node.labels.==x",
                "node.id==",
                "node.id==a==b",
                "node.id==a!=b",
                "node.hostname==ä",
            ],
        ),
        (
            "spread",
            &["node.labels.zone", "node.labels.zone,engine.labels.x"],
            &["", "zone", "node.id", "node.labels."],
        ),
        ("success-exit-codes", &["0", "3,75,SIGTERM"], &["256", "-1", "SIGNOPE", "SIG", ",", ""]),
    ];
    for (name, good, bad) in rows {
        let setting = Setting::named(name).expect("a setting of the table");
        for text in *good {
            let mut settings = TypeSettings::default();
            assert!(setting.take(text, &mut settings), "{name} {text}");
            assert_eq!(setting.text(&settings).as_deref(), Some(*text), "{name}");
        }
        for text in bad.iter().chain(&["two\nlines", "\0"]) {
            assert!(!setting.accepts(text), "{name} {text:?}");
        }
    }
    assert_eq!(rows.len(), TABLE.len(), "each setting has a line here");
}

#[test]
fn a_slip_of_the_finger_finds_the_setting_that_was_meant() {
    for (word, meant) in [
        ("restart_polcy", Some("restart-policy")),
        ("stoptimeoutseconds", Some("stop-timeout-seconds")),
        ("memory", Some("memory-max")),
        ("mount", Some("mounts")),
        ("pids", Some("pids-max")),
        ("colour", None),
        ("é", None),
    ] {
        assert_eq!(Setting::nearest(word).map(|setting| setting.name), meant, "{word}");
    }
}

#[test]
fn what_is_wrong_with_an_element_is_said_with_what_is_allowed() {
    for (name, text, words) in [
        ("engine-options", "privileged=true", &["\"privileged\" is not allowed", "cap-add", "workdir"][..]),
        ("mounts", "./data:/data", &["\"./data\" is relative", "write the whole path"]),
        ("ulimits", "nofile=9:1", &["nofile=9:1", "above its hard one"]),
        ("ulimits", "files=9", &["\"files\" is no ulimit", "nofile"]),
        ("networks", "host", &["\"host\"", "docker network ls"]),
        ("labels", "com.dokku.app-name=x", &["com.dokku.app-name", "cannot be set"]),
        (
            "constraints",
            "node.colour==red",
            &["a node has no \"node.colour\"", "node.role", "node.labels.disk"],
        ),
        ("constraints", "node.role==boss", &["manager or worker"]),
        ("spread", "zone", &["\"zone\" is no label", "node.labels.zone"]),
        ("extra-hosts", "db", &["\"db\" has no address", "10.0.0.7"]),
    ] {
        let said = Setting::named(name).and_then(|setting| setting.fault(text)).expect("it is refused");
        assert!(words.iter().all(|word| said.contains(word)), "{name}: {said}");
    }
}

#[test]
fn elements_with_names_take_the_place_of_those_under_them_and_any_other_value_counts_whole() {
    for (name, over, under, both) in [
        ("mounts", "/a:/x", "/b:/x/,db:/db", "db:/db,/a:/x"),
        ("ulimits", "nofile=5", "nofile=9,core=0", "core=0,nofile=5"),
        ("labels", "a=1", "a=2,b=3", "b=3,a=1"),
        ("extra-hosts", "a:10.0.0.1", "a:10.0.0.2,a:::2,b:10.0.0.3", "b:10.0.0.3,a:10.0.0.1"),
        ("networks", "a", "b", "a"),
        ("memory-max", "64m", "1g", "64m"),
    ] {
        let setting = Setting::named(name).expect("a setting of the table");
        assert_eq!(setting.laid_over(over, under), both, "{name}");
    }
}
