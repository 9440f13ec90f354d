//! As whom a process runs, and within which limits, when these were set for its type.

use super::service::{Service, eventually};

/// What a process says of itself.
const SAYS: &str = "id -u; id -g; id -G; umask; ulimit -Sn; ulimit -Hn; ulimit -c; nice; cat /proc/self/oom_score_adj; \
    echo $HOME $USER $LOGNAME $SHELL; echo heard >/dev/stderr; sleep 1000";

fn says(settings: &str, command: &str, lines: usize, env_file: &str) -> Vec<String> {
    let mut service = Service::new(&[("app", command, 1)]);
    let file = service.path().join("app.env");
    std::fs::write(&file, env_file).expect("written");
    service = service.with(|spec| {
        spec.processes[0].settings = serde_json::from_str(settings).expect("settings");
        spec.env_files = vec![file];
        // A machine's temporary directory is for everybody, that of a test is not.
        spec.directory = "/".into();
    });
    service.start();
    eventually("it has said all", || {
        let log = String::from_utf8_lossy(&service.log("app.1")).into_owned();
        let said: Vec<String> = log.lines().map(str::to_owned).collect();
        (said.len() >= lines).then_some(said)
    })
}

#[test]
fn a_process_has_the_user_the_groups_and_the_limits_that_were_set() {
    let settings = r#"{"group": "12345", "limit-core": "0", "limit-nofile": "512", "nice": "7", "oom-score-adj": "321",
        "umask": "027", "user": "daemon"}"#;
    let said = says(settings, SAYS, 10, "HOME=/from/a/file\n");
    assert_eq!(said[..2], ["1", "12345"]);
    assert!(said[2].split(' ').all(|group| group != "0"), "{said:?}");
    assert_eq!(said[3..9], ["0027", "512", "512", "0", "7", "321"]);
    assert!(said[9].starts_with("/from/a/file daemon daemon /"), "{said:?}");
}

#[test]
fn a_simple_command_has_them_too_and_a_number_needs_a_group_and_no_line() {
    let said = says(r#"{"user": "54321", "group": "54322"}"#, "id", 1, "");
    assert!(said[0].starts_with("uid=54321 gid=54322 groups=54322"), "{said:?}");
}

#[test]
fn a_user_without_a_group_of_its_own_setting_has_its_own_and_those_that_name_it() {
    let said = says(r#"{"user": "nobody"}"#, "id -un; id -gn; sleep 1000", 2, "");
    let expected = std::process::Command::new("id").args(["-gn", "nobody"]).output().expect("id runs").stdout;
    assert_eq!(said, ["nobody", String::from_utf8_lossy(&expected).trim()]);
}

#[test]
fn a_process_of_another_user_may_open_its_own_output_by_name() {
    let command = "echo one >/dev/stdout && echo two >/proc/self/fd/1; sleep 1000";
    assert_eq!(says(r#"{"user": "nobody"}"#, command, 2, ""), ["one", "two"]);
}

#[test]
fn a_type_without_them_is_started_as_its_supervisor_is() {
    let said = says("{}", "id -u; nice; umask; sleep 1000", 3, "");
    let own = rustix::process::geteuid().as_raw().to_string();
    let nice = std::process::Command::new("nice").output().expect("nice runs").stdout;
    assert_eq!(said, [&own, String::from_utf8_lossy(&nice).trim(), "0022"]);
}
