//! `apply --only` of a Compose file: the named services come with what they depend on, and the others stay as they are.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::engine::{IMAGE, containers, has_engine, inspect, name};
use crate::home::{Home, eventually};
use crate::program::Ran;

/// The image of its services is one that a test with an engine has.
fn file(worker: &str) -> String {
    format!(
        "services:\n  \
           web: {{image: {IMAGE}, command: sleep 1000, stop_grace_period: 1s, depends_on: [cache]}}\n  \
           cache: {{image: {IMAGE}, command: sleep 1000, stop_grace_period: 1s, depends_on: {{fill: {{condition: service_completed_successfully}}}}}}\n  \
           fill: {{image: {IMAGE}, command: echo filled}}\n  \
           worker: {{image: {IMAGE}, command: {worker}, stop_grace_period: 1s, privileged: true}}\n  \
           console: {{image: {IMAGE}, command: sleep 1000, stop_grace_period: 1s, profiles: [dev], depends_on: [probe]}}\n  \
           probe: {{image: {IMAGE}, command: sleep 1000, stop_grace_period: 1s, profiles: [dev]}}\n"
    )
}

fn world(text: &str) -> (Home, String) {
    let home = Home::as_installed();
    let path = home.write("src/compose.yaml", text).to_str().expect("text").to_owned();
    (home, path)
}

/// The first word of each line: the slots of a plan.
fn slots(plan: &str) -> Vec<&str> {
    plan.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

#[test]
fn what_a_service_depends_on_comes_along_and_the_plan_says_so() {
    let (home, path) = world(&file("sleep 1000"));
    let looks = |only: &str, look: &str| -> Ran {
        let ran = home.run(&["ps-lifecycle", "apply", &path, "--only", only, look]);
        assert_eq!(ran.status, Some(i32::from(look == "--diff")), "{ran:?}");
        ran
    };
    let web = looks("web", "--dry-run");
    assert_eq!(slots(&web.stdout), ["cache.1", "fill.1", "web.1"], "{web:?}");
    for said in
        ["cache comes along, because web depends on it", "fill comes along, because cache depends on it"]
    {
        assert!(web.stderr.contains(said), "{said}: {web:?}");
    }
    assert!(!web.stderr.contains("privileged"), "what is said of others does not matter: {web:?}");
    let worker = looks("worker", "--diff");
    assert_eq!(worker.stdout, format!("src (new)\n+ worker (1): {IMAGE}\n"));
    assert!(worker.stderr.contains("worker: not carried over: privileged"), "{worker:?}");
    let both = looks("fill,worker", "--dry-run");
    assert_eq!(slots(&both.stdout), ["fill.1", "worker.1"], "{both:?}");
    assert!(!both.stderr.contains("comes along"), "{both:?}");
    // A service that is named needs no profile, and what shares its profile may come along.
    assert_eq!(slots(&looks("console", "--dry-run").stdout), ["console.1", "probe.1"]);
    let printed = looks("worker", "--print");
    assert_eq!(printed.stdout.lines().count(), 1, "{printed:?}");
    assert!(!home.path("home/src").exists(), "looking changes nothing");
}

#[test]
fn a_name_that_the_file_does_not_have_is_refused_with_the_nearest_one() {
    let (home, path) = world(&file("sleep 1000"));
    let names = "web, cache, fill, worker, console, probe";
    for (only, says) in [
        ("wrker", format!("there is no service wrker, but {names}: did you mean worker?")),
        ("web,other", format!("there is no service other, but {names}")),
    ] {
        home.refuses(&["ps-lifecycle", "apply", &path, "--only", only], 1, &[&says]);
        home.refuses(&["ps-lifecycle", "apply", &path, "--only", only, "--diff"], 2, &[&says]);
    }
    let native = home.write("own/process-compose.yaml", "processes:\n  web:\n    command: exec sleep 1000\n");
    let native = native.to_str().expect("text");
    home.refuses(
        &["ps-lifecycle", "apply", native, "--only", "wbe"],
        1,
        &["does not declare it, but web: did you mean web?"],
    );
    // Nothing of an app that runs natively can stay beside services.
    home.does(&["ps-lifecycle", "apply", native, "--app", "src"]);
    let says = "src runs from a declaration and not from a Compose file";
    home.refuses(&["ps-lifecycle", "apply", &path, "--only", "web"], 1, &[says]);
}

/// The id of each container, by slot.
fn ids(home: &Home, app: &str) -> BTreeMap<String, String> {
    let all = inspect(home, app);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let of = |one: &Value| (text(&one["Config"]["Labels"]["com.dokku.dyno"]), text(&one["Id"]));
    all.as_array().expect("containers").iter().map(of).collect()
}

#[test]
fn other_services_keep_their_containers_and_others_do_not_come_by_a_rebuild() {
    if !has_engine() {
        return;
    }
    let (home, path) = world(&file("sleep 1000"));
    let app = name("only");
    let apply = |more: &[&str]| {
        let ran = home.run(&[&["ps-lifecycle", "apply", &path, "--app", &app], more].concat());
        assert_eq!(ran.status, Some(0), "{ran:?}");
        (ids(&home, &app), ran)
    };
    let keys = |ids: &BTreeMap<String, String>| ids.keys().cloned().collect::<Vec<_>>();
    let (alone, _) = apply(&["--only", "worker"]);
    assert_eq!(keys(&alone), ["worker.1"]);
    home.write("src/compose.yaml", &file("sleep 1001"));
    let (both, ran) = apply(&["--only", "web"]);
    assert_eq!(keys(&both), ["cache.1", "fill.1", "web.1", "worker.1"], "{ran:?}");
    assert_eq!(
        both["worker.1"], alone["worker.1"],
        "the file says otherwise of it, and it was not asked for"
    );
    let (again, ran) = apply(&["--only", "web"]);
    assert!(again == both && ran.stderr.contains("is as declared"), "{ran:?}");
    let (tool, _) = apply(&["--only", "probe"]);
    assert_eq!(keys(&tool), ["cache.1", "fill.1", "probe.1", "web.1", "worker.1"]);

    // The file is read again, but what was not asked for does not come.
    home.does(&["ps-lifecycle", "rebuild", &app]);
    let rebuilt = ids(&home, &app);
    assert_eq!(keys(&rebuilt), keys(&tool));
    let command = |slot: &str| {
        let all = inspect(&home, &app);
        let all = all.as_array().expect("containers");
        let one = all.iter().find(|one| one["Config"]["Labels"]["com.dokku.dyno"] == slot).expect("it");
        one["Config"]["Cmd"].to_string()
    };
    eventually("the worker is as the file says", || {
        if command("worker.1").contains("1001") { Ok(()) } else { Err(command("worker.1")) }
    });

    // What the file has no longer stays too, until it is told to go; what a profile starts has come to stay.
    let lines = file("sleep 1001");
    let short: String = lines.split_inclusive('\n').filter(|line| !line.starts_with("  worker")).collect();
    home.write("src/compose.yaml", &short);
    let (kept, ran) = apply(&["--only", "cache"]);
    assert!(kept == rebuilt && ran.stderr.contains("worker is not declared and stays: --prune"), "{ran:?}");
    let (pruned, _) = apply(&["--only", "cache", "--prune"]);
    assert_eq!(keys(&pruned), ["cache.1", "fill.1", "probe.1", "web.1"]);
    assert!(pruned.iter().all(|(slot, id)| rebuilt[slot] == *id), "{rebuilt:?} {pruned:?}");
    let (whole, _) = apply(&[]);
    assert_eq!(whole, pruned);
    home.does(&["ps-lifecycle", "destroy", &app]);
    assert_eq!(containers(&app, "{{.ID}}"), Vec::<String>::new());
}
