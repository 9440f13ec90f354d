//! What a real Dokku said and did, case by case, each from the recorded state before it. The recordings lie beside the
//! checkout; without them a replay says that it was skipped.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::{Place, Ran, run};

/// Path to mode and content.
type Files = BTreeMap<String, (u32, String)>;

/// One recorded case, and the state before it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) argv: Vec<String>,
    pub(crate) status: i32,
    pub(crate) stdout: String,
    stderr: String,
    pub(crate) before: Files,
    after: Files,
}

/// A case that ours answers otherwise on purpose, and why.
pub(crate) struct Difference {
    pub(crate) name: &'static str,
    pub(crate) reason: &'static str,
}

/// Replays the cases of the files for which `command` gives a command. A case gives the same stdout, exit status and
/// files, and the same words for a refusal, or is in the list of differences and then really differs.
pub(crate) fn replay(
    files: &[&str],
    differences: &[Difference],
    command: impl Fn(&Place, &Case) -> Option<assert_cmd::Command>,
) {
    let Some(cases) = cases(files) else { return };
    let (mut replayed, mut wrong) = (0, Vec::new());
    for case in &cases {
        let place = place(case);
        let Some(mut command) = command(&place, case) else { continue };
        replayed += 1;
        let ran = run(&mut command);
        let difference = differences.iter().find(|difference| difference.name == case.name);
        let complaint = complaint(case, &place, &ran);
        match (difference, complaint) {
            (None, Some(complaint)) => wrong.push(complaint),
            (Some(difference), None) => {
                wrong.push(format!("{}: is no difference any more: {}", case.name, difference.reason));
            }
            _ => (),
        }
    }
    assert!(wrong.is_empty(), "{} of {replayed} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(replayed > 0, "the recordings hold no such case");
}

fn complaint(case: &Case, place: &Place, ran: &Ran) -> Option<String> {
    let files = state(place);
    // Warnings are ours; what a refusal says is Dokku's.
    let is_said = case.status == 0 || ran.stderr == case.stderr;
    let is_same = is_said && ran.status == case.status && ran.stdout == case.stdout && files == case.after;
    (!is_same).then(|| {
        format!(
            "{} {:?}\n  status {} recorded {}\n  stdout {:?}\nrecorded {:?}\n  stderr {:?}\n  files {files:?}\nrecorded {:?}",
            case.name, case.argv, ran.status, case.status, ran.stdout, case.stdout, ran.stderr, case.after
        )
    })
}

fn place(case: &Case) -> Place {
    let place = Place::new();
    for app in ["demo", "idle"] {
        place.app(app);
    }
    for (path, (mode, content)) in &case.before {
        place.write_mode(path, content, *mode);
    }
    place
}

fn state(place: &Place) -> Files {
    let text = |content: Option<Vec<u8>>| String::from_utf8(content.unwrap_or_default()).expect("text");
    let name = |path: PathBuf| path.to_str().expect("text").to_owned();
    place.state().into_iter().map(|(path, (mode, content))| (name(path), (mode, text(content)))).collect()
}

fn cases(names: &[&str]) -> Option<Vec<Case>> {
    let folder = skipped::corpus("contracts/dokku-recorded")?;
    let mut cases = Vec::new();
    for name in names {
        let mut state = first_state();
        if *name == "hooks.jsonl" {
            // Recorded after an app's scale had been changed and everything else put back.
            let files = [("scale", "web=1\nworker=0\nrelease=0\n"), ("scale.old", "")];
            state.extend(files.map(|(name, content)| in_config(&format!("ps/demo/{name}"), content)));
        }
        let text = fs::read_to_string(folder.join(name)).expect("a recording");
        for line in text.lines() {
            cases.push(case(&serde_json::from_str(line).expect("a case"), &mut state));
        }
    }
    Some(cases)
}

fn case(recorded: &Value, state: &mut Files) -> Case {
    let text = |key: &str| recorded[key].as_str().expect("text").to_owned();
    let argv = recorded["argv"].as_array().expect("words").iter();
    let before = state.clone();
    for (path, change) in recorded["files_changed"].as_object().into_iter().flatten() {
        let path = path.replace("$DOKKU_LIB_ROOT", "lib").replace("$DOKKU_ROOT", "home");
        if change.is_null() {
            state.remove(&path);
        } else {
            let mode = u32::from_str_radix(change[0].as_str().expect("a mode"), 8).expect("octal");
            state.insert(path, (mode, change[1].as_str().expect("content").to_owned()));
        }
    }
    Case {
        name: text("name"),
        argv: argv.map(|word| word.as_str().expect("a word").to_owned()).collect(),
        status: i32::try_from(recorded["exit"].as_i64().expect("a status")).expect("small"),
        stdout: text("stdout"),
        stderr: text("stderr"),
        before,
        after: state.clone(),
    }
}

/// The two apps as the recordings' own page describes them.
fn first_state() -> Files {
    let config = [
        ("ps/demo/can-scale", "true"),
        ("ps/demo/restore", "true"),
        ("ps/demo/scale", "web=1\nrelease=0\nworker=0\n"),
        ("common/demo/deployed", "true"),
        ("ps/idle/scale", "web=1\n"),
        ("ps/idle/scale.old", ""),
    ];
    let mut state: Files = config.iter().map(|(path, content)| in_config(path, content)).collect();
    let procfile =
        "# the sample\nweb: python3 -m http.server $PORT\nworker: sleep 100000\nrelease: echo releasing\n";
    state.insert("lib/data/ps/demo/Procfile".into(), (0o644, procfile.into()));
    state
}

fn in_config(path: &str, content: &str) -> (String, (u32, String)) {
    (format!("lib/config/{path}"), (0o600, content.to_owned()))
}
