//! Declarations that others have published: each starts what it names, or says what of it cannot be.

use std::collections::BTreeSet;
use std::fs;

use crate::home::Home;

/// What stands behind each `key` of a text, be it JSON or JavaScript.
fn values(text: &str, key: &str) -> BTreeSet<String> {
    let behind = |at: usize| {
        let rest = text[at + key.len()..].trim_start_matches(['"', '\'']).trim_start().strip_prefix(':')?;
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        Some(rest[1..].split(quote).next()?.to_owned())
    };
    text.match_indices(key).filter_map(|(at, _)| behind(at)).collect()
}

#[test]
fn published_declarations_start_what_they_name_or_say_what_not() {
    let Some(corpus) = skipped::corpus("corpus/pm2-json") else { return };
    let (mut started, mut refused) = (0, Vec::new());
    for entry in fs::read_dir(corpus).expect("a directory") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a file");
        let home = Home::new();
        // Without the other machine's directories.
        let text = values(&text, "cwd")
            .iter()
            .filter(|cwd| cwd.starts_with('/'))
            .fold(text.clone(), |text, cwd| text.replace(cwd.as_str(), "."));
        let directories: Vec<String> = values(&text, "cwd").into_iter().collect();
        for script in values(&text, "script") {
            for directory in
                directories.iter().map(String::as_str).chain(["."]).filter(|cwd| !cwd.contains(':'))
            {
                let file = home.app(directory).join(&script);
                fs::create_dir_all(file.parent().expect("a directory")).expect("made");
                fs::copy(home.app("tick.js"), file).expect("a script");
            }
        }
        fs::write(home.app("it.json"), &text).expect("a file");
        let ran = home.say(&["start", "it.json"]);
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if ran.status == 0 {
            assert!(!home.list().is_empty(), "{name}: {ran:?}");
            started += 1;
        } else {
            let why = ran.stderr.lines().find(|line| line.starts_with("PM2 [ERROR] "));
            refused.push(format!("{name}: {}", why.unwrap_or_else(|| panic!("{name}: {ran:?}"))));
        }
    }
    assert!(started >= 9, "only {started}; {}", refused.join("\n"));
}
