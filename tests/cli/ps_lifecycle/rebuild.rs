//! `rebuild`.

use crate::home::Home;

#[test]
fn rebuild_takes_the_source_anew_and_a_command_stays_the_command() {
    let home = Home::running("site", "web: faultapp --say one --tick 60\n", &[]);
    let source = home.source("site", "web: faultapp --say two --tick 60\n");
    home.does(&["ps-lifecycle", "rebuild", "site"]);
    let twos = |logs: &str| logs.matches("web.1 | two\n").count();
    let before = twos(&home.does(&["ps-lifecycle", "logs", "site"]));
    assert!(before > 0);
    home.does(&[
        "ps-lifecycle",
        "deploy",
        "site",
        "--dir",
        &source,
        "--command",
        "faultapp --say three --tick 60",
    ]);
    home.does(&["ps-lifecycle", "rebuild", "site"]);
    let logs = home.does(&["ps-lifecycle", "logs", "site"]);
    assert!(logs.contains("web.1 | three\n"), "{logs}");
    assert_eq!(twos(&logs), before, "the Procfile of the directory was not asked again: {logs}");
}
