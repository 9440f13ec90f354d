//! What a real Dokku said and did, and golden cases of our own.

use crate::support::recorded;
use crate::support::recorded::Difference;

use crate::PROGRAM;

const DIFFERENCES: &[Difference] = &[
    Difference { name: "set-stop-timeout-bad", reason: "seconds are a whole number" },
    Difference { name: "set-stop-timeout-neg", reason: "seconds are not negative" },
    Difference { name: "set-procfile-path-dots", reason: "a path outside the app's source is refused" },
    Difference {
        name: "set-start-cmd-words",
        reason: "flags end at the property: all further words are the value",
    },
];

#[test]
fn inside_dokku_every_recorded_case_is_answered_as_dokku_answered_it() {
    recorded::replay(&["reads.jsonl", "changes.jsonl", "hooks.jsonl"], DIFFERENCES, |place, case| {
        let words: Vec<&str> = case.argv.iter().map(String::as_str).collect();
        let mut command = place.command_inside_dokku(PROGRAM);
        match &words[..] {
            ["dokku", "ps:set", rest @ ..] => command.args(rest),
            ["dokku", "plugin:trigger", "ps-get-property", rest @ ..] | ["ps-get-property", rest @ ..] => {
                command.args(["--from-trigger", "ps-get-property"]).args(rest)
            }
            _ => return None,
        };
        Some(command)
    });
}

#[test]
fn the_golden_cases_hold() {
    crate::support::golden::holds("ps-set", PROGRAM, 25);
}
