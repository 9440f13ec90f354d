//! Golden cases as data, `tests/golden/<program>/<case>/`: `args` (a word a line), `home` (`dokku` or `own`), `world` (one of
//! `tests/golden/worlds/`), perhaps `env`; then `stdout`, `stderr`, `status`, and `after/`: the files that are others or new.
//! What is removed stands there as `<name>.removed`. `$PLACE` is where the world lies.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Place, Ran, run};

const GONE: &str = ".removed";

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Runs every case of `program`, whose executable is `path`; there must be at least `least`.
pub(crate) fn holds(program: &str, path: &str, least: usize) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let (mut compared, mut wrong) = (0, Vec::new());
    for case in fs::read_dir(golden.join(program)).expect("the golden cases are there") {
        let case = case.expect("an entry").path();
        compared += 1;
        wrong.extend(difference(&golden, &case, path).map(|why| format!("{}:\n{why}", case.display())));
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared >= least, "only {compared} cases");
}

fn difference(golden: &Path, case: &Path, program: &str) -> Option<String> {
    let text = |name: &str| fs::read_to_string(case.join(name)).unwrap_or_default();
    let place = Place::new();
    for (path, bytes) in files(&golden.join("worlds").join(text("world").trim())) {
        let path = place.path().join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("a directory");
        fs::write(path, bytes).expect("a file");
    }
    let before = state(&place);
    let mut command = match text("home").trim() {
        "dokku" => place.command_inside_dokku(program),
        "own" => place.command(program),
        other => return Some(format!("{other:?} is no home")),
    };
    command.args(text("args").lines()).env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    command.envs(text("env").lines().filter_map(|line| line.split_once('=')));
    let ran = run(&mut command);
    let here = place.path().display().to_string();
    let ran = Ran {
        stdout: ran.stdout.replace(&here, "$PLACE"),
        stderr: ran.stderr.replace(&here, "$PLACE"),
        ..ran
    };
    let expected = Ran {
        status: text("status").trim().parse().expect("a status"),
        stdout: text("stdout"),
        stderr: text("stderr"),
    };
    let mut wanted = before;
    for (path, bytes) in files(&case.join("after")) {
        match path.to_string_lossy().strip_suffix(GONE) {
            Some(gone) => drop(wanted.remove(Path::new(gone))),
            None => drop(wanted.insert(path, bytes)),
        }
    }
    let is = state(&place);
    let changes = || -> Vec<String> {
        let differs = |path: &&PathBuf| is.get(*path) != wanted.get(*path);
        let paths = is.keys().chain(wanted.keys()).filter(differs);
        paths
            .map(|path| {
                format!("{}: {:?}", path.display(), is.get(path).map(|b| b.escape_ascii().to_string()))
            })
            .collect()
    };
    (ran != expected || is != wanted)
        .then(|| format!("{ran:?}\nexpected\n{expected:?}\nfiles {:?}", changes()))
}

fn state(place: &Place) -> Files {
    place.state().into_iter().map(|(path, (_, content))| (path, content.unwrap_or_default())).collect()
}

fn files(directory: &Path) -> Files {
    let mut found = Files::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                waiting.push(entry.path());
                continue;
            }
            let name = entry.path().strip_prefix(directory).expect("it lies below").to_owned();
            found.insert(name, fs::read(entry.path()).expect("a file"));
        }
    }
    found
}
