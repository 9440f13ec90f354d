//! What a declaration asks for is done, or said to have no effect.

use std::fs;

use crate::home::Home;
use crate::support::Ran;

fn declare(home: &Home, text: &str) {
    fs::write(home.app("it.json"), text).expect("a file");
}

/// That the start succeeded, and warned of all of these.
fn warns(ran: &Ran, all: &[&str]) {
    assert_eq!(ran.status, 0, "{ran:?}");
    for said in all {
        assert!(ran.stderr.contains(&format!("PM2 [WARN] {said}")), "{said}: {ran:?}");
    }
}

#[test]
fn an_app_whose_logs_nobody_wants_writes_none() {
    let home = Home::new();
    declare(
        &home,
        r#"[{"name":"null","script":"tick.js","out_file":"NULL","error_file":"NULL"},
            {"name":"off","script":"tick.js","disable_logs":true}]"#,
    );
    let ran = home.say(&["start", "it.json"]);
    assert_eq!((ran.status, &*ran.stderr), (0, ""), "{ran:?}");
    for id in [0, 1] {
        let one = &home.one(id)["pm2_env"];
        assert_eq!(
            (&one["pm_out_log_path"], &one["pm_err_log_path"]),
            (&"/dev/null".into(), &"/dev/null".into())
        );
    }
    assert!(!home.app("NULL").exists());
    assert_eq!(fs::read_dir(home.pm2("logs")).expect("a directory").count(), 0);
}

#[test]
fn an_instance_finds_its_number_in_the_variable_that_the_app_names() {
    let home = Home::new();
    declare(&home, r#"{"name":"a","script":"say.sh","instances":2,"instance_var":"WHO"}"#);
    home.done(&["start", "it.json"]);
    for number in ["0", "1"] {
        let text = home.log(&format!("a-out-{number}.log"), |text| text.contains("name=a"));
        assert!(text.contains(&format!("\nWHO={number}\n")) && !text.contains("NODE_APP_INSTANCE"), "{text}");
    }
}

#[test]
fn what_has_no_effect_is_named() {
    let home = Home::new();
    declare(
        &home,
        r#"{"apps":[{"name":"a","script":"tick.js","cron_restart":"*/5 0 1 1 1 *","treekill":false,"filter_env":["KEY"],
            "increment_var":"PORT"}],"deploy":{"production":{}},"extra":1,"x-own":2}"#,
    );
    let ran = home.say(&["start", "it.json"]);
    warns(
        &ran,
        &[
            "deploy has no effect: the command deploy of pm2 is not done here",
            "extra has no effect: it is outside of apps",
            "treekill: the stop signal goes to the main process alone; what that leaves behind is killed when it has ended",
            "filter_env is kept and has no effect",
            "increment_var is kept and has no effect",
            "the seconds of cron_restart have no effect",
        ],
    );
    assert!(!ran.stderr.contains("x-own"), "{ran:?}");
    assert_eq!(home.say(&["restart", "it.json"]).stderr, "", "it is said once");
    // What asks for nothing is passed over: a dump of pm2 has all of it.
    declare(
        &home,
        r#"{"name":"b","script":"tick.js","cron_restart":"0 0 0 1 1 *","treekill":true,"filter_env":[],"instance_var":"NODE_APP_INSTANCE","watch":"false"}"#,
    );
    assert_eq!(home.say(&["start", "it.json"]).stderr, "");
}

#[test]
fn what_means_something_else_here_is_named_and_so_is_what_only_node_or_the_own_user_has() {
    let home = Home::new();
    declare(
        &home,
        r#"{"name":"a","script":"say.sh","max_restarts":1000,"stop_exit_codes":[3],"wait_ready":true,"log_type":"json"}"#,
    );
    let ran = home.say(&["start", "it.json"]);
    warns(
        &ran,
        &[
            "max_restarts: 1000 restarts are not counted",
            "wait_ready has an effect on Node programs alone",
            "log_type is kept and has no effect",
        ],
    );
    if !rustix::process::geteuid().is_root() {
        return skipped::skip("only root can run an app as somebody else");
    }
    declare(
        &home,
        r#"{"name":"b","script":"tick.js","instances":2,"uid":"65534","shutdown_with_message":true,"disable_logs":true}"#,
    );
    let ran = home.say(&["start", "it.json"]);
    assert!(ran.stderr.contains("b: with uid or gid its instances share no ports"), "{ran:?}");
    assert!(ran.stderr.contains("shutdown_with_message has no effect with uid or gid"), "{ran:?}");
}

#[test]
fn a_schedule_with_a_step_from_a_number_on_is_taken_as_pm2_takes_it() {
    let home = Home::new();
    declare(&home, r#"{"name":"a","script":"tick.js","cron_restart":"40 1/8 * * *"}"#);
    home.done(&["start", "it.json"]);
    assert_eq!(home.one(0)["pm2_env"]["cron_restart"], "40 1/8 * * *");
}

#[test]
fn only_of_a_name_that_the_file_does_not_have_is_refused() {
    let home = Home::new();
    let ran = home.say(&["start", "two.json", "--only", "othr"]);
    let says = "PM2 [ERROR] --only othr: two.json does not declare it, but one, other: did you mean other?\n";
    assert_eq!((ran.status, &*ran.stdout, &*ran.stderr), (1, "", says));
    // Beside one that it has, the other is only told of, as pm2 takes what is there.
    let ran = home.say(&["start", "two.json", "--only", "one,othr"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("--only othr: two.json does not declare it"), "{}", ran.stderr);
    let list = home.list();
    assert!(!list.is_empty() && list.iter().all(|instance| instance["name"] == "one"), "{list:?}");
}
