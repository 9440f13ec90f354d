//! Where in its program an error came up, as the report of the error says.

use super::headline::place_of_panic;
use crate::facts::Line;

/// How many lines a report may have between the error and the frame.
const NEAR: usize = 40;

/// The file and the line of the innermost frame of the report that this line of the output tells: `app.py, line 9`, `/srv/app.js:3:9`.
pub(super) fn of(output: &[Line], told: &Line) -> Option<String> {
    let own: Vec<&Line> = output.iter().filter(|line| line.stream == told.stream).collect();
    let at = own.iter().position(|line| std::ptr::eq(*line, told))?;
    // The headline of a panic of Rust, above what the panic says.
    let panic = at.checked_sub(1).and_then(|above| place_of_panic(&own[above].text));
    if let Some(place) = panic {
        return Some(place.to_owned());
    }
    let is_indented = |line: &&&Line| line.text.starts_with([' ', '\t']);
    let above =
        own[..at].iter().rev().take_while(is_indented).take(NEAR).find_map(|line| of_python(&line.text));
    let below = || own[at + 1..].iter().take(NEAR).find_map(|line| of_others(&line.text));
    above.or_else(below)
}

/// Whether a frame is that of a runtime, or of a library that the app uses.
pub(crate) fn is_of_library(frame: &str) -> bool {
    const PLACES: [&str; 12] = [
        "<frozen ",
        "/lib/python",
        "/site-packages/",
        "/dist-packages/",
        "node:",
        "/node_modules/",
        "java.base/",
        "java.sql/",
        "jdk.",
        "/lib/ruby/",
        "/go/src/",
        "/rustc/",
    ];
    PLACES.iter().any(|place| frame.contains(place))
}

/// `  File "/srv/app.py", line 9, in main`
fn of_python(frame: &str) -> Option<String> {
    let (path, rest) = frame.trim().strip_prefix("File \"")?.split_once("\", line ")?;
    if path.starts_with('<') || is_of_library(frame) {
        return None;
    }
    let number = rest.split(',').next()?;
    Some(format!("{path}, line {number}"))
}

/// `    at main (/srv/app.js:3:9)`, `\tat Main.main(Main.java:3)`, and of Go `\t/srv/main.go:5 +0x2f`
fn of_others(frame: &str) -> Option<String> {
    let text = frame.trim();
    if is_of_library(text) {
        return None;
    }
    let place = match text.strip_prefix("at ") {
        Some(call) => match call.split_once('(') {
            Some((_, place)) => place.trim_end_matches(')'),
            None => call,
        },
        None => text.split(' ').next().filter(|place| frame.starts_with('\t') && place.contains(".go:"))?,
    };
    let has_line = place.split(':').skip(1).any(|part| part.parse::<u32>().is_ok());
    has_line.then(|| place.to_owned())
}

#[cfg(test)]
mod tests {
    use formation::Stream;

    use super::*;

    fn place(text: &str, told: &str) -> Option<String> {
        let lines: Vec<Line> = text.lines().map(|line| Line::of_test(Stream::Stderr, line)).collect();
        of(&lines, lines.iter().find(|line| line.text == told).expect("it was written"))
    }

    #[test]
    fn the_file_and_the_line_are_those_of_the_innermost_frame() {
        for (text, told, wanted) in [
            (
                "Traceback (most recent call last):\n  File \"/srv/app.py\", line 9, in <module>\n    go()\n    ^^^^\nBroken: lost",
                "Broken: lost",
                Some("/srv/app.py, line 9"),
            ),
            (
                "Error: lost\n    at go (/srv/app.js:3:9)\n    at other (/srv/b.js:1:1)",
                "Error: lost",
                Some("/srv/app.js:3:9"),
            ),
            ("Error: lost\n    at /srv/app.js:3:9", "Error: lost", Some("/srv/app.js:3:9")),
            (
                "java.lang.IllegalStateException: lost\n\tat Main.main(Main.java:3)",
                "java.lang.IllegalStateException: lost",
                Some("Main.java:3"),
            ),
            (
                "panic: lost\n\ngoroutine 1 [running]:\nmain.main()\n\t/srv/main.go:5 +0x2f",
                "panic: lost",
                Some("/srv/main.go:5"),
            ),
            ("thread 'main' panicked at src/main.rs:2:66:\nlost", "lost", Some("src/main.rs:2:66")),
            ("lost\nat 14:03 it was found", "lost", None),
            ("  File \"/srv/other.py\", line 2\ndone\nlost", "lost", None),
        ] {
            assert_eq!(place(text, told).as_deref(), wanted, "{text}");
        }
    }
}
