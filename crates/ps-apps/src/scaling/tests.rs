use super::*;

struct Row {
    known: Option<&'static str>,
    scale: &'static str,
    old: &'static str,
    asked: &'static str,
    expected: Result<(&'static str, &'static str), &'static str>,
}

fn entries(words: &str) -> Vec<StoredEntry> {
    let entry = |word: &str| {
        let (name, count) = word.split_once('=').expect("a type and a count");
        StoredEntry { name: name.to_owned(), count: count.parse().expect("a number") }
    };
    words.split(' ').filter(|word| !word.is_empty()).map(entry).collect()
}

fn words(entries: &[StoredEntry]) -> String {
    entries.iter().map(|entry| format!("{}={}", entry.name, entry.count)).collect::<Vec<_>>().join(" ")
}

fn apply(row: &Row, replaces: bool) -> Result<(String, String), String> {
    let known: Option<BTreeSet<ProcessType>> =
        row.known.map(|types| types.split(' ').map(|name| name.parse().expect("legal")).collect());
    let asked: Result<Vec<_>, _> =
        row.asked.split(' ').filter(|word| !word.is_empty()).map(AskedCount::parse).collect();
    let asked = asked.map_err(|refused| refused.to_string())?;
    let scaling = Scaling {
        asked: &asked,
        replaces,
        known: known.as_ref(),
        compose: None,
        max: Quantity::new(4).expect("a count"),
        may_scale_release: false,
    };
    let before = StoredFormation { scale: entries(row.scale), old: entries(row.old) };
    let after = scaling.apply(&before).map_err(|refused| refused.to_string())?;
    Ok((words(&after.scale), words(&after.old)))
}

fn check(rows: &[Row], replaces: bool) {
    for row in rows {
        let expected = row.expected.map(|(scale, old)| (scale.to_owned(), old.to_owned()));
        match (apply(row, replaces), expected) {
            (Err(said), Err(part)) => assert!(said.contains(part), "{}: {said}", row.asked),
            (got, expected) => {
                assert_eq!(got, expected.map_err(str::to_owned), "{:?} on {:?}", row.asked, row.scale);
            }
        }
    }
}

const PROCFILE: Option<&str> = Some("release web worker");

#[test]
fn named_types_come_first_then_stored_ones_then_those_of_the_procfile_at_0() {
    let row = |known, scale, old, asked, expected| Row { known, scale, old, asked, expected: Ok(expected) };
    check(
        &[
            row(PROCFILE, "web=1 release=0 worker=0", "", "web=1 worker=1", ("web=1 worker=1 release=0", "")),
            row(PROCFILE, "web=1", "", "", ("web=1 release=0 worker=0", "")),
            row(None, "web=1", "", "a=1", ("a=1 web=1", "")),
            row(None, "web=7 foo=2", "", "WEB=1", ("WEB=1 web=7 foo=2", "")),
            row(None, "web=1", "", "zz=1 aa=007", ("zz=1 aa=7 web=1", "")),
            row(None, "web=1", "", "web=max", ("web=4", "")),
        ],
        false,
    );
}

#[test]
fn a_type_that_ends_waits_in_scale_old_until_a_deploy() {
    let row = |known, scale, old, asked, expected| Row { known, scale, old, asked, expected: Ok(expected) };
    check(
        &[
            row(PROCFILE, "web=1 worker=1 release=0", "", "foo=0", ("web=1 worker=1 release=0", "foo=0")),
            row(None, "web=1", "", "foo=2 web=0", ("foo=2", "web=0")),
            row(None, "foo=2", "web=0", "web=+2", ("web=2 foo=2", "")),
            // A type that an earlier change put into `scale.old` stays there in the next change.
            row(None, "web=1", "gone=0", "web=2", ("web=2", "gone=0")),
            // A type that was removed from the Procfile ends. `web` does not, because every new app has it.
            row(PROCFILE, "web=1 clock=2", "", "web=2", ("web=2 release=0 worker=0", "clock=0")),
            row(Some("worker"), "web=1", "", "worker=1", ("worker=1 web=1", "")),
        ],
        false,
    );
}

#[test]
fn a_replacement_ends_what_it_does_not_name() {
    let row = |known, scale, old, asked, expected| Row { known, scale, old, asked, expected: Ok(expected) };
    check(
        &[
            row(PROCFILE, "web=2 worker=1 release=0", "", "web=1", ("web=1 release=0 worker=0", "")),
            row(None, "web=2 foo=3 bar=0", "", "web=1", ("web=1", "foo=0 bar=0")),
            row(None, "web=2 a.b=1", "", "web=1", ("web=1", "a.b=0")),
        ],
        true,
    );
}

#[test]
fn old_lines_that_nobody_would_accept_today_are_carried_along_and_can_be_dropped() {
    let row = |known, scale, old, asked, expected| Row { known, scale, old, asked, expected: Ok(expected) };
    check(
        &[
            row(None, "a.b=1 web=-1", "", "foo=1", ("foo=1 a.b=1 web=-1", "")),
            row(PROCFILE, "a.b=1 web=1", "", "web=2", ("web=2 a.b=1 release=0 worker=0", "")),
            row(None, "a.b=1 web=1", "", "a.b=0", ("web=1", "a.b=0")),
        ],
        false,
    );
}

#[test]
fn counts_may_be_relative_unless_a_type_is_called_so() {
    let row = |scale, asked, expected| Row { known: None, scale, old: "", asked, expected };
    check(
        &[
            row("web=2", "web+=3", Ok(("web=5", ""))),
            row("web=2", "web-=1", Ok(("web=1", ""))),
            row("web=2", "web-=2", Ok(("", "web=0"))),
            row("web=2 web-=7", "web-=1", Ok(("web-=1 web=2", ""))),
            row("web=2", "new+=2", Ok(("new=2 web=2", ""))),
            row("web=2", "web-=3", Err("web has 2: 3 cannot be taken away")),
            row("web=9999", "web+=2", Err("over 10,000")),
            row("web=2", "web+=1 web=3", Err("named twice")),
            row("web=2", "web+=max", Ok(("web=6", ""))),
            row("web=2", "web+=-1", Err("negative")),
        ],
        false,
    );
}

#[test]
fn a_deploy_takes_a_part_of_the_cpus_and_what_is_no_part_is_refused() {
    let count = |word: &str, cpus: u64| {
        let asked = [AskedCount::parse_share(word).map_err(|refused| refused.to_string())?];
        let max = Quantity::new(cpus).expect("a count");
        let scaling = Scaling {
            asked: &asked,
            replaces: false,
            known: None,
            compose: None,
            max,
            may_scale_release: false,
        };
        let before = StoredFormation { scale: vec![], old: vec![] };
        let after = scaling.apply(&before).map_err(|refused| refused.to_string())?;
        Ok::<_, String>(words(&after.scale))
    };
    for (word, cpus, expected) in [
        ("web=max", 4, "web=4"),
        ("web=50%", 4, "web=2"),
        ("web=50%", 1, "web=1"),
        ("web=1%", 4, "web=1"),
        ("web=100%", 4, "web=4"),
        ("web=-1", 4, "web=3"),
        ("web = 3", 4, "web=3"),
        ("web+=2", 4, "web=2"),
    ] {
        assert_eq!(count(word, cpus).as_deref(), Ok(expected), "{word} of {cpus}");
    }
    for (word, part) in [
        ("web=0%", "0% is no part"),
        ("web=101%", "101% is no part"),
        ("web=99999%", "whole number"),
        ("web=%", "whole number"),
        ("web=-4", "this process may use 4"),
        ("web=-70000", "negative"),
    ] {
        let said = count(word, 4).expect_err("no count");
        assert!(said.contains(part), "{word}: {said}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    let row = |known, asked, part| Row { known, scale: "web=1", old: "", asked, expected: Err(part) };
    check(
        &[
            row(None, "web", "has no count"),
            row(None, "=1", "needs a name"),
            row(None, "web=abc", "process type web: count \"abc\" is not a whole number"),
            row(None, "web=-1", "negative"),
            row(None, "web=99999999", "over 10,000"),
            row(None, "web=1=2", "not a whole number"),
            row(None, "web=1 web=2", "named twice"),
            row(None, "a.b=1", "only letters"),
            row(None, "a.b=0", "only letters"),
            row(None, "release=1", "release runs once"),
            row(PROCFILE, "wbe=1", "did you mean web?"),
            row(PROCFILE, "clock=1", "which has release, web, worker"),
        ],
        false,
    );
}
