//! What `check` says about lines that are no entries: a proposal only where it is certain, and a caret below what it means.

use serde_json::Value;

use crate::World;

/// What `--format json` finds in a Procfile: line, column and proposal of each problem.
fn findings(procfile: &[u8], more: &[&str]) -> Vec<(u64, u64, Option<String>)> {
    let ran = World::with(procfile).run(&[&["check", "--format", "json"], more].concat());
    let row: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let number = |finding: &Value, key: &str| finding[key].as_u64().expect("a number");
    let finding = |finding: &Value| {
        let proposal = finding["suggestion"].as_str().map(str::to_owned);
        (number(finding, "line"), number(finding, "column"), proposal)
    };
    row["findings"].as_array().expect("a list").iter().map(finding).collect()
}

#[test]
fn commands_and_lines_that_go_on_are_not_turned_into_process_types() {
    let text = b"heroku ps:scale web=1\npython manage.py migrate\nbundle exec rails s\nweb: gunicorn app \\\n  --port $PORT\nworker bin/work\n";
    let found = findings(text, &[]);
    let without: Vec<u64> =
        found.iter().filter(|(.., proposal)| proposal.is_none()).map(|found| found.0).collect();
    assert_eq!(without, [1, 2, 3, 5], "{found:?}");
    let text = World::with(text).run(&["check", "--format", "text"]).stderr;
    for wrong in ["heroku:", "python:", "bundle:", "--port:"] {
        assert!(!text.contains(wrong), "{wrong} in\n{text}");
    }
    assert_eq!(text.matches("expected a line like `web: command`").count(), 3, "{text}");
    assert!(text.contains("cannot go on over several lines, join it with the line above"), "{text}");
}

#[test]
fn what_is_proposed_makes_the_file_legal() {
    for slip in [
        "web gunicorn app",
        "web; gunicorn app",
        "web = gunicorn app",
        "web\u{ff1a}gunicorn app",
        "- web: gunicorn app",
    ] {
        let found = findings(format!("# c\n{slip}\nworker: b\n").as_bytes(), &[]);
        let [(2, _, Some(proposal))] = &found[..] else { panic!("{slip}: {found:?}") };
        let mended = World::with(format!("# c\n{proposal}\nworker: b\n"));
        assert_eq!(mended.run(&["check"]).status, 0, "{proposal}");
        assert_eq!(mended.run(&["show", "-p", "web"]).text(), "gunicorn app\n", "{proposal}");
    }
}

#[test]
fn a_proposal_holds_the_whole_line_and_no_name_that_is_there() {
    let command = "gunicorn app ".repeat(40);
    let command = command.trim();
    assert_eq!(
        findings(format!("web {command}\n").as_bytes(), &[]),
        [(1, 5, Some(format!("web: {command}")))]
    );
    assert_eq!(findings(b"web: a\nweb; b\n", &[]), [(2, 4, None)]);
    assert_eq!(findings(b"my-web: a\nmy_web: b\n", &["--strict"]), [(2, 3, None)]);
}

#[test]
fn the_caret_stands_below_the_character_that_is_meant_however_long_the_line_is() {
    let long = "a".repeat(500);
    for (line, column, meant) in [
        (format!("web: {long}\0z"), 506, '\u{2400}'),
        (format!("web: {}\0z", "\u{5b57}".repeat(500)), 506, '\u{2400}'),
        ("web: e\u{301}\t\0\r".to_owned(), 9, '\u{2400}'),
        (format!("{long}: x"), 64, 'a'),
        (format!("web; {long}"), 4, ';'),
        (format!("web: x #{long}\nweb \u{1b}[1m; y"), 5, '\u{241b}'),
    ] {
        let world = World::with(&line);
        let text = world.run(&["check", "--format", "text"]).stderr;
        let number = line.lines().count();
        assert!(text.contains(&format!("Procfile:{number}:{column}\n")), "{text}");
        let shown: Vec<&str> = text.lines().collect();
        let at = shown
            .iter()
            .position(|line| line.starts_with(&format!("{number} | ")))
            .expect("the line is shown");
        let caret = shown[at + 1].find('^').expect("a caret");
        assert_eq!(under(shown[at], caret), Some(meant), "{text}");
    }
}

/// The character above a caret: wide ones take two columns, combining ones none.
fn under(line: &str, caret: usize) -> Option<char> {
    let width = |c: char| match c {
        '\u{300}'..='\u{36f}' => 0,
        '\u{5b57}' => 2,
        _ => 1,
    };
    let mut column = 0;
    line.chars().find(|c| {
        let here = column == caret && width(*c) > 0;
        column += width(*c);
        here
    })
}

#[test]
fn warnings_of_long_lines_show_their_place_too() {
    let world = World::with(format!("web: {}\tx\r\n", "b".repeat(1000)));
    let text = world.run(&["check", "--warn"]).stderr;
    assert!(text.contains("Procfile:1:1006\n") && text.contains("Procfile:1:1008\n"), "{text}");
    assert_eq!(text.matches('\u{2026}').count(), 2, "{text}");
}
