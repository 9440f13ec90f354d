//! Printing a formation.

use std::process::Command as Program;

use crate::support::{Place, run, schema};
use crate::{PROGRAM, hello, quietly, scale, scale_inside_dokku, shop, stored};

#[test]
fn a_new_procfile_brings_its_types_and_ends_those_it_lost() {
    let place = Place::with_app("demo", "web=1\nworker=0\nrelease=0\n");
    place.write("lib/data/ps/demo/Procfile", "web: z\nclock: c\n");
    let hook = |words: &[&str]| scale_inside_dokku(&place, &[&["--from-trigger"], words].concat());
    assert_eq!(quietly(&hook(&["post-release-builder", "dockerfile", "demo", "image"])), (0, ""));
    assert_eq!(stored(&place, "demo"), ("web=1\nclock=0\n".into(), "worker=0\nrelease=0\n".into()));
    assert_eq!(quietly(&hook(&["ps-current-scale", "demo"])), (0, "clock=0\nrelease=0\nweb=1\nworker=0"));
}

#[test]
fn a_formation_is_printed_on_our_own_as_inside_dokku() {
    let place = shop("web=2\nrelease=0\nworker=10\n");
    let text = "-----> Scaling for shop\nproctype: qty\n--------: ---\nrelease: 0\nweb:  2\nworker: 10\n";
    assert_eq!(quietly(&scale(&place, &["shop"])), (0, text));
    assert_eq!(quietly(&scale_inside_dokku(&place, &["shop"])), (0, text));
    let rows = "release: 0\nweb:  2\nworker: 10\n";
    assert_eq!(quietly(&scale(&place, &["shop", "--quiet"])), (0, rows));
    assert_eq!(quietly(&run(place.command(PROGRAM).arg("shop").env("DOKKU_QUIET_OUTPUT", "1"))), (0, rows));
    let json = "[{\"process_type\":\"release\",\"quantity\":0},{\"process_type\":\"web\",\"quantity\":2},\
                {\"process_type\":\"worker\",\"quantity\":10}]\n";
    for format in [&["--json"][..], &["--format", "json"], &["--format=json"]] {
        assert_eq!(quietly(&scale(&place, &[format, &["shop"]].concat())), (0, json));
    }
    let csv = "process_type,quantity\nrelease,0\nweb,2\nworker,10\n";
    assert_eq!(quietly(&scale(&place, &["shop", "--format", "csv"])), (0, csv));
    assert_eq!(quietly(&scale(&place, &["shop", "--format", "stdout"])), (0, text));
}

#[test]
fn the_file_of_older_dokkus_is_printed_and_is_read_back() {
    let place = shop("web=2\nrelease=0\na.b=1\nworker=10\n");
    place.write("lib/config/ps/shop/scale.old", "gone=0\n");
    let file = "gone=0\nrelease=0\nweb=2\nworker=10\n";
    for ran in [
        scale(&place, &["shop", "--format", "dokku-scale"]),
        scale_inside_dokku(&place, &["shop", "--format=dokku-scale"]),
    ] {
        assert_eq!(quietly(&ran), (0, file));
    }
    assert_eq!(ps_apps::parse_dokku_scale(file.as_bytes()).map(|asked| asked.len()), Ok(4));
    let changed = scale(&place, &["shop", "--format", "dokku-scale", "worker=1"]);
    assert_eq!(quietly(&changed), (0, "gone=0\nrelease=0\nweb=2\nworker=1\n"));
    assert_eq!(scale(&place, &["shop", "--dry-run", "--format", "dokku-scale"]).status, 2);
}

#[test]
fn an_app_without_a_formation_prints_an_empty_one() {
    let place = Place::new();
    place.app("bare");
    assert_eq!(quietly(&scale(&place, &["bare", "--json"])), (0, "[]\n"));
    assert_eq!(quietly(&scale(&place, &["bare", "--quiet"])), (0, ""));
}

#[test]
fn old_lines_that_nobody_would_accept_today_are_printed_with_one_warning() {
    let place = hello("a.b=1\nweb=-1\n x = 7 \nfoo=1\n");
    let ran = scale(&place, &["hello", "--quiet"]);
    assert_eq!(quietly(&ran), (0, "a.b:  1\nfoo:  1\nweb:  -1\nx:    7\n"));
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("a.b=1, web=-1"), "{}", ran.stderr);
    assert_eq!(scale(&place, &["hello", "foo=2", "--skip-deploy"]).status, 0);
    assert_eq!(stored(&place, "hello").0, "foo=2\na.b=1\nweb=-1\nx=7\n");
    assert_eq!(scale(&place, &["hello", "a.b=0", "--skip-deploy"]).status, 0);
    assert_eq!(stored(&place, "hello"), ("foo=2\nweb=-1\nx=7\n".into(), "a.b=0\n".into()));
}

#[test]
fn old_names_are_padded_by_bytes_and_escaped_in_json_as_dokku_does() {
    let place = hello("\u{e9}=1\n<&>=2\n=3\n");
    assert_eq!(scale(&place, &["hello", "--quiet"]).stdout, ":     3\n<&>:  2\n\u{e9}:   1\n");
    let json = "[{\"process_type\":\"\",\"quantity\":3},{\"process_type\":\"\\u003c\\u0026\\u003e\",\"quantity\":2},\
                {\"process_type\":\"\u{e9}\",\"quantity\":1}]\n";
    assert_eq!(scale(&place, &["hello", "--json"]).stdout, json);
}

#[test]
fn a_formation_of_too_many_types_is_refused() {
    let place = hello("web=1\n");
    let lines: Vec<String> = (0..10_001).map(|n| format!("t{n}: x\n")).collect();
    place.write("lib/data/ps/hello/Procfile", &lines.concat());
    let ran = scale(&place, &["hello", "t1=1"]);
    assert_eq!(quietly(&ran), (1, ""));
    assert!(ran.stderr.contains("10000 are allowed"), "{}", ran.stderr);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let place = hello("web=1\n");
    let line = format!("set -o pipefail; '{PROGRAM}' hello | true");
    for _ in 0..20 {
        let ended = Program::new("bash")
            .args(["-c", &line])
            .env("DOKKU_ROOT", place.root())
            .env("DOKKU_LIB_ROOT", place.lib())
            .status()
            .expect("bash");
        assert!(ended.success(), "{ended}");
    }
}

#[test]
fn what_could_end_a_line_of_a_script_is_escaped_in_json_too() {
    let place = hello("a\u{2028}b\u{2029}c=1\n");
    let json = "[{\"process_type\":\"a\\u2028b\\u2029c\",\"quantity\":1}]\n";
    assert_eq!(scale(&place, &["hello", "--json"]).stdout, json);
}

#[test]
fn types_that_are_wanted_no_more_are_printed_until_a_deploy_and_what_is_wanted_wins() {
    let place = hello("web=1\nweb=7\n");
    place.write("lib/config/ps/hello/scale.old", "gone=0\nweb=5\nx.y=2\n");
    let rows = "gone: 0\nweb:  1\nx.y:  2\n";
    assert_eq!(scale(&place, &["hello", "--quiet"]).stdout, rows);
    let inside = run(place.command_inside_dokku(PROGRAM).arg("hello").env("DOKKU_QUIET_OUTPUT", "yes"));
    assert_eq!(quietly(&inside), (0, rows));
    let current = scale_inside_dokku(&place, &["--from-trigger", "ps-current-scale", "hello"]);
    assert_eq!(quietly(&current), (0, "gone=0\nweb=1\nx.y=2"));
}

#[test]
fn json_is_what_its_schemas_say() {
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    let formation = parse(include_str!("../../../docs/schemas/ps-scale.json"));
    let plan = parse(include_str!("../../../docs/schemas/ps-scale-plan.json"));
    let place = shop("web=2\na.b=-7\n");
    for words in [&["shop"][..], &["shop", "web=3"], &["shop", "--clear"]] {
        let printed = parse(&scale(&place, &[words, &["--json"]].concat()).stdout);
        assert_eq!(schema::complaints(&formation, &printed), [""; 0], "{words:?}");
        assert!(
            !schema::complaints(&plan, &printed).is_empty(),
            "a schema that takes anything proves nothing"
        );
    }
    for words in [&["shop"][..], &["shop", "web=3", "worker=1"], &["shop", "web=0"], &["shop", "--clear"]] {
        let words = [words, &["--dry-run", "--json"]].concat();
        for ran in [scale(&place, &words), scale_inside_dokku(&place, &words)] {
            assert_eq!(schema::complaints(&plan, &parse(&ran.stdout)), [""; 0], "{words:?} {}", ran.stderr);
        }
    }
}
