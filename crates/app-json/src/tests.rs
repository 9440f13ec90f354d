//! Test vectors: what Dokku's decoder accepts and refuses, and the remarks.

mod checks;
mod of_type;

use std::fs;

use super::{AppJson, Script};

/// The counts as words `type=n`, or the refusal.
fn counts(bytes: &[u8]) -> Result<String, String> {
    let app_json = AppJson::parse(bytes).map_err(|why| why.to_string())?;
    let formation = app_json.formation().map_err(|why| why.to_string())?;
    Ok(formation.iter().map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" "))
}

fn remarks(text: &str) -> Vec<String> {
    let app_json = AppJson::parse(text.as_bytes()).unwrap_or_else(|why| panic!("{text}: {why}"));
    app_json.remarks().iter().map(ToString::to_string).collect()
}

#[test]
fn what_dokkus_decoder_takes_is_taken() {
    for (text, expected) in [
        ("", ""),
        ("  // nothing\n", ""),
        ("null", ""),
        ("{}", ""),
        (r#"{"formation": null, "healthchecks": null, "scripts": null, "cron": null}"#, ""),
        (r#"{"formation": {}}"#, ""),
        (r#"{"formation": {"web": null}}"#, ""),
        (r#"{"formation": {"web": {"quantity": null}}}"#, ""),
        (r#"{"formation": {"web": {"quantity": 2}, "worker": {"max_parallel": 3}}}"#, "web=2"),
        (r#"{"Formation": {"web": {"QUANTITY": 2}}}"#, "web=2"),
        (r#"{"formation": {"web": {"quantity": 0}, "a-b": {"quantity": 10000}}}"#, "a-b=10000 web=0"),
        ("\u{feff}{\"formation\": {\"web\": {\"quantity\": 2}}}\r\n", "web=2"),
        ("{ // how many\n \"formation\": { \"web\": { \"quantity\": 2, /* two */ }, },\n}", "web=2"),
        // The last value counts. Two objects of the same name are merged, but two entries of the same process type
        // are not.
        (r#"{"formation": {"web": {"quantity": 1, "quantity": 2}}}"#, "web=2"),
        (
            r#"{"formation": {"web": {"quantity": 1}}, "formation": {"worker": {"quantity": 3}}}"#,
            "web=1 worker=3",
        ),
        (r#"{"formation": {"web": {"quantity": 1}, "web": {}}}"#, ""),
        (r#"{"healthchecks": {"web": [null, {"type": null, "attempts": -1}], "x": null}}"#, ""),
        (r#"{"scripts": {"dokku": null, "postdeploy": null}, "cron": [null, {}]}"#, ""),
    ] {
        assert_eq!(counts(text.as_bytes()).as_deref(), Ok(expected), "{text}");
    }
}

/// Checks that each text is refused with this message, which is one line.
fn are_refused(texts: &[(&str, &str)]) {
    for (text, expected) in texts {
        let said = counts(text.as_bytes()).expect_err(text);
        assert_eq!(&said, expected, "{text}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_formation_that_it_refuses_is_one_line_with_the_place() {
    are_refused(&[
        ("[]", "an object is wanted, not an array"),
        ("\"x\"", "an object is wanted, not \"x\""),
        (r#"{"formation": [{"web": 2}]}"#, "formation: an object is wanted, not an array"),
        (r#"{"formation": "web=2"}"#, "formation: an object is wanted, not \"web=2\""),
        (
            r#"{"formation": {"web": 2}}"#,
            r#"formation.web: an object such as {"quantity": 1} is wanted, not 2"#,
        ),
        (
            r#"{"formation": {"web": []}}"#,
            r#"formation.web: an object such as {"quantity": 1} is wanted, not an array"#,
        ),
        (
            r#"{"formation": {"web": {"quantity": "2"}}}"#,
            "formation.web.quantity: a whole number is wanted, not \"2\"",
        ),
        (
            r#"{"formation": {"web": {"quantity": 2.5}}}"#,
            "formation.web.quantity: a whole number is wanted, not 2.5",
        ),
        (
            r#"{"formation": {"web": {"quantity": 2.0}}}"#,
            "formation.web.quantity: a whole number is wanted, not 2.0",
        ),
        (
            r#"{"formation": {"web": {"quantity": 1e2}}}"#,
            "formation.web.quantity: a whole number is wanted, not 1e2",
        ),
        (
            r#"{"formation": {"web": {"quantity": true}}}"#,
            "formation.web.quantity: a whole number is wanted, not true",
        ),
        (
            r#"{"formation": {"web": {"quantity": {}}}}"#,
            "formation.web.quantity: a whole number is wanted, not an object",
        ),
        (
            r#"{"formation": {"web": {"quantity": 99999999999999999999}}}"#,
            "formation.web.quantity: a smaller number is wanted, not 99999999999999999999",
        ),
        (
            r#"{"formation": {"web": {"quantity": -1}}}"#,
            "formation.web.quantity: a whole number from 0 to 10,000 is wanted, not -1",
        ),
        (
            r#"{"formation": {"web": {"quantity": 10001}}}"#,
            "formation.web.quantity: a whole number from 0 to 10,000 is wanted, not 10001",
        ),
        (
            r#"{"formation": {"worker": {"max_parallel": "all"}}}"#,
            "formation.worker.max_parallel: a whole number is wanted, not \"all\"",
        ),
        (
            r#"{"formation": {"worker": {"strategy": "Overlap"}}}"#,
            "formation.worker.strategy: overlap, one-by-one or stop-first is wanted, not \"Overlap\"",
        ),
        (
            r#"{"formation": {"worker": {"strategy": 1}}}"#,
            "formation.worker.strategy: a string is wanted, not 1",
        ),
    ]);
}

#[test]
fn what_else_it_refuses_is_one_line_with_the_place() {
    are_refused(&[
        (r#"{"healthchecks": []}"#, "healthchecks: an object is wanted, not an array"),
        (r#"{"healthchecks": {"web": {}}}"#, "healthchecks.web: an array is wanted, not an object"),
        (r#"{"healthchecks": {"web": ["/"]}}"#, "healthchecks.web[0]: an object is wanted, not \"/\""),
        (
            r#"{"healthchecks": {"web": [{}, {"attempts": "3"}]}}"#,
            "healthchecks.web[1].attempts: a whole number is wanted, not \"3\"",
        ),
        (
            r#"{"healthchecks": {"web": [{"command": "true"}]}}"#,
            "healthchecks.web[0].command: an array is wanted, not \"true\"",
        ),
        (
            r#"{"healthchecks": {"web": [{"command": ["a", 1]}]}}"#,
            "healthchecks.web[0].command[1]: a string is wanted, not 1",
        ),
        (
            r#"{"healthchecks": {"web": [{"warn": "no"}]}}"#,
            "healthchecks.web[0].warn: true or false is wanted, not \"no\"",
        ),
        (
            r#"{"healthchecks": {"web": [{"httpHeaders": [{"name": 1}]}]}}"#,
            "healthchecks.web[0].httpHeaders[0].name: a string is wanted, not 1",
        ),
        (
            r#"{"healthchecks": {"web": [{"type": "startup", "path": "health"}]}}"#,
            "healthchecks.web[0].path: a path that begins with / and has no blanks is wanted, not \"health\"",
        ),
        (
            r#"{"healthchecks": {"web": [{"type": "startup", "path": "/ HTTP/1.0\r\n"}]}}"#,
            r#"healthchecks.web[0].path: a path that begins with / and has no blanks is wanted, not "/ HTTP/1.0\r\n""#,
        ),
        (r#"{"scripts": []}"#, "scripts: an object is wanted, not an array"),
        (r#"{"scripts": {"dokku": "x"}}"#, "scripts.dokku: an object is wanted, not \"x\""),
        (
            r#"{"scripts": {"dokku": {"predeploy": ["x"]}}}"#,
            "scripts.dokku.predeploy: a string is wanted, not an array",
        ),
        (r#"{"cron": {}}"#, "cron: an array is wanted, not an object"),
        (r#"{"cron": [{"schedule": 5}]}"#, "cron[0].schedule: a string is wanted, not 5"),
        ("{", "line 1, column 1: unterminated object"),
        ("{\n  \"formation\": {},\n}\n}\n", "line 4, column 1: text cannot contain more than one JSON value"),
        ("{\n  \"a\": 1\n  \"b\": 2\n}", "line 2, column 9: expected comma"),
        ("{'a': 1}", "line 1, column 2: single-quoted strings are not allowed"),
        ("{\"a\": 0x10}", "line 1, column 7: hexadecimal numbers are not allowed"),
    ]);
}

#[test]
fn names_that_no_process_type_has_are_refused_and_shown_as_they_stand() {
    for (name, shown) in [("a.b", "\"a.b\""), ("web+", "\"web+\""), ("", "\"\""), ("a\\nb", "\"a\\nb\"")] {
        let said = counts(format!("{{\"formation\": {{\"{name}\": {{\"quantity\": 1}}}}}}").as_bytes());
        let said = said.expect_err(name);
        assert!(said.starts_with(&format!("formation.{shown}: ")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_file_in_another_encoding_says_so() {
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(counts(&utf16).expect_err("UTF-16"), "the file is UTF-16: save it as UTF-8");
    assert_eq!(
        counts(b"{\n\"\xff\": 1}").expect_err("no UTF-8"),
        "line 2, column 2: a byte that is not UTF-8: save the file as UTF-8"
    );
}

#[test]
fn keys_that_are_nearly_known_or_stand_twice_are_remarked() {
    for (text, expected) in [
        (
            r#"{"formation": {"web": {"quantitty": 2}}}"#,
            "formation.web.quantitty is not known: did you mean quantity?",
        ),
        (r#"{"formations": {}}"#, "formations is not known: did you mean formation?"),
        (r#"{"healthcheck": {}}"#, "healthcheck is not known: did you mean healthchecks?"),
        (r#"{"health_checks": {}}"#, "health_checks is not known: did you mean healthchecks?"),
        (r#"{"script": {}}"#, "script is not known: did you mean scripts?"),
        (
            r#"{"scripts": {"dokku": {"pre-deploy": "x"}}}"#,
            "scripts.dokku.pre-deploy is not known: did you mean predeploy?",
        ),
        (
            r#"{"healthchecks": {"web": [{"type": "startup", "atempts": 1}]}}"#,
            "healthchecks.web[0].atempts is not known: did you mean attempts?",
        ),
        (r#"{"replicas": 2}"#, "replicas is not known, and not heeded"),
        (r#"{"a\nb": 2}"#, "\"a\\nb\" is not known, and not heeded"),
        (
            r#"{"formation": {"web": {"quantity": 1, "Quantity": 2}}}"#,
            "formation.web.Quantity stands twice: the last one counts",
        ),
        (r#"{"formation": {"web": {}, "web": {}}}"#, "formation.web stands twice: the last one counts"),
    ] {
        assert_eq!(remarks(text), [expected], "{text}");
    }
}

#[test]
fn what_nobody_acts_on_is_remarked_once_and_what_asks_for_nothing_is_not() {
    for (text, expected) in [
        (r#"{"scripts": {"dokku": {"predeploy": "x"}}}"#, "scripts.dokku.predeploy is not heeded here: "),
        (r#"{"scripts": {"dokku": {"postdeploy": "x"}}}"#, "scripts.dokku.postdeploy is not heeded here: "),
        (r#"{"scripts": {"postdeploy": "x"}}"#, "scripts.postdeploy is not heeded here: "),
        (
            r#"{"scripts": {"predeploy": "x"}}"#,
            "scripts.predeploy is not heeded here: Dokku looks for it in scripts.dokku",
        ),
        (r#"{"cron": [{"command": "a", "schedule": "@daily"}]}"#, "cron is not heeded here: "),
        (r#"{"env": {"A": "1"}}"#, "env is not heeded here: "),
        (r#"{"addons": ["x"]}"#, "addons is not heeded here: it is Heroku's"),
        (r#"{"formation": {"web": {"size": "basic"}}}"#, "formation.web.size is not heeded here: "),
    ] {
        let found = remarks(text);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:?}");
    }
    let checks = |entry: &str| remarks(&format!("{{\"healthchecks\": {{\"web\": [{{{entry}}}]}}}}"));
    for (entry, expected) in [
        (r#""path": "/""#, "healthchecks.web[0] is not heeded here: it has no type"),
        (
            r#""type": "hourly", "path": "/""#,
            "healthchecks.web[0] is not heeded here: only checks of type startup, liveness and readiness",
        ),
        (
            r#""type": "liveness", "uptime": 3"#,
            "healthchecks.web[0] is not heeded here: only a startup check looks at the uptime",
        ),
        (
            r#""type": "startup", "scheme": "ftp""#,
            "healthchecks.web[0] is not heeded here: only checks by http and https are made",
        ),
        (
            r#""type": "startup", "onFailure": {"url": "x"}"#,
            "healthchecks.web[0].onFailure is not heeded here: ",
        ),
    ] {
        let found = checks(entry);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{entry}: {found:?}");
    }
    for nothing in [
        r#"{"name": "x", "description": "", "keywords": [], "website": "", "_comment": 1, "//": ""}"#,
        r#"{"scripts": {"dokku": {"predeploy": ""}}, "cron": [], "env": {}, "addons": null}"#,
        r#"{"healthchecks": {"web": [{"type": "startup", "name": "x", "path": "/", "listening": false, "warn": true, "port": 8000}]}}"#,
        r#"{"healthchecks": {"web": [{"type": "readiness", "command": ["true"], "interval": 3, "threshold": 2}]}}"#,
    ] {
        assert_eq!(remarks(nothing), [""; 0], "{nothing}");
    }
}

#[test]
fn scripts_are_known_by_their_place() {
    let of = |text: &str| AppJson::parse(text.as_bytes()).expect("JSON").deploy_script();
    assert_eq!(of(r#"{"scripts": {"dokku": {"postdeploy": "x"}}}"#), Some("scripts.dokku.postdeploy"));
    assert_eq!(of(r#"{"scripts": {"postdeploy": "x"}}"#), Some("scripts.postdeploy"));
    assert_eq!(of(r#"{"scripts": {"dokku": {}}, "formation": {}}"#), None);
    let all = r#"{"scripts": {"dokku": {"predeploy": "a", "postdeploy": "b"}, "postdeploy": "c"}}"#;
    let all = AppJson::parse(all.as_bytes()).expect("JSON");
    let scripts =
        [Script::Predeploy, Script::Postdeploy, Script::FirstDeploy].map(|script| all.script(script));
    assert_eq!(scripts, [Some("a"), Some("b"), Some("c")]);
}

#[test]
fn hostile_files_end_soon_and_without_a_panic() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let wide =
        format!("{{{}\"z\": 1}}", (0..20_000).map(|n| format!("\"k{n}\": 1,")).collect::<Vec<_>>().concat());
    let long = format!("{{\"formation\": {{\"{}\": {{\"quantity\": 1}}}}}}", "x".repeat(100_000));
    for text in [
        &*deep,
        &*wide,
        &*long,
        "{\"formation\": {\"\u{202e}\": {\"quantity\": 1}}}",
        "\u{0}",
        "{\"\\ud800\": 1}",
    ] {
        let said = counts(text.as_bytes()).err().unwrap_or_default();
        assert!(said.len() < 1_000 && said.lines().count() <= 1, "{said}");
    }
}

#[test]
fn a_file_that_is_cut_or_changed_anywhere_is_taken_or_refused_in_one_line() {
    let text = "{ // ours\n\"formation\": {\"web\": {\"quantity\": 2}}, \"cron\": [{\"command\": \"é\"}],\n\
                \"healthchecks\": {\"web\": [{\"type\": \"startup\", \"command\": [\"a\"], \"wait\": -1.5e3}]}}\n";
    for at in 0..text.len() {
        let mut changed = [&text.as_bytes()[..at], b"\x01", &text.as_bytes()[at..]].concat();
        for byte in *b"\0\n\"{}[],:#/9\xff" {
            changed[at] = byte;
            for bytes in [&changed[..], &text.as_bytes()[..at]] {
                let said = counts(bytes).err().unwrap_or_default();
                assert!(said.len() < 300 && said.lines().count() <= 1, "{at} {byte}: {said}");
            }
        }
    }
}

#[test]
fn app_json_files_that_other_people_wrote_are_taken() {
    let Some(folder) = skipped::corpus("corpus/app-json") else { return };
    for entry in fs::read_dir(folder).expect("the corpus can be read").flatten() {
        let bytes = fs::read(entry.path()).expect("a file");
        let app_json =
            AppJson::parse(&bytes).unwrap_or_else(|why| panic!("{}: {why}", entry.path().display()));
        app_json.formation().unwrap_or_else(|why| panic!("{}: {why}", entry.path().display()));
        for remark in app_json.remarks() {
            assert!(remark.to_string().contains("heeded here"), "{}: {remark}", entry.path().display());
        }
    }
}
