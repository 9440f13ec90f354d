//! What each flag changes.

use crate::{CONTAINER, refuses, run, stdout};

#[test]
fn compat_dokku_masks_the_same_in_dokkus_form() {
    let text = stdout(&["--compat", "dokku"], CONTAINER);
    assert!(text.starts_with("[\n    {\n        \"Args\": ["), "{text}");
    assert!(
        text.contains("\"DATABASE_URL=XXXXXX\"") && text.contains("\"traefik.auth\": \"XXXXXX\""),
        "{text}"
    );
    assert!(!text.contains("redacted") && !text.contains("s3cr3t"), "{text}");
    assert_eq!(stdout(&["--compat", "dokku"], ""), "[]\n");
    assert_eq!(stdout(&["--compat", "dokku"], "[]\n"), "[]\n");
}

#[test]
fn compat_dokku_is_what_dokku_printed_but_for_what_is_masked() {
    let Some(recorded) = skipped::corpus("contracts/dokku-recorded") else { return };
    let raw = std::fs::read(recorded.join("inspect-raw.json")).expect("a recording can be read");
    let dokku =
        std::fs::read_to_string(recorded.join("inspect-dokku.json")).expect("a recording can be read");
    let ours = stdout(&["--compat", "dokku"], raw);
    assert_eq!(ours.lines().count(), dokku.lines().count());
    for (ours, dokkus) in ours.lines().zip(dokku.lines()) {
        let before = |line: &str| line.split("XXXXXX").next().unwrap_or_default().to_owned();
        assert!(
            ours == dokkus || (ours.contains("XXXXXX") && dokkus.starts_with(&before(ours))),
            "{ours} is not {dokkus}"
        );
    }
}

#[test]
fn no_correlate_prints_nothing_that_could_be_compared() {
    let text = stdout(&["--no-correlate"], CONTAINER);
    assert!(text.contains("DOKKU_TOKEN=[redacted]") && !text.contains("[redacted:"), "{text}");
}

#[test]
fn hidden_names_are_gone_everywhere() {
    let input = r#"[{"Name":"/acme-shop","Config":{"Image":"acme-shop:1","Hostname":"acme-shop","Labels":{"com.dokku.app-name":"acme-shop"}}}]"#;
    assert!(stdout(&[], input).contains("/acme-shop"));
    assert!(!stdout(&["--hide-names"], input).contains("acme-shop"));
}

#[test]
fn shown_commands_still_hide_what_their_flags_give_away() {
    let input = r#"[{"Path":"server","Args":["--bind","somewhere","--password","s3cr3t","mode=fast","API_KEY=s3cr3t"]}]"#;
    assert!(!stdout(&[], input).contains("somewhere"));
    let text = stdout(&["--show-commands"], input);
    assert!(text.contains("somewhere") && text.contains("mode=fast") && !text.contains("s3cr3t"), "{text}");
}

#[test]
fn personal_data_is_masked_on_request() {
    let input = r#"[{"NetworkSettings":{"Gateway":"8.8.8.8","IPAddress":"172.17.0.2"}}]"#;
    assert!(stdout(&[], input).contains("8.8.8.8"));
    let text = stdout(&["--pii"], input);
    assert!(!text.contains("8.8.8.8") && text.contains("172.17.0.2"), "{text}");
}

#[test]
fn explain_says_where_and_why_and_never_what() {
    let output = run(&["--explain"], CONTAINER);
    let stderr = String::from_utf8(output.stderr).expect("talk is UTF-8");
    assert!(
        stderr.contains("[0].Config.Env[2]: env: ") && stderr.contains("[0].State.Health.Log[0].Output: "),
        "{stderr}"
    );
    assert!(stderr.ends_with("review before posting\n") && !stderr.contains("s3cr3t"), "{stderr}");
}

#[test]
fn check_prints_nothing_and_says_no_where_something_would_be_masked() {
    refuses(&["--check"], CONTAINER, "not fit to be published");
    let clean = stdout(&[], CONTAINER);
    let output = run(&["--check"], clean);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
}

#[test]
fn wrong_usage_is_two_and_names_the_flag() {
    let output = run(&["--nonsense"], "");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--nonsense"));
}
