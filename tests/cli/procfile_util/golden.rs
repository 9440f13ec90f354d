//! Our own golden cases, `tests/golden/procfile-util/<case>`.

use std::fs;
use std::path::Path;

use crate::{World, files_below};

#[test]
fn our_own_golden_cases_hold() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/procfile-util");
    let (mut compared, mut wrong) = (0, Vec::new());
    for case in fs::read_dir(cases).expect("the golden cases are there") {
        let case = case.expect("an entry").path();
        wrong.extend(golden_difference(&case).map(|why| format!("{}: {why}", case.display())));
        compared += 1;
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 90, "only {compared} cases");
}

/// A case: `args` (one a line), `stdin`, `in/` before; `stdout`, `stderr`, `status`, `out/` after.
fn golden_difference(case: &Path) -> Option<String> {
    let world = World::new();
    for (name, bytes) in files_below(&case.join("in")) {
        world.put(&name, bytes);
    }
    let read = |name: &str| fs::read(case.join(name)).unwrap_or_default();
    let args = String::from_utf8(read("args")).expect("args are text");
    let ran = world.feed(&args.lines().collect::<Vec<_>>(), &read("stdin"));
    let wanted = String::from_utf8(read("status")).expect("a status is text");
    if wanted.trim() != ran.status.to_string() || ran.stdout != read("stdout") {
        return Some(format!("{ran:?}, stdout {:?}", ran.text()));
    }
    if ran.stderr.as_bytes() != read("stderr") {
        return Some(format!("stderr {:?}", ran.stderr));
    }
    let differs = |(name, bytes): &(String, Vec<u8>)| fs::read(world.path(name)).ok().as_ref() != Some(bytes);
    let (name, _) = files_below(&case.join("out")).into_iter().find(differs)?;
    Some(format!(
        "{name} holds {:?}",
        fs::read(world.path(&name)).map(|b| String::from_utf8_lossy(&b).into_owned())
    ))
}
