//! `apply`: an app becomes what a declaration says, whose file that may be, and nothing is touched that has not changed.

use std::io::Write;
use std::process::Stdio;

use crate::home::{Home, assert_same, eventually};

const TWO: &str = "version: '0.5'\nprocesses:\n  web:\n    command: exec sleep 1000\n  worker:\n    command: exec sleep 1001\n    replicas: 2\n";

/// A world with a file of this name in the directory `shop`.
fn world(name: &str, content: &str) -> (Home, String) {
    let home = Home::new();
    let path = home.write(&format!("shop/{name}"), content);
    (home, path.to_str().expect("text").to_owned())
}

fn slots(home: &Home) -> Vec<String> {
    home.pids("shop").into_keys().collect()
}

#[test]
fn only_what_has_changed_is_touched_and_the_second_time_nothing_is() {
    let (home, file) = world("process-compose.yaml", TWO);
    home.does(&["ps-lifecycle", "apply", &file]);
    let first = home.pids("shop");
    assert_eq!(first.keys().collect::<Vec<_>>(), ["web.1", "worker.1", "worker.2"]);
    let again = home.run(&["ps-lifecycle", "apply", &file]);
    assert!(again.status == Some(0) && again.stderr.contains("shop is as declared"), "{again:?}");
    assert_eq!(home.pids("shop"), first, "nothing was started or restarted");
    home.write("shop/process-compose.yaml", &TWO.replace("1001", "1002"));
    let shown = home.run(&["ps-lifecycle", "apply", &file, "--diff"]);
    assert_eq!(shown.status, Some(1), "{shown:?}");
    assert_eq!(shown.stdout, "shop\n~ worker: command: \"exec sleep 1001\" becomes \"exec sleep 1002\"\n");
    let plan = home.does(&["ps-lifecycle", "apply", &file, "--dry-run"]);
    let words: Vec<Vec<&str>> = plan.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!(words, [["web.1", "keep"], ["worker.1", "replace"], ["worker.2", "replace"]], "{plan}");
    assert_eq!(home.pids("shop"), first, "looking changes nothing");
    home.does(&["ps-lifecycle", "apply", &file]);
    let second = home.pids("shop");
    assert_eq!(second["web.1"], first["web.1"], "web has not changed");
    assert!(second["worker.1"] != first["worker.1"] && second["worker.2"] != first["worker.2"]);
    let same = home.run(&["ps-lifecycle", "apply", &file, "--diff"]);
    assert!(same.status == Some(0) && same.stdout.is_empty(), "{same:?}");
}

#[test]
fn a_count_belongs_to_the_declaration_only_where_it_names_one() {
    let (home, file) = world("process-compose.yaml", TWO);
    home.does(&["ps-lifecycle", "apply", &file]);
    let first = home.pids("shop");
    home.does(&["ps-scale", "shop", "web=2", "worker=1"]);
    let shown = home.run(&["ps-lifecycle", "apply", &file, "--diff"]);
    assert_eq!(shown.stdout, "shop\n~ worker: count: 1 becomes 2\n", "{shown:?}");
    home.does(&["ps-lifecycle", "apply", &file]);
    assert_eq!(slots(&home), ["web.1", "web.2", "worker.1", "worker.2"]);
    let now = home.pids("shop");
    assert_eq!(
        (now["web.1"], now["worker.1"]),
        (first["web.1"], first["worker.1"]),
        "no restart for a count"
    );
}

#[test]
fn what_is_not_declared_any_more_stays_until_it_is_to_be_pruned() {
    let (home, file) = world("process-compose.yaml", TWO);
    home.does(&["ps-lifecycle", "apply", &file]);
    let first = home.pids("shop");
    home.write("shop/process-compose.yaml", "processes:\n  web:\n    command: exec sleep 1000\n");
    let kept = home.run(&["ps-lifecycle", "apply", &file]);
    assert!(
        kept.status == Some(0) && kept.stderr.contains("worker is not declared and stays: --prune"),
        "{kept:?}"
    );
    assert_eq!(home.pids("shop"), first);
    let listed = home.run(&["ps-lifecycle", "apply", &file, "--prune", "--diff"]);
    assert_eq!((listed.status, listed.stdout.as_str()), (Some(1), "shop\n- worker\n"), "{listed:?}");
    let pruned = home.run(&["ps-lifecycle", "apply", &file, "--prune"]);
    let places = ["- worker", "-----> Deploying"].map(|line| pruned.stderr.find(line));
    assert!(places[0].is_some() && places[0] < places[1], "it is said before it is done: {pruned:?}");
    assert_eq!(slots(&home), ["web.1"]);
    assert_eq!(home.pids("shop")["web.1"], first["web.1"]);
    home.write("shop/process-compose.yaml", "processes: {}\n");
    home.refuses(&["ps-lifecycle", "apply", &file, "--prune"], 1, &["declares no process"]);
    home.write("shop/process-compose.yaml", "\n");
    home.refuses(&["ps-lifecycle", "apply", &file, "--prune"], 1, &["is empty"]);
    assert_eq!(slots(&home), ["web.1"]);
}

#[test]
fn types_that_another_declaration_has_made_are_not_pruned() {
    let (home, file) = world("process-compose.yaml", TWO);
    home.does(&["ps-lifecycle", "apply", &file]);
    let other = home.write("other/more.yaml", "processes:\n  clock:\n    command: exec sleep 1003\n");
    let other = other.to_str().expect("text");
    home.does(&["ps-lifecycle", "apply", other, "--app", "shop", "--prune"]);
    assert_eq!(slots(&home), ["clock.1", "web.1", "worker.1", "worker.2"]);
    home.does(&["ps-lifecycle", "apply", &file, "--prune"]);
    assert_eq!(slots(&home), ["clock.1", "web.1", "worker.1", "worker.2"]);
}

#[test]
fn only_some_of_the_types_can_be_applied() {
    let (home, file) = world("process-compose.yaml", TWO);
    home.does(&["ps-lifecycle", "apply", &file]);
    let first = home.pids("shop");
    home.write("shop/process-compose.yaml", &TWO.replace("1000", "2000").replace("1001", "2001"));
    home.does(&["ps-lifecycle", "apply", &file, "--only", "worker"]);
    let now = home.pids("shop");
    assert_eq!(now["web.1"], first["web.1"]);
    assert_ne!(now["worker.1"], first["worker.1"]);
    home.refuses(&["ps-lifecycle", "apply", &file, "--only", "clock"], 1, &["does not declare it"]);
    home.does(&["ps-lifecycle", "apply", &file]);
    assert_ne!(home.pids("shop")["web.1"], first["web.1"]);
}

#[test]
fn the_variables_of_other_types_stay_with_only() {
    let pm2 = |api: &str, worker: &str| {
        format!(
            r#"[{{"name":"api","script":"/bin/sleep","args":"1000","exec_interpreter":"none","env":{{"OF_API":"{api}"}}}},
                {{"name":"worker","script":"/bin/sleep","args":"1001","exec_interpreter":"none","env":{{"OF_WORKER":"{worker}"}}}}]"#
        )
    };
    let (home, file) = world("ecosystem.json", &pm2("one", "one"));
    let first = home.run(&["ps-lifecycle", "apply", &file, "--only", "worker"]);
    assert!(first.status == Some(0) && !first.stderr.contains("the Procfile does not have"), "{first:?}");
    assert_eq!(slots(&home), ["worker.1"]);
    home.does(&["ps-lifecycle", "apply", &file]);
    let before = home.pids("shop");
    let variable = |slot: &str, name: &str| {
        let path = format!("/proc/{}/environ", home.pids("shop")[slot]);
        let variables = std::fs::read_to_string(path).expect("it runs");
        variables.split('\0').find_map(|one| one.strip_prefix(&format!("{name}="))).map(str::to_owned)
    };
    home.write("shop/ecosystem.json", &pm2("two", "two"));
    home.does(&["ps-lifecycle", "apply", &file, "--only", "worker"]);
    let now = home.pids("shop");
    assert_eq!(now["api.1"], before["api.1"], "api was not asked for");
    assert_ne!(now["worker.1"], before["worker.1"]);
    assert_eq!(variable("worker.1", "OF_WORKER").as_deref(), Some("two"));
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!(variable("api.1", "OF_API").as_deref(), Some("one"), "it was kept");
    home.does(&["ps-lifecycle", "apply", &file]);
    assert_eq!(variable("api.1", "OF_API").as_deref(), Some("two"));
    let same = home.run(&["ps-lifecycle", "apply", &file, "--diff"]);
    assert!(same.status == Some(0) && same.stdout.is_empty(), "{same:?}");
}

#[test]
fn a_declaration_that_fails_leaves_everything_as_it_was() {
    let (home, file) = world("process-compose.yaml", TWO);
    home.does(&["ps-lifecycle", "apply", &file]);
    let (first, before) = (home.pids("shop"), home.settings());
    for broken in [
        TWO.replace("exec sleep 1001", "exit 3"),
        TWO.replace(
            "    replicas",
            "    environment: [\"LEVEL=debug\"]\n    working_dir: nowhere\n    replicas",
        ),
        TWO.replace("replicas: 2", "shutdown: {signal: nonsense}"),
    ] {
        home.write("shop/process-compose.yaml", &broken);
        let refused = home.run(&["ps-lifecycle", "apply", &file]);
        assert_eq!(refused.status, Some(1), "{refused:?}");
        assert_eq!(home.pids("shop"), first, "{refused:?}");
    }
    assert_same(&before, &home.settings());
    home.write("shop/process-compose.yaml", "processes: [");
    home.refuses(&["ps-lifecycle", "apply", &file, "--diff"], 2, &["process-compose"]);
    let new = home.write("new/process-compose.yaml", "processes:\n  a:\n    command: exit 3\n");
    home.refuses(&["ps-lifecycle", "apply", new.to_str().expect("text")], 1, &["a.1"]);
    assert!(!home.path("home/new").exists(), "an app that did not come up is not there");
}

#[test]
fn a_key_that_nobody_knows_is_named_with_its_place_and_strict_refuses_it() {
    let (home, file) = world("process-compose.yaml", &TWO.replace("replicas", "replica"));
    let strict = home.run(&["ps-lifecycle", "apply", &file, "--strict"]);
    assert_eq!(strict.status, Some(1), "{strict:?}");
    assert!(
        strict.stderr.contains("processes.worker.replica is not known: did you mean replicas?"),
        "{strict:?}"
    );
    assert!(!home.path("home/shop").exists(), "nothing was made");
    let warned = home.run(&["ps-lifecycle", "apply", &file]);
    assert!(warned.status == Some(0) && warned.stderr.contains("processes.worker.replica"), "{warned:?}");
}

#[test]
fn programs_of_supervisord_become_types_with_what_they_ask_for() {
    let (home, file) = world(
        "supervisord.conf",
        "[supervisord]\nenvironment=ALL=1\n\n[program:web]\ncommand=sleep 1000\nstopsignal=INT\nstopwaitsecs=3\n\
         autorestart=true\nautostrt=no\n\n[program:mail]\ncommand=/bin/sh -c 'echo $LEVEL; exec sleep 1000'\n\
         environment=LEVEL=\"debug\"\ndirectory=queue\nnumprocs=2\n\n[program:idle]\ncommand=sleep 1\nautostart=false\n",
    );
    home.write("shop/queue/x", "");
    let ran = home.run(&["ps-lifecycle", "apply", &file]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("program:web.autostrt is not known: did you mean autostart?"), "{ran:?}");
    assert_eq!(slots(&home), ["mail.1", "mail.2", "web.1"]);
    let settings = home.does(&["ps-report", "shop", "--settings"]);
    for said in ["stop-signal", "INT", "always"] {
        assert!(settings.contains(said), "{said}: {settings}");
    }
    let printed = home.does(&["ps-lifecycle", "apply", &file, "--print"]);
    assert!(printed.contains("mail: cd queue || exit; echo $LEVEL; exec sleep 1000\n"), "{printed}");
    assert!(printed.contains("\"stop_timeout_seconds\": 3") && printed.contains("mail=2\n"), "{printed}");
    let first = home.pids("shop");
    home.does(&["ps-lifecycle", "apply", &file]);
    assert_eq!(home.pids("shop"), first);
}

#[test]
fn apps_of_pm2_become_types_and_javascript_is_run_only_where_that_is_allowed() {
    let declaration = r#"{"apps": [
        {"name": "api", "script": "sleep 1000", "instances": 2, "killTimeout": 1600, "max_memory_restart": "300M",
         "env": {"LEVEL": "one"}, "max_restart": 3},
        {"name": "jobs", "script": "sleep 1001", "env": {"LEVEL": "two", "PORT": "7100"}}
    ]}"#;
    let (home, file) = world("ecosystem.json", declaration);
    let ran = home.run(&["ps-lifecycle", "apply", &file]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("api.max_restart is not known: did you mean max_restarts?"), "{ran:?}");
    assert_eq!(slots(&home), ["api.1", "api.2", "jobs.1"]);
    let printed = home.does(&["ps-lifecycle", "apply", &file, "--print"]);
    assert!(printed.contains("api: env LEVEL=\"${LEVEL__api}\" sleep 1000\n"), "{printed}");
    assert!(printed.contains("LEVEL__jobs=two\n") && printed.contains("\"port\": 7100"), "{printed}");
    assert!(
        printed.contains("\"memory_restart\": \"300m\"") && printed.contains("\"start_limit\": \"14/15s\"")
    );
    let variables = std::fs::read(format!("/proc/{}/environ", home.pids("shop")["jobs.1"])).expect("it runs");
    let variables = String::from_utf8_lossy(&variables).into_owned();
    assert!(variables.contains("LEVEL=two\0") && variables.contains("PORT=7100\0"), "{variables}");
    let first = home.pids("shop");
    home.does(&["ps-lifecycle", "apply", &file]);
    assert_eq!(home.pids("shop"), first);
    let script = home.write("shop/ecosystem.config.js", &format!("module.exports = {declaration}"));
    let script = script.to_str().expect("text");
    home.refuses(&["ps-lifecycle", "apply", script], 1, &["--allow-js"]);
    if !std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|path| path.join("node").is_file())
    {
        return skipped::skip("node is not there");
    }
    home.does(&["ps-lifecycle", "apply", script, "--allow-js"]);
    assert_eq!(home.pids("shop"), first, "it declares the same");
}

#[test]
fn a_variable_of_one_process_touches_that_one_alone() {
    let declared = |level: &str, own: &str| {
        format!(
            "processes:\n  web:\n    command: exec sleep 1000\n    environment: [\"LEVEL={level}\"]\n  \
             worker:\n    command: exec sleep 1001\n    environment: [\"LEVEL=low\", {own}]\n"
        )
    };
    let (home, file) = world("process-compose.yaml", &declared("one", "\"A=1\""));
    let of = |slot: &str, home: &Home| home.pids("shop")[slot];
    let apply = |level: &str, own: &str| {
        home.write("shop/process-compose.yaml", &declared(level, own));
        home.does(&["ps-lifecycle", "apply", &file]);
    };
    home.does(&["ps-lifecycle", "apply", &file]);
    let variables = |slot: &str| {
        let variables = std::fs::read(format!("/proc/{}/environ", of(slot, &home))).expect("it runs");
        String::from_utf8_lossy(&variables).into_owned()
    };
    let (web, worker) = (of("web.1", &home), of("worker.1", &home));
    // A variable that both have, with another value for each.
    apply("two", "\"A=1\"");
    assert_eq!(of("worker.1", &home), worker, "it has the same as before");
    assert!(of("web.1", &home) != web && variables("web.1").contains("LEVEL=two\0"));
    let web = of("web.1", &home);
    // A variable that only one has: another value, a further one, and one less.
    for (own, has) in [("\"A=2\"", "A=2\0"), ("\"A=2\", \"B=1\"", "B=1\0"), ("\"A=2\"", "A=2\0")] {
        let worker = of("worker.1", &home);
        apply("two", own);
        assert!(of("worker.1", &home) != worker && variables("worker.1").contains(has), "{own}");
        assert_eq!(of("web.1", &home), web, "{own}");
    }
    // What is kept is kept later too.
    home.does(&["ps-lifecycle", "converge", "shop"]);
    assert_eq!(of("web.1", &home), web);
}

#[test]
fn an_app_of_pm2_is_restarted_when_its_schedule_says_so() {
    let declaration =
        r#"[{"name": "api", "script": "sleep 1000", "cron_restart": "0 30 4 * * *", "time": true}]"#;
    let (home, file) = world("ecosystem.json", declaration);
    let ran = home.run(&["ps-lifecycle", "apply", &file, "--print", "--strict"]);
    assert!(ran.status == Some(0) && ran.stderr.ends_with("api: not carried over: time\n"), "{ran:?}");
    let printed = ran.stdout;
    assert!(printed.contains("\"schedule\": \"30 4 * * *\""), "{printed}");
    let line = printed.lines().find_map(|line| line.trim().strip_prefix("\"command\": "));
    let command: String = serde_json::from_str(line.expect("a command").trim_end_matches(',')).expect("JSON");
    home.does(&["ps-lifecycle", "apply", &file]);
    let before = home.pids("shop");
    // A task knows nothing of this world but what stands in its command.
    let mut task = std::process::Command::new("sh");
    task.args(["-c", &command]).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path(""));
    assert!(task.status().expect("sh runs").success(), "{command}");
    let after = home.pids("shop");
    assert!(before.keys().eq(after.keys()) && before != after, "{before:?} {after:?}");
    home.write("shop/ecosystem.json", &declaration.replace("0 30 4", "x"));
    home.refuses(&["ps-lifecycle", "apply", &file, "--print"], 1, &["cron_restart"]);
}

#[test]
fn a_procfile_is_applied_with_its_app_json() {
    let (home, file) = world("Procfile", "web: exec sleep 1000\nworker: exec sleep 1001 # a comment\n");
    home.write("shop/app.json", "{\"formation\": {\"web\": {\"stop_signal\": \"INT\"}}}");
    home.does(&["ps-lifecycle", "apply", &file]);
    assert_eq!(slots(&home), ["web.1"], "as a deploy does, it begins with web");
    home.does(&["ps-scale", "shop", "worker=1"]);
    let first = home.pids("shop");
    home.does(&["ps-lifecycle", "apply", &file]);
    assert_eq!(home.pids("shop"), first, "a count that a person set survives");
    home.write("shop/Procfile", "web: exec sleep 1000\nworker: exec sleep 1001 # another comment\n");
    assert_eq!(home.run(&["ps-lifecycle", "apply", &file, "--diff"]).status, Some(0));
    home.write("shop/app.json", "{\"formation\": {\"web\": {\"stop_signal\": \"QUIT\"}}}");
    home.does(&["ps-lifecycle", "apply", &file]);
    let now = home.pids("shop");
    assert!(now["web.1"] != first["web.1"] && now["worker.1"] == first["worker.1"], "{first:?} {now:?}");
    // What was declared is deployed again, whatever lies there by now.
    home.write("shop/Procfile", "nonsense: true\n");
    home.does(&["ps-lifecycle", "rebuild", "shop"]);
    assert_eq!(slots(&home), ["web.1", "worker.1"]);
}

#[test]
fn variables_are_replaced_by_those_that_are_declared_and_others_stay() {
    let with = |level: &str| TWO.replace("version", &format!("environment: [\"LEVEL={level}\"]\nversion"));
    let (home, file) = world("process-compose.yaml", &with("one"));
    home.does(&["ps-lifecycle", "apply", &file]);
    let path = home.path("lib/config/shop/ENV");
    let own = "# mine\nTOKEN=secret\n";
    let declared = std::fs::read_to_string(&path).expect("it is there");
    std::fs::write(&path, format!("{own}{declared}")).expect("a file");
    home.write("shop/process-compose.yaml", &with("two"));
    let shown = home.run(&["ps-lifecycle", "apply", &file, "--diff"]);
    assert_eq!(shown.stdout, "shop\n~ variables: LEVEL\n", "no value is shown");
    home.does(&["ps-lifecycle", "apply", &file]);
    let kept = std::fs::read_to_string(&path).expect("it is there");
    assert!(kept.starts_with(own) && kept.contains("LEVEL=two\n") && !kept.contains("one"), "{kept}");
    home.write("shop/process-compose.yaml", TWO);
    home.does(&["ps-lifecycle", "apply", &file]);
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), own);
}

#[test]
fn a_declaration_may_come_on_standard_input() {
    let home = Home::new();
    let apply = |words: &[&str], text: &str| {
        let mut command = home.command(&[&["ps-lifecycle", "apply", "-"], words].concat());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("it starts");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
        child.wait_with_output().expect("it ends")
    };
    let named = apply(&[], &format!("name: shop\n{TWO}"));
    assert!(named.status.success(), "{named:?}");
    assert_eq!(slots(&home), ["web.1", "worker.1", "worker.2"]);
    let unnamed = apply(&[], TWO);
    assert!(
        !unnamed.status.success() && String::from_utf8_lossy(&unnamed.stderr).contains("--app"),
        "{unnamed:?}"
    );
    let procfile = apply(&["--app", "other", "--from", "procfile"], "web: exec sleep 1000\n");
    assert!(procfile.status.success(), "{procfile:?}");
}

#[test]
fn an_app_that_was_stopped_is_not_woken_by_a_declaration_that_says_the_same() {
    let (home, file) = world("process-compose.yaml", TWO);
    home.does(&["ps-lifecycle", "apply", &file]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    let told = home.run(&["ps-lifecycle", "apply", &file]);
    assert!(told.status == Some(0) && told.stderr.contains("shop is stopped"), "{told:?}");
    assert_eq!(slots(&home), [""; 0]);
}

#[test]
fn a_program_of_supervisord_that_is_tried_often_is_taken_with_a_limit_that_can_be_reached() {
    for (retries, startsecs, limit) in [("3", "1", "3/10s"), ("10", "1", "10/93s"), ("999", "10", "50/2990s")]
    {
        let conf =
            format!("[program:web]\ncommand=sleep 1000\nstartretries={retries}\nstartsecs={startsecs}\n");
        let (home, file) = world("supervisord.conf", &conf);
        let printed = home.does(&["ps-lifecycle", "apply", &file, "--print"]);
        assert!(printed.contains(&format!("\"start_limit\": \"{limit}\"")), "{printed}");
        home.does(&["ps-lifecycle", "apply", &file, "--dry-run"]);
    }
}

#[test]
fn what_a_compose_file_says_in_vain_is_named_by_whatever_only_looks() {
    let (home, file) = world(
        "compose.yaml",
        "services:\n  web:\n    build: {context: ., target: runner, args: {TOKEN: hidden-value}}\n    privileged: true\n    network_mode: host\n  \
         debug:\n    image: debug\n    profiles: [debug]\n",
    );
    let source = std::path::Path::new(&file).parent().expect("a directory").display().to_string();
    for words in [
        &["apply", &file, "--dry-run"][..],
        &["apply", &file, "--print"],
        &["apply", &file, "--diff"],
        &["deploy", "shop", "--dir", &source, "--compose", "compose.yaml", "--dry-run"],
    ] {
        let ran = home.run(&[&["ps-lifecycle"], words].concat());
        assert_eq!(ran.status, Some(i32::from(words.contains(&"--diff"))), "{ran:?}");
        assert_eq!(ran.stderr.matches("web: not carried over: ").count(), 1, "{words:?}: {ran:?}");
        for said in ["privileged", "network_mode", "debug: left out: only a profile"] {
            assert!(ran.stderr.contains(said), "{words:?}: {said}: {ran:?}");
        }
        if words.contains(&"--diff") {
            let row = format!("+ web (1): built from {source}, target runner, arguments TOKEN\n");
            assert!(ran.stdout.contains(&row) && !ran.stdout.contains("hidden-value"), "{ran:?}");
        }
    }
}

#[test]
fn what_pm2_would_choose_for_an_app_is_said() {
    let (home, file) = world(
        "ecosystem.json",
        r#"[{"name": "api", "script": "./serve", "exec_mode": "cluster", "env_production": {"A": "1"}, "env_test": {"A": "2"}}]"#,
    );
    let ran = home.run(&["ps-lifecycle", "apply", &file, "--dry-run"]);
    for said in [
        "api: its script has no extension, so it is run as a program: it has to be executable",
        "api: only the variables of env are taken, none of env_production, env_test: move what is needed into env, or use \
         ps-pm2 start FILE --env production",
    ] {
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
    assert!(
        ran.status == Some(0) && !ran.stderr.contains("share a port"),
        "one instance shares nothing: {ran:?}"
    );
}

#[test]
fn the_number_of_a_process_of_supervisord_and_the_files_that_it_includes_count() {
    let (home, file) = world(
        "supervisord.conf",
        "[include]\nfiles = conf.d/*.ini %(here)s/none/*.ini\n\n[program:shard]\nnumprocs=2\nnumprocs_start=3\n\
         process_name=%(program_name)s_%(process_num)02d\n\
         command=/bin/sh -c \"echo number %(process_num)d %(process_num)03d $OWN of %(here)s; exec sleep 1000\"\n\
         environment=OWN=\"n%(process_num)d\"\nexitcodes=2\n",
    );
    home.write("shop/conf.d/b.ini", "[program:b]\ncommand=sleep 1001\n");
    home.write("shop/conf.d/a.ini", "[program:a]\ncommand=sleep 1002\n");
    let ran = home.run(&["ps-lifecycle", "apply", &file]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("/none/*.ini is left out: no file matches"), "{ran:?}");
    assert_eq!(slots(&home), ["a.1", "b.1", "shard.1", "shard.2"]);
    let here = home.path("shop").display().to_string();
    for (slot, number) in [("shard.1", 3), ("shard.2", 4)] {
        let wanted = format!("{slot} | number {number} 00{number} n{number} of {here}\n");
        eventually("it says its number", || {
            let said = home.does(&["ps-lifecycle", "logs", "shop", slot]);
            if said == wanted { Ok(()) } else { Err(said) }
        });
    }
    let printed = home.does(&["ps-lifecycle", "apply", &file, "--print"]);
    assert!(
        printed.contains("\"failure_exit_codes\": \"0\"")
            && printed.contains("\"success_exit_codes\": \"2\""),
        "{printed}"
    );
    let again = home.run(&["ps-lifecycle", "apply", &file]);
    assert!(again.stderr.contains("shop is as declared"), "{again:?}");
}

#[test]
fn an_unknown_key_of_app_json_is_named_once() {
    let (home, file) = world("Procfile", "worker: exec sleep 1000\n");
    home.write("shop/app.json", r#"{"formation": {"worker": {"quantity": 1, "stop_timeout_secnds": 3}}}"#);
    for words in [&["ps-lifecycle", "apply", &file, "--dry-run"][..], &["ps-lifecycle", "apply", &file]] {
        let ran = home.run(words);
        assert_eq!((ran.status, ran.stderr.matches("stop_timeout_secnds").count()), (Some(0), 1), "{ran:?}");
    }
}

#[test]
fn parts_of_keys_that_have_no_effect_are_named() {
    let (home, file) = world(
        "process-compose.yaml",
        "log_location: all.log\nprocesses:\n  web:\n    command: exec sleep 1000\n    availability: {restart: always, exit_on_end: true}\n\
         \x20   liveness_probe: {exec: {command: 'true', working_dir: sub}, success_threshold: 2}\n",
    );
    let ran = home.run(&["ps-lifecycle", "apply", &file, "--print"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let parts = "availability.exit_on_end, liveness_probe.success_threshold, liveness_probe.exec.working_dir";
    assert!(ran.stderr.contains(&format!("web: not carried over: {parts}\n")), "{ran:?}");
    assert!(ran.stderr.contains("not carried over: log_location\n"), "{ran:?}");
    let compose = home.write(
        "other/compose.yaml",
        "services:\n  web:\n    image: busybox\n    depends_on: {db: {condition: service_started, restart: true, required: true}}\n\
         \x20   healthcheck: {test: 'true', start_interval: 2s, often: 1}\n    deploy: {restart_policy: {condition: any, window: 5s}, resources: {limits: {memory: 1g, devices: []}}}\n\
         \x20 db: {image: busybox}\n",
    );
    let ran = home.run(&["ps-lifecycle", "apply", compose.to_str().expect("text"), "--print"]);
    let parts = "deploy.resources.limits.devices, deploy.restart_policy.window, healthcheck.often, depends_on.db.restart";
    assert!(ran.stderr.contains(&format!("services.web: not carried over: {parts}\n")), "{ran:?}");
    assert!(ran.stdout.contains("\"StartInterval\":2000000000"), "{ran:?}");
}

#[test]
fn a_variable_of_process_compose_that_holds_others_is_computed_before_the_command() {
    let (home, file) = world(
        "process-compose.yaml",
        "processes:\n  web:\n    command: echo \"$WHERE $PLAIN\"; exec sleep 1000\n\
         \x20   environment: ['WHERE=${PLACE:-no where}/$PLAIN', 'PLAIN=it''s $$1']\n",
    );
    let refused = home.run(&["ps-lifecycle", "apply", &file]);
    assert!(
        refused.status == Some(0) && refused.stderr.contains("variable WHERE is left out"),
        "{refused:?}"
    );
    let text = std::fs::read_to_string(&file).expect("it is there");
    home.write("shop/process-compose.yaml", &text.replace("no where", "nowhere"));
    let ran = home.run(&["ps-lifecycle", "apply", &file]);
    assert!(ran.status == Some(0) && !ran.stderr.contains("left out"), "{ran:?}");
    eventually("it says its variables", || {
        let said = home.does(&["ps-lifecycle", "logs", "shop", "web"]);
        if said.ends_with("web.1 | nowhere/it's $1 it's $1\n") { Ok(()) } else { Err(said) }
    });
}
