//! The keys of an entry of `formation` other than the count.

use crate::AppJson;

#[test]
fn a_type_may_say_in_which_order_and_how_many_at_a_time_its_instances_are_replaced() {
    let of = |entry: &str| {
        let text = format!("{{\"formation\": {{\"web\": {{{entry}}}}}}}");
        let app_json = AppJson::parse(text.as_bytes()).expect("it is taken");
        let max_parallel = app_json.max_parallel("web").map(std::num::NonZeroU16::get);
        assert_eq!(app_json.remarks(), [], "{text}");
        (app_json.strategy("web").map(ps_rollout::Strategy::as_str), max_parallel)
    };
    assert_eq!(of(r#""strategy": "stop-first", "max_parallel": 3"#), (Some("stop-first"), Some(3)));
    assert_eq!(
        of(r#""Strategy": "one-by-one", "MAX_PARALLEL": 70000"#),
        (Some("one-by-one"), Some(u16::MAX))
    );
    for nothing in
        ["", r#""strategy": null, "max_parallel": null"#, r#""max_parallel": 0"#, r#""max_parallel": -1"#]
    {
        assert_eq!(of(nothing), (None, None), "{nothing}");
    }
}

#[test]
fn what_is_a_list_of_names_and_values_may_be_an_object_a_list_or_text() {
    let of = |fields: &str| {
        let text = format!(r#"{{"formation": {{"web": {{{fields}}}}}}}"#);
        let app_json = AppJson::parse(text.as_bytes()).expect("JSON that can be read");
        let settings = app_json.settings("web").map(|settings| {
            settings.iter().map(|(setting, text)| format!("{}={text}", setting.name)).collect::<Vec<_>>()
        });
        settings.map_err(|why| why.to_string())
    };
    for (fields, meant) in [
        (r#""labels": {"team": "shop", "rule": "a,b"}"#, r"labels=team=shop,rule=a\,b"),
        (r#""labels": ["team=shop", "rule=a,b"]"#, r"labels=team=shop,rule=a\,b"),
        (r#""labels": "team=shop""#, "labels=team=shop"),
        (r#""ulimits": {"nofile": "1024:2048", "core": 0}"#, "ulimits=nofile=1024:2048,core=0"),
        (r#""mounts": ["/srv/a:/a:ro,z", "cache:/b"]"#, r"mounts=/srv/a:/a:ro\,z,cache:/b"),
        (r#""extra_hosts": {"db": "10.0.0.7"}"#, "extra-hosts=db=10.0.0.7"),
        (
            r#""engine_options": {"cap_add": ["NET_ADMIN", "SYS_PTRACE"], "sysctl": {"a.b": 1}, "read_only": true}"#,
            "engine-options=cap_add=NET_ADMIN,cap_add=SYS_PTRACE,sysctl=a.b=1,read_only=true",
        ),
        (r#""init": true"#, "init=true"),
    ] {
        assert_eq!(of(fields), Ok(vec![meant.to_owned()]), "{fields}");
    }
    for nothing in [r#""labels": {}"#, r#""networks": []"#, r#""mounts": null"#] {
        assert_eq!(of(nothing), Ok(vec![]), "{nothing}");
    }
    for (fields, says) in [
        (
            r#""mounts": ["./data:/data"]"#,
            "formation.web.mounts: \"./data\" is relative, and nobody knows to what",
        ),
        (r#""mounts": {"a": "/b"}"#, "formation.web.mounts: mounts with commas between them"),
        (
            r#""engine_options": {"privileged": true}"#,
            "formation.web.engine_options: the engine's option \"privileged\" is not allowed",
        ),
        (
            r#""memory_max": "lots""#,
            "formation.web.memory_max: a size such as 64m, 64MiB or 1.5g is wanted, not \"lots\"",
        ),
        (r#""memory_max": {"a": 1}"#, "formation.web.memory_max: a size such as"),
        (r#""ulimits": {"nofile": {"soft": 1}}"#, "formation.web.ulimits: \"soft=1\" is no limit of nofile"),
    ] {
        let why = of(fields).expect_err("it makes no sense");
        assert!(why.starts_with(says), "{fields}: {why}");
    }
}

#[test]
fn settings_of_a_type_are_read_as_text_and_one_that_makes_no_sense_has_its_place() {
    let of = |entry: &str| {
        let text = format!("{{\"formation\": {{\"web\": {{{entry}}}}}}}");
        let app_json = AppJson::parse(text.as_bytes()).expect("Dokku takes it");
        let settings = app_json.settings("web").map(|settings| {
            settings.iter().map(|(setting, text)| format!("{}={text}", setting.name)).collect::<Vec<_>>()
        });
        (settings.map_err(|why| why.to_string()), app_json.remarks().to_vec())
    };
    let (settings, remarks) =
        of(r#""stop_timeout_seconds": 60, "Restart_Policy": "no", "port": null, "quantity": 2"#);
    assert_eq!(
        (settings, remarks),
        (Ok(vec!["stop-timeout-seconds=60".into(), "restart-policy=no".into()]), vec![])
    );
    for (entry, refusal) in [
        (r#""port": "http""#, r#"formation.web.port: a whole number, 1 to 65535 is wanted, not "http""#),
        (r#""port": 0"#, "formation.web.port: a whole number, 1 to 65535 is wanted, not 0"),
        (
            r#""stop_timeout_seconds": {"a": 1}"#,
            "formation.web.stop_timeout_seconds: whole seconds, 0 to 86400 is wanted, not an object",
        ),
        (
            r#""restart_policy": ["no"]"#,
            "formation.web.restart_policy: no, always, unless-stopped, on-failure or on-failure:<retries> is wanted, \
             not an array",
        ),
        (
            r#""after": ["db:sometimes"]"#,
            "formation.web.after: types with commas between them, each with :started, :ready or :done behind it if need be, such as \
             db,migrate:done is wanted, not [\"db:sometimes\"]",
        ),
        (
            r#""success_exit_codes": [3, 256]"#,
            "formation.web.success_exit_codes: exit statuses and names of signals, such as 3,SIGTERM is wanted, not [3, 256]",
        ),
    ] {
        assert_eq!(of(entry).0, Err(refusal.to_owned()));
    }
    let (settings, remarks) = of(r#""restart_polcy": "no""#);
    assert_eq!(settings, Ok(vec![]));
    assert_eq!(
        remarks[0].to_string(),
        "formation.web.restart_polcy is not known: did you mean restart_policy?"
    );
}
