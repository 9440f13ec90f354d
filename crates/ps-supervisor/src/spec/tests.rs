use super::*;

fn spec(revision: u64, app: &str) -> Spec {
    let json = serde_json::json!({
        "app": app, "revision": revision, "directory": "/", "env": {}, "env_files": [], "base_port": 0,
        "places": {}, "restart_policy": "no", "stop_timeout_seconds": 1, "processes": [],
    });
    serde_json::from_value(json).expect("a spec")
}

#[test]
fn of_a_spec_of_before_and_one_of_today_the_later_one_counts_wherever_a_program_was_killed() {
    let service = tempfile::tempdir().expect("a directory");
    let service = service.path();
    let read = || Spec::read(service).expect("readable").app;
    let deploy_of_before = |app: &str| {
        let json = serde_json::to_vec(&spec(1, app)).expect("json");
        fs::write(service.join(FIRST_SPEC_FILE), json).expect("written");
    };
    deploy_of_before("first");
    assert_eq!(read(), "first");
    Spec::set_first_format_aside(service);
    assert_eq!(read(), "first", "killed before today's is written");
    fs::write(service.join(SPEC_FILE), spec(1, "second").to_json()).expect("written");
    assert_eq!(read(), "second", "killed before the earlier one is removed");
    deploy_of_before("third");
    assert_eq!(read(), "third", "a downgrade");
    spec(1, "fourth").write(service).expect("written");
    assert_eq!(read(), "fourth");
    assert!(!service.join(FIRST_SPEC_FILE).exists() && !service.join(EARLIER_SPEC_FILE).exists());
    fs::write(service.join(FIRST_SPEC_FILE), "{").expect("written");
    assert_eq!(read(), "fourth", "such a program writes whole files");
}

#[test]
fn a_list_of_what_was_stopped_belongs_to_no_spec_of_before() {
    let service = tempfile::tempdir().expect("a directory");
    let service = service.path();
    spec(1, "second").write(service).expect("written");
    let by_hand = vec!["web.2".parse().expect("a slot")];
    Spec { stopped: by_hand, ..spec(1, "second") }.note_stopped(service).expect("noted");
    assert_eq!(Spec::read(service).expect("readable").stopped.len(), 1);
    fs::write(service.join(FIRST_SPEC_FILE), serde_json::to_vec(&spec(1, "third")).expect("json"))
        .expect("written");
    assert_eq!(Spec::read(service).expect("readable").stopped, []);
    spec(1, "third").note_stopped(service).expect("noted");
    assert_eq!(Spec::read(service).expect("readable").app, "third");
    assert!(service.join(SPEC_FILE).exists() && !service.join(FIRST_SPEC_FILE).exists());
}
